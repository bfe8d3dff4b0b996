import type { Captured } from '../types.ts';
import { compareBodies, type Readers } from './body.ts';
import type { Comparison, RequestShape, ServiceReply } from './comparison.ts';
import { agreeByLine, compareHeaders } from './headers.ts';
import { advance, type Cursor, ruleAt, startCursor } from './rule.ts';
import type { RuleSet } from './rules.ts';
import { createSink, type Sink, textSample } from './sink.ts';
import { BODY, EXCHANGE, STATUS } from './trail.ts';
import { excusesValue, type Walk } from './tree.ts';

export interface CompareContext extends Readers {
  readonly request: RequestShape;
  readonly rules: RuleSet;
  /** `host:port` of instances, which no client should see. */
  readonly internalHosts: readonly string[];
  /** Steps (nodes visited, table cells filled) after which a pair is given up as `compare-budget`. */
  readonly stepsMax: number;
}

export const STEPS_MAX = 20_000_000;

/** Thrown and caught in this folder only: unwinds a walk whose pair costs more than it may. */
class BudgetSpent extends Error {}

/**
 * Compares what the client would have received from either side: exchange, status, headers, body, in this order.
 * Total and pure: reads no clock, never throws, visits at most `stepsMax` steps.
 */
export function compare(legacy: Captured, service: ServiceReply, context: CompareContext): Comparison {
  if (service.kind === 'answer' && !service.oversize) {
    if (isIdentical(legacy, service.answer, context.sameBytes)) return SAME;
  }
  const sink = createSink(context.internalHosts);
  try {
    return compareExchange(legacy, service, context, sink);
  } catch (error) {
    if (error instanceof BudgetSpent) return { outcome: 'skipped', reason: 'compare-budget' };
    return { outcome: 'skipped', reason: 'compare-failed' };
  }
}

const SAME: Comparison = {
  outcome: 'same',
  differences: [],
  count: 0,
  ignored: [],
  ignoredCount: 0,
  silencedBy: new Map(),
};

/**
 * Whether two whole answers are the same byte for byte, apart from header lines that are never compared: no rule and no
 * reader could find a difference, so nothing has to be parsed.
 */
export function isIdentical(legacy: Captured, service: Captured, sameBytes: Readers['sameBytes']): boolean {
  return (
    legacy.status === service.status &&
    !legacy.truncated &&
    !service.truncated &&
    agreeByLine(legacy.fields, service.fields) &&
    sameBytes(legacy.body, service.body)
  );
}

function compareExchange(
  legacy: Captured,
  service: ServiceReply,
  context: CompareContext,
  sink: Sink,
): Comparison {
  const cursor = startCursor(context.rules.root);
  if (service.kind === 'failed') {
    const sample = textSample('code', service.code);
    sink.add({ trail: EXCHANGE, kind: service.failure, detail: null, legacy: null, service: sample }, null);
    return result(sink);
  }
  const walk = walkOf(context, sink);
  const { answer, oversize } = service;
  compareStatus(legacy.status, answer.status, cursor, walk);
  const withoutContent = isBodiless(legacy.status) || isBodiless(answer.status);
  compareHeaders({ legacy: legacy.fields, service: answer.fields, withoutContent }, cursor, walk);
  if (withoutContent || context.request.method === 'HEAD') return result(sink);
  if (oversize || legacy.truncated || answer.truncated) {
    cutShort(oversize ? 'oversize' : 'truncated', legacy, answer, walk);
    return result(sink);
  }
  const compared = compareBodies(legacy, answer, cursor, context, walk);
  return compared === 'legacy-too-large' ? { outcome: 'skipped', reason: 'decoded-too-large' } : result(sink);
}

function walkOf({ request, rules, stepsMax }: CompareContext, sink: Sink): Walk {
  let steps = 0;
  const spend = (more: number) => {
    steps += more;
    if (steps > stepsMax) throw new BudgetSpent();
  };
  const context = { url: request.url, renames: new Map() };
  return { sink, spend, context, strict: rules.strict, nesting: 0 };
}

/** 204, 205 and 304 have no body by definition (RFC 9110 §6.4.1). */
function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function compareStatus(legacy: number, service: number, root: Cursor, walk: Walk): void {
  if (legacy === service) return;
  const cursor = advance(root, 'status');
  const rule = ruleAt(cursor, 'ignore') ?? excusesValue(legacy, service, cursor, walk.context);
  const samples = {
    legacy: textSample('code', String(legacy)),
    service: textSample('code', String(service)),
  };
  walk.sink.add({ trail: STATUS, kind: 'status', detail: null, ...samples }, rule);
}

/** No rule excuses half an answer. */
function cutShort(kind: 'oversize' | 'truncated', legacy: Captured, service: Captured, { sink }: Walk): void {
  const sample = (answer: Captured) => ({ type: 'bytes', text: null, length: answer.body.length }) as const;
  sink.add({ trail: BODY, kind, detail: null, legacy: sample(legacy), service: sample(service) }, null);
}

function result(sink: Sink): Comparison {
  const [count, ignoredCount] = [sink.count(), sink.ignoredCount()];
  const outcome = count > 0 ? 'different' : ignoredCount > 0 ? 'ignored' : 'same';
  const { differences, ignored, silencedBy } = sink;
  return { outcome, differences, count, ignored, ignoredCount, silencedBy };
}

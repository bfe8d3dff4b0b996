/** Short ways to write answers and compare them. */
import { compare, STEPS_MAX } from '../../../router/core/compare/compare.ts';
import type { Comparison, ServiceReply } from '../../../router/core/compare/comparison.ts';
import { compileRules } from '../../../router/core/compare/rules.ts';
import { pointerOf } from '../../../router/core/compare/trail.ts';
import type { Captured, CompareRule } from '../../../router/core/types.ts';
import { createReaders } from '../../../router/shadow/decode.ts';

export type RuleText = Readonly<Record<string, unknown>> & { readonly path: string; readonly action: string };

const JSON_TYPE = ['Content-Type', 'application/json'];
const readers = createReaders(4 * 1024 * 1024);

export function json(body: unknown, fields: readonly string[] = JSON_TYPE): Captured {
  return text(typeof body === 'string' ? body : JSON.stringify(body), fields);
}

export function text(body: string | Uint8Array, fields: readonly string[], status = 200): Captured {
  return { status, fields, body: Buffer.from(body), truncated: false };
}

function reply(answer: Captured): ServiceReply {
  return { kind: 'answer', answer, oversize: false };
}

export function ruleOf(rule: RuleText): CompareRule {
  return { owner: 'team', reason: 'test', expires: '2026-12-31', ...rule };
}

export function compared(
  legacy: Captured,
  service: Captured | ServiceReply,
  rules: readonly RuleText[] = [],
  today: string | null = null,
): Comparison {
  const scope = { route: 'GET /x', status: legacy.status, today };
  return compare(legacy, 'kind' in service ? service : reply(service), {
    request: { method: 'GET', url: 'http://shop.example/x' },
    rules: compileRules(rules.map(ruleOf), scope),
    ...readers,
    internalHosts: ['127.0.0.1:4001'],
    stepsMax: STEPS_MAX,
  });
}

/** `outcome`, then one line `path kind detail` per difference that no rule silences. */
export function told(comparison: Comparison): readonly string[] {
  if (comparison.outcome === 'skipped') return [`skipped ${comparison.reason}`];
  const lines = comparison.differences.map(({ trail, kind, detail }) =>
    [pointerOf(trail), kind, ...(detail === null ? [] : [detail])].join(' '),
  );
  return [comparison.outcome, ...lines];
}

/** Puts known faults into an answer that was judged the same, and looks which of them would have been found. */
import { charsetOf, readText } from '../core/compare/charset.ts';
import { type CompareContext, compare } from '../core/compare/compare.ts';
import type { Comparison, Inflate, ServiceReply } from '../core/compare/comparison.ts';
import { fieldValue, mediaType } from '../core/compare/headers.ts';
import type { Trail } from '../core/compare/trail.ts';
import { readPlainJson } from '../core/json.ts';
import { isTextual, mutantsOf, type Pick, type Readable, rewritten } from '../core/mutants.ts';
import type { Captured } from '../core/types.ts';
import type { SelfTest } from './judge.ts';

/** Wall time of one self-test; the pairs behind it wait. */
const BUDGET_MS = 50;

/** `seed`: another number chooses other places. */
export function selfTest(
  { legacy, service }: { readonly legacy: Captured; readonly service: Captured },
  context: CompareContext,
  template: (trail: Trail) => string,
  seed: number,
): readonly SelfTest[] {
  const until = performance.now() + BUDGET_MS;
  const before = compare(legacy, asReply(service), context);
  if (before.outcome !== 'same' && before.outcome !== 'ignored') return [];
  const found: SelfTest[] = [];
  for (const { fault, trail, answer } of mutantsOf(
    service,
    readableOf(legacy, service, context),
    pickBy(seed),
  )) {
    if (performance.now() > until) break;
    const after = compare(legacy, asReply(answer), context);
    if (after.outcome === 'skipped') continue;
    const caught = after.outcome === 'different';
    found.push({
      fault,
      template: template(trail),
      caught,
      hiddenBy: caught ? null : silencer(before, after),
    });
  }
  return found;
}

/** Null where the body cannot be written anew without being another one. */
function readableOf(legacy: Captured, service: Captured, context: CompareContext): Readable | null {
  if (!isTextual(service.fields)) return null;
  const text = textOf(service, context.inflate);
  if (text === null) return null;
  const contentType = fieldValue(service.fields, 'content-type') ?? '';
  const isJson = /[/+]json$/.test(mediaType(contentType));
  const read = isJson ? readPlainJson(text) : null;
  if (isJson && read?.kind !== 'value') return null;
  const body: Readable =
    read?.kind === 'value' ? { kind: 'json', text, tree: read.value } : { kind: 'text', text };
  const again = body.kind === 'json' ? JSON.stringify(JSON.parse(text)) : text;
  const unharmed = compare(legacy, asReply(rewritten(service, again)), context);
  return unharmed.outcome === 'same' || unharmed.outcome === 'ignored' ? body : null;
}

function textOf({ body, fields }: Captured, inflate: Inflate): string | null {
  const codings = (fieldValue(fields, 'content-encoding') ?? '')
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity');
  const inflated = inflate(body, codings);
  if (inflated.kind !== 'bytes') return null;
  const read = readText(inflated.bytes, charsetOf(fieldValue(fields, 'content-type')));
  return read.kind === 'text' && !read.bom ? read.text : null;
}

function asReply(answer: Captured): ServiceReply {
  return { kind: 'answer', answer, oversize: false };
}

/** The rule that silences more than it did without the fault. */
function silencer(before: Comparison, after: Comparison): number | null {
  if (before.outcome === 'skipped' || after.outcome === 'skipped') return null;
  for (const [rule, count] of after.silencedBy) if (count > (before.silencedBy.get(rule) ?? 0)) return rule;
  return null;
}

/** Spreads seeds over all places, without chance: Knuth's multiplicative hash. */
function pickBy(seed: number): Pick {
  return (count, what) => (Math.imul(seed + what.length, 2_654_435_761) >>> 8) % count;
}

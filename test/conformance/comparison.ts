/** Comparison cases: `primary` is legacy, `candidate` the service. Decode and compare, no sockets, no clock. */

import { formatOf } from '../../router/core/compare/body.ts';
import { compare, STEPS_MAX } from '../../router/core/compare/compare.ts';
import type { Comparison, Difference } from '../../router/core/compare/comparison.ts';
import { fieldValue } from '../../router/core/compare/headers.ts';
import { checkRules, compileRules } from '../../router/core/compare/rules.ts';
import { pointerOf } from '../../router/core/compare/trail.ts';
import type { Captured, CompareRule } from '../../router/core/types.ts';
import { createReaders } from '../../router/shadow/decode.ts';
import { selectorFaults } from '../../router/shadow/selectors.ts';
import type { CaseResult } from './cases.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly bodyEncoding?: 'base64';
  readonly truncated?: boolean;
}

interface Expected {
  readonly match: boolean;
  readonly differences?: readonly { readonly path: string; readonly kind: string }[];
}

interface ComparisonCase {
  readonly id: string;
  readonly primary: Answer;
  readonly candidate: Answer;
  readonly request?: { readonly method?: string; readonly url?: string };
  readonly rules?: readonly CompareRule[];
  readonly expected: Expected;
}

const DECODED_BYTES_MAX = 4 * 1024 * 1024;
const REQUEST = { method: 'GET', url: 'http://legacy.example/' };

/** Runs every case of a parsed file; throws TypeError when it is not a list of comparison cases. */
export function runComparisonCases(file: unknown): readonly CaseResult[] {
  if (!Array.isArray(file) || !file.every(isCase)) throw new TypeError('not a list of comparison cases');
  return file.map((each) => ({ id: each.id, failure: failureOrThrown(each) }));
}

function isCase(value: unknown): value is ComparisonCase {
  if (typeof value !== 'object' || value === null) return false;
  return 'id' in value && 'primary' in value && 'candidate' in value && 'expected' in value;
}

/** A case that cannot be run is a failed one: the others are run. */
function failureOrThrown(each: ComparisonCase): CaseResult['failure'] {
  try {
    return failureOf(each);
  } catch (error) {
    return { expected: JSON.stringify(each.expected), got: `cannot be run: ${String(error)}` };
  }
}

function failureOf(each: ComparisonCase): CaseResult['failure'] {
  const expected = JSON.stringify(each.expected);
  const rules = each.rules ?? [];
  const [fault] = [...checkRules(rules, null), ...selectorFaults(rules)];
  if (fault !== undefined) return { expected, got: `${fault.path}: ${fault.text}` };
  const comparison = comparisonOf(each);
  if (comparison.outcome === 'skipped') return { expected, got: `skipped ${comparison.reason}` };
  const got = comparison.differences.map(({ trail, kind }) => ({ path: pointerOf(trail), kind }));
  if (agrees(each, comparison, got)) return null;
  return { expected, got: JSON.stringify({ match: comparison.outcome !== 'different', differences: got }) };
}

function comparisonOf(each: ComparisonCase): Comparison {
  const legacy = capturedOf(each.primary);
  const rules = compileRules(each.rules ?? [], { route: null, status: legacy.status, today: null });
  const service = { kind: 'answer', answer: capturedOf(each.candidate), oversize: false } as const;
  const request = { ...REQUEST, ...each.request };
  return compare(legacy, service, {
    request,
    rules,
    ...createReaders(DECODED_BYTES_MAX),
    internalHosts: [],
    stepsMax: STEPS_MAX,
  });
}

function capturedOf({ status, headers, body, bodyEncoding, truncated = false }: Answer): Captured {
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).flatMap((line) => [name, line]),
  );
  return { status, fields, body: Buffer.from(body ?? '', bodyEncoding ?? 'utf8'), truncated };
}

function agrees(
  each: ComparisonCase,
  { outcome }: Comparison,
  got: readonly { readonly path: string; readonly kind: Difference['kind'] }[],
): boolean {
  const { match, differences } = each.expected;
  if (match !== (outcome !== 'different')) return false;
  if (differences === undefined) return true;
  // Other formats than JSON may place a difference anywhere in the body.
  const loose = !isJson(each.primary) || !isJson(each.candidate);
  const text = ({ path, kind }: { readonly path: string; readonly kind: string }) =>
    `${loose && /^\/body(?:\/|$)/.test(path) ? '/body' : path} ${kind}`;
  const set = (list: typeof differences) => JSON.stringify([...new Set(list.map(text))].sort());
  return set(differences) === set(got);
}

function isJson(answer: Answer): boolean {
  const format = formatOf(fieldValue(capturedOf(answer).fields, 'content-type'));
  return format === 'json' || format === 'ndjson';
}

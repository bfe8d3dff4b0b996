/** Differences of one pair to the cause they are counted under. */
import type { Detail, Difference, Kind, Severity } from './comparison.ts';
import { pointerOf, templateOf } from './trail.ts';

interface SignatureEntry {
  readonly template: string;
  readonly kind: Kind;
  readonly severity: Severity;
  /** Explains, but does not tell one cause from another. */
  readonly detail: Detail | null;
  /** `200 401` for a status, else null. */
  readonly codes: string | null;
}

export interface Signature {
  /** The same text for the same set of (template, kind); its hash is the id of the cause. */
  readonly key: string;
  /** Worst first, at most `ENTRIES_MAX`. */
  readonly entries: readonly SignatureEntry[];
  /** False: there were more entries than are kept. */
  readonly complete: boolean;
}

const ENTRIES_MAX = 32;
const RANK: Readonly<Record<Severity, number>> = { high: 0, medium: 1, low: 2 };
const ROOT_DOMINANT: ReadonlySet<Kind> = new Set<Kind>([
  'type',
  'parse',
  'encoding',
  'truncated',
  'oversize',
]);

/**
 * The signature of one pair's differences; null when there are none. Where one difference explains all others (no
 * answer, another status class, a root that cannot be compared) it stands alone, so that a service which answers 401
 * to everything is one cause. `template` may widen a path (dictionary-like keys).
 */
export function signatureOf(
  differences: readonly Difference[],
  template: (difference: Difference) => string = ({ trail }) => templateOf(trail),
): Signature | null {
  if (differences.length === 0) return null;
  const dominant = differences.find(isDominant);
  const entries = new Map<string, SignatureEntry>();
  for (const difference of dominant === undefined ? differences : [dominant]) {
    const entry = entryOf(difference, template(difference));
    entries.set(keyOf(entry), entry);
  }
  const sorted = [...entries].sort(
    ([a, x], [b, y]) => RANK[x.severity] - RANK[y.severity] || (a < b ? -1 : 1),
  );
  const kept = sorted.slice(0, ENTRIES_MAX);
  const key = kept
    .map(([text]) => text)
    .toSorted()
    .join('\n');
  return { key, entries: kept.map(([, entry]) => entry), complete: kept.length === sorted.length };
}

function entryOf({ kind, severity, detail, legacy, service }: Difference, template: string): SignatureEntry {
  const codes = kind === 'status' ? `${legacy?.text} ${service?.text}` : null;
  return { template, kind, severity, detail, codes };
}

function keyOf({ template, kind, codes }: SignatureEntry): string {
  return codes === null ? `${template} ${kind}` : `${template} ${kind} ${codes}`;
}

function isDominant({ trail, kind, legacy, service }: Difference): boolean {
  if (kind === 'status') return legacy?.text?.[0] !== service?.text?.[0];
  if (kind === 'timeout' || kind === 'transport') return true;
  return ROOT_DOMINANT.has(kind) && pointerOf(trail) === '/body';
}

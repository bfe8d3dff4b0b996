/** Short ways to write what was compared. */
import type { Detail, Kind } from '../../../router/core/compare/comparison.ts';
import type { CauseEntry } from '../../../router/core/ports.ts';
import type { RuleEvidence, SeenCause } from '../../../router/core/rules/blast-radius.ts';

export const ROUTE = 'GET /x';

/** Entries as `/body/a value`, `/body/a value uuid` with a detail, `/status status 200 401` with codes. */
export function cause(
  id: string,
  count: number,
  entries: readonly string[],
  more: Partial<SeenCause> = {},
): SeenCause {
  return { id, route: ROUTE, entries: entries.map(entry), count, triage: 'new', ...more };
}

function entry(text: string): CauseEntry {
  const [template = '', kind = '', ...rest] = text.split(' ');
  const codes = kind === 'status' ? rest.join(' ') : null;
  const detail = kind === 'status' ? null : (rest[0] ?? null);
  return { template, kind: kind as Kind, severity: 'medium', detail: detail as Detail | null, codes };
}

/** A thousand pairs were compared on `GET /x`. */
export function evidence(causes: readonly SeenCause[], compared = 1_000): RuleEvidence {
  return { causes, compared: new Map([[ROUTE, compared]]), known: null };
}

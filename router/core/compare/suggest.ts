/** The rule that would silence a difference, as far as what is known of it says so. */
import type { Detail, Kind, Severity } from './comparison.ts';

export interface Suggestion {
  readonly path: string;
  readonly action: string;
  readonly [parameter: string]: unknown;
}

const BY_DETAIL: Readonly<
  Partial<Record<Detail, { readonly action: string; readonly [parameter: string]: unknown }>>
> = {
  'numeric-close': { action: 'number', rel: 1e-9 },
  'instant-equal': { action: 'timestamp', toleranceMs: 0 },
  'clock-skew': { action: 'timestamp', toleranceMs: 2000 },
  'unicode-form': { action: 'unicode', form: 'NFC' },
  'url-host': { action: 'url', ignore: ['scheme', 'host', 'port'] },
  'url-query-order': { action: 'url', ignore: ['query-order'] },
  uuid: { action: 'uuid' },
  nonce: { action: 'mask', regex: "'nonce-[^']+'" },
};

/**
 * Null where no rule should be written: the difference is a fault by its nature (an answer that is missing, a type, a
 * security attribute), or a name in the path is not shown. `template` is a rule path.
 */
export function suggestedRule(entry: {
  readonly template: string;
  readonly kind: Kind;
  readonly severity: Severity;
  readonly detail: Detail | null;
}): Suggestion | null {
  const { template: path, kind, severity, detail } = entry;
  if (/\/#[0-9a-f]{8}(?:\/|$)/.test(path) || !/^\/(?:headers|body)\//.test(path)) return null;
  if (kind === 'order') return { path, action: 'unordered' };
  if (kind === 'extra' && path.startsWith('/body/')) return { path, action: 'allow-extra' };
  if (kind !== 'value' || severity === 'high') return null;
  const known = detail === null ? undefined : BY_DETAIL[detail];
  return { path, ...(known ?? { action: 'ignore-value' }) };
}

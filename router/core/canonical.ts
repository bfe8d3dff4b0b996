/**
 * RFC 8785 (JSON Canonicalization Scheme): one text for one value, so that a hash over it means the value.
 * Takes plain JSON values; throws TypeError on anything else (undefined members, NaN, functions), because a
 * ledger entry that cannot be written down exactly must not be written at all.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`not a JSON number: ${value}`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object') throw new TypeError(`not a JSON value: ${typeof value}`);
  // JavaScript compares strings by UTF-16 unit, which is the order RFC 8785 §3.2.3 asks for.
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
}

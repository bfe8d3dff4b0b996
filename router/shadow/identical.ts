import type { Captured, Fields } from '../core/types.ts';

/**
 * Whether two whole answers are the same byte for byte, so that no rule and no reader could find a difference: then
 * nothing has to be parsed. Only Date may differ, and not beside a cookie, whose expiry is read against it.
 */
export function areIdentical(legacy: Captured, service: Captured): boolean {
  return (
    legacy.status === service.status &&
    !legacy.truncated &&
    !service.truncated &&
    Buffer.compare(legacy.body, service.body) === 0 &&
    areIdenticalFields(legacy.fields, service.fields)
  );
}

function areIdenticalFields(legacy: Fields, service: Fields): boolean {
  if (legacy.length !== service.length) return false;
  let dated = false;
  let baked = false;
  for (let i = 0; i + 1 < legacy.length; i += 2) {
    const name = legacy[i] ?? '';
    if (name !== service[i]) return false;
    if (legacy[i + 1] !== service[i + 1]) {
      if (name.length !== 4 || name.toLowerCase() !== 'date') return false;
      dated = true;
    }
    if (name.length === 10 && name.toLowerCase() === 'set-cookie') baked = true;
  }
  return !(dated && baked);
}

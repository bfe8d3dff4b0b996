import { agreeByLine } from '../core/compare/headers.ts';
import type { Captured } from '../core/types.ts';

/**
 * Whether two whole answers are the same byte for byte, apart from header lines that are never compared: no rule and no
 * reader could find a difference, so nothing has to be parsed.
 */
export function areIdentical(legacy: Captured, service: Captured): boolean {
  return (
    legacy.status === service.status &&
    !legacy.truncated &&
    !service.truncated &&
    legacy.body.length === service.body.length &&
    agreeByLine(legacy.fields, service.fields) &&
    Buffer.compare(legacy.body, service.body) === 0
  );
}

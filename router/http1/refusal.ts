import type { ErrorCode } from '../core/errors.ts';

/** Why bytes are no message: what is answered, what a person reads in the log, and the rule that was broken. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly why: string;
  /** Section that the bytes break. */
  readonly rfc: string;
}

/** The bytes so far are the beginning of a message. */
export const MORE = 'more';
export type More = typeof MORE;

export function isRefusal(result: Refusal | object | string | number): result is Refusal {
  return typeof result === 'object' && 'rfc' in result;
}

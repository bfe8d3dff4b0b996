import { ERRORS, type ErrorCode } from './errors.ts';

/** How a request ended, as metrics say it; a closed set, in the order of their cells. */
export const OUTCOMES = [
  'ok',
  'client_error',
  'server_error',
  'timeout',
  'transport',
  'aborted',
  'rejected',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/**
 * `status`: what the client got. An answer is judged by its status. Of the failures, `rejected` = refused here,
 * `aborted` = the client's doing, `timeout` and `transport` = the side gave no (whole) answer, `server_error` = a
 * fault of the proxy itself.
 */
export function outcomeOf(code: 'OK' | ErrorCode, status: number): Outcome {
  if (code === 'OK') return status >= 500 ? 'server_error' : status >= 400 ? 'client_error' : 'ok';
  const { during, blame, status: own } = ERRORS[code];
  if (during === 'admit' || own === 413) return 'rejected';
  // The side had failed already, but the client left before it was told.
  if (blame === 'client' || status === 499) return 'aborted';
  if (blame === 'fig') return 'server_error';
  return own === 504 ? 'timeout' : 'transport';
}

/** The same for the side that was asked: that the client left afterwards does not hide what the side did. */
export function sideOutcome(code: 'OK' | ErrorCode, status: number): Outcome {
  return outcomeOf(code, code === 'OK' ? status : ERRORS[code].status);
}

import { STATUS_CODES } from 'node:http';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import { answerText } from '../http1/serialise.ts';

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

export interface LocalAnswer {
  readonly requestId: string;
  readonly date: string;
  /** The connection ends behind it. */
  readonly close: boolean;
  /** The request was HEAD. */
  readonly bodyless: boolean;
  /** Names the code in `Fig-Error`. */
  readonly errorCode: boolean;
}

/** One row of the error table as an answer: a constant sentence and the request id, no address, side or version. */
export function errorAnswer(code: ErrorCode, given: LocalAnswer): string {
  const { status, text } = ERRORS[code];
  const body = `${text}\nrequest ${given.requestId}\n`;
  const fields = [
    ...['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store'],
    ...['Content-Length', String(body.length), 'Date', given.date, 'X-Request-Id', given.requestId],
  ];
  if (status === 405) fields.push('Allow', METHODS);
  if (status === 503) fields.push('Retry-After', '1');
  if (given.errorCode) fields.push('Fig-Error', code);
  if (given.close) fields.push('Connection', 'close');
  return answerText(status, STATUS_CODES[status] ?? '', fields) + (given.bodyless ? '' : body);
}

/** Answers an OPTIONS that may go no further. Source: RFC 9110 §7.6.2. */
export function optionsAnswer(given: Pick<LocalAnswer, 'requestId' | 'date' | 'close'>): string {
  const fields = [
    'Allow',
    METHODS,
    'Content-Length',
    '0',
    'Date',
    given.date,
    'X-Request-Id',
    given.requestId,
  ];
  if (given.close) fields.push('Connection', 'close');
  return answerText(200, 'OK', fields);
}

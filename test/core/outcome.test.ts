import { expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../router/core/errors.ts';
import { OUTCOMES, type Outcome, outcomeOf, sideOutcome } from '../../router/core/outcome.ts';

const EXPECTED: Readonly<Record<ErrorCode, Outcome>> = {
  CLIENT_SYNTAX: 'rejected',
  CLIENT_TARGET: 'rejected',
  CLIENT_TARGET_LONG: 'rejected',
  CLIENT_HEAD_LARGE: 'rejected',
  CLIENT_VERSION: 'rejected',
  CLIENT_METHOD: 'rejected',
  CLIENT_HOST: 'rejected',
  CLIENT_FRAMING: 'rejected',
  CLIENT_EXPECT: 'rejected',
  CLIENT_PATH: 'rejected',
  CLIENT_PATH_AMBIGUOUS: 'rejected',
  CLIENT_BODY_LARGE: 'rejected',
  CLIENT_BODY_TIMEOUT: 'aborted',
  CLIENT_BODY_CUT: 'aborted',
  CLIENT_GONE: 'aborted',
  CLIENT_SLOW: 'aborted',
  LOOP: 'rejected',
  MOUNT_BODY_CONSUMED: 'rejected',
  UPSTREAM_NAME: 'transport',
  UPSTREAM_TLS: 'transport',
  UPSTREAM_REFUSED: 'transport',
  UPSTREAM_RESET: 'transport',
  UPSTREAM_CONNECT_TIMEOUT: 'timeout',
  UPSTREAM_SEND_TIMEOUT: 'timeout',
  UPSTREAM_HEAD_TIMEOUT: 'timeout',
  UPSTREAM_SYNTAX: 'transport',
  UPSTREAM_SWITCHED: 'transport',
  UPSTREAM_BODY_CUT: 'transport',
  UPSTREAM_BODY_TIMEOUT: 'timeout',
  FIG_OVERLOADED: 'rejected',
  FIG_DRAINING: 'rejected',
  FIG_INTERNAL: 'server_error',
};

test.each(Object.entries(ERRORS).map(([code, { status }]) => ({ code, status })))(
  '$code has its outcome, also when its answer had begun as a 200',
  ({ code, status }) => {
    const known = Object.entries(EXPECTED).find(([name]) => name === code)?.[1];
    const isCode = (text: string): text is ErrorCode => text in ERRORS;
    if (!isCode(code)) throw new Error(code);
    expect([outcomeOf(code, status), outcomeOf(code, 200)]).toEqual([known, known]);
    expect(sideOutcome(code, 200)).toBe(known);
  },
);

test.each<[number, Outcome]>([
  [101, 'ok'],
  [200, 'ok'],
  [304, 'ok'],
  [399, 'ok'],
  [400, 'client_error'],
  [499, 'client_error'],
  [500, 'server_error'],
  [599, 'server_error'],
])('an answer with status %d is %s', (status, outcome) => {
  expect(outcomeOf('OK', status)).toBe(outcome);
  expect(sideOutcome('OK', status)).toBe(outcome);
});

test('a client that left before it was told of a failure counts as gone, and the side as failed', () => {
  expect(outcomeOf('UPSTREAM_RESET', 499)).toBe('aborted');
  expect(sideOutcome('UPSTREAM_RESET', 499)).toBe('transport');
});

test('every outcome occurs', () => {
  const reached = new Set<Outcome>([...Object.values(EXPECTED), 'ok', 'client_error']);
  expect([...reached].sort()).toEqual([...OUTCOMES].sort());
});

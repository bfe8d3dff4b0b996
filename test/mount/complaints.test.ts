import { expect, test } from 'vitest';
import type { Log } from '../../router/core/ports.ts';
import type { Observation } from '../../router/core/types.ts';
import { createComplaints } from '../../router/mount/complaints.ts';
import { manualClock } from '../helpers/clock.ts';

const FAILED: Observation = {
  group: 'g',
  route: 'GET /x',
  unit: null,
  role: 'primary',
  reason: 'flag',
  assigned: 'service',
  served: null,
  outcome: 'UPSTREAM_RESET',
  status: 502,
  durationMs: 1,
  upstreamMs: 1,
  unsafe: false,
};

function world() {
  const said: string[] = [];
  const clock = manualClock();
  const say =
    (level: string) =>
    (_: string, { outcome, leftOut = '-' }: Readonly<Record<string, unknown>> = {}): void => {
      said.push(`${level} ${outcome} ${leftOut}`);
    };
  const log: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  return { said, clock, complain: createComplaints(clock, log, 1_000) };
}

test('one line a second per code and side, with the number of those left out', () => {
  const { said, clock, complain } = world();
  for (let n = 0; n < 5; n += 1) complain(FAILED);
  clock.advance(1_000);
  complain(FAILED);
  complain({ ...FAILED, assigned: 'legacy' });
  complain({ ...FAILED, outcome: 'UPSTREAM_REFUSED' });
  expect(said).toEqual([
    'warn UPSTREAM_RESET 0',
    'warn UPSTREAM_RESET 4',
    'warn UPSTREAM_RESET 0',
    'warn UPSTREAM_REFUSED 0',
  ]);
});

test('a client that hangs up is not worth a warning, and a success is worth no line', () => {
  const { said, complain } = world();
  complain({ ...FAILED, outcome: 'CLIENT_GONE', status: 499 });
  complain({ ...FAILED, outcome: 'OK', status: 200 });
  expect(said).toEqual(['debug CLIENT_GONE -']);
});

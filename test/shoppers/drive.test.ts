import { expect, test } from 'vitest';
import type { Incoming, Outgoing } from '../../bench/shoppers/client.ts';
import { drive } from '../../bench/shoppers/drive.ts';
import type { Slot } from '../../bench/shoppers/schedule.ts';
import type { Shopper, Step } from '../../bench/shoppers/shopper.ts';
import { createTally } from '../../bench/shoppers/tally.ts';

function slot(session: number, atMs = 0): Slot {
  return { session, atMs, kind: 'home', draw: 0 };
}

function stepTo(path: string): Step {
  return { route: `GET ${path}`, expected: 200, outgoing: { method: 'GET', path, headers: {}, body: null } };
}

function visitor(session: number): Shopper {
  return {
    opened: () => true,
    opening: () => stepTo('/'),
    step: () => stepTo(`/${session}`),
    learn: () => undefined,
  };
}

/** A target whose answers are given by hand, and a clock that stands still unless somebody waits. */
function scripted() {
  const open: { path: string; answer: (status: number) => void; fail: () => void }[] = [];
  let mostOpen = 0;
  let now = 0;
  const tally = createTally();
  const client = {
    send: ({ path }: Outgoing) =>
      new Promise<Incoming>((resolve, reject) => {
        const leave = () =>
          open.splice(
            open.findIndex((entry) => entry.path === path),
            1,
          );
        open.push({
          path,
          answer: (status) => {
            leave();
            resolve({ status, setCookies: [], text: '' });
          },
          fail: () => {
            leave();
            reject(new Error('reset'));
          },
        });
        mostOpen = Math.max(mostOpen, open.length);
      }),
    close: () => {
      for (const { fail } of [...open]) fail();
    },
  };
  const pause = async (ms: number, signal: AbortSignal) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (!signal.aborted) now += ms;
  };
  return {
    open,
    tally,
    deps: { client, shopperOf: visitor, tally, nowMs: () => now, pause },
    mostOpen: () => mostOpen,
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const LIMITS = { inFlightMax: 64, overrunMs: 1_000_000 };
const NEVER = new AbortController().signal;

test('steps of one session run one after the other, and the waiting one counts as late', async () => {
  const { open, tally, deps } = scripted();
  const run = drive(
    [slot(1), slot(1), slot(2)],
    { ...deps, pause: () => new Promise(() => undefined) },
    LIMITS,
    NEVER,
  );
  expect(open.map(({ path }) => path)).toEqual(['/1', '/2']);
  open[0]?.answer(200);
  await settle();
  expect(open.map(({ path }) => path)).toEqual(['/2', '/1']);
  for (const entry of [...open]) entry.answer(200);
  expect(await run).toEqual({ unsent: 0 });
  expect(tally.summary()).toMatchObject({ requests: 3, late: 1, unexpected: 0 });
});

test('never more in flight than the limit, and nothing is dropped', async () => {
  const { open, tally, deps, mostOpen } = scripted();
  const slots = Array.from({ length: 10 }, (_, session) => slot(session));
  const run = drive(
    slots,
    { ...deps, pause: () => new Promise(() => undefined) },
    { ...LIMITS, inFlightMax: 3 },
    NEVER,
  );
  while (open.length > 0) {
    open[0]?.answer(200);
    await settle();
  }
  expect(await run).toEqual({ unsent: 0 });
  expect(mostOpen()).toBe(3);
  expect(tally.summary()).toMatchObject({ requests: 10, late: 7 });
});

test('a target that never answers ends the run at the hard stop, with failures and unsent steps', async () => {
  const { tally, deps } = scripted();
  const run = drive([slot(1), slot(1), slot(2)], deps, { inFlightMax: 64, overrunMs: 5_000 }, NEVER);
  expect(await run).toEqual({ unsent: 1 });
  expect(tally.summary()).toMatchObject({ statuses: { failed: 2 }, unexpected: 2 });
});

test('an unexpected status is counted with its route', async () => {
  const { open, tally, deps } = scripted();
  const run = drive([slot(1)], { ...deps, pause: () => new Promise(() => undefined) }, LIMITS, NEVER);
  open[0]?.answer(503);
  await run;
  expect(tally.summary()).toMatchObject({ unexpected: 1, unexpectedBy: { 'GET /1 503': 1 } });
});

test('an aborted signal sends nothing more', async () => {
  const { open, tally, deps } = scripted();
  const stopping = new AbortController();
  const run = drive([slot(1), slot(2, 1_000)], deps, LIMITS, stopping.signal);
  open[0]?.answer(200);
  stopping.abort();
  expect(await run).toEqual({ unsent: 1 });
  expect(tally.summary().requests).toBe(1);
});

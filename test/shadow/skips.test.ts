import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { choose } from '../../router/core/choose.ts';
import { createCopies } from '../../router/core/copies.ts';
import type { Clock, Replayed, Replayer } from '../../router/core/ports.ts';
import { createBudget } from '../../router/core/tap.ts';
import type { Admitted, Fields, FlagIntent, ShadowJob, SkipReason, Stop } from '../../router/core/types.ts';
import { createShadow, SHADOW_OPTIONS, type Shadow, type ShadowDeps } from '../../router/shadow/shadow.ts';
import { snapshotOf } from '../helpers/current.ts';
import { randomOf } from '../helpers/random.ts';
import { group, job, LIMITS, ok, REAL_CLOCK, shadowDeps, WITHOUT_BASELINE } from './jobs.ts';

type Reached = SkipReason | 'copy' | null;

// Why a request is never copied.

const ON: FlagIntent = { serve: 'off', shadow: 'on', cause: 'flag' };

function chosen(given: {
  readonly request?: Partial<Admitted>;
  readonly intent?: FlagIntent;
  readonly stopped?: Stop;
}): Reached {
  const plan = {
    name: 'g',
    service: 'http://127.0.0.1:1',
    routes: ['* /x', '!GET /out'],
    stage: 'shadow',
    stopped: given.stopped ?? null,
  } as const;
  const request = {
    method: 'GET',
    target: '/x',
    path: '/x',
    host: 'a',
    fields: [],
    upgrade: false,
    marked: false,
    hasBody: false,
    continues: false,
    closes: false,
    ...given.request,
  };
  const deps = { flags: { read: () => given.intent ?? ON }, keyOf: (id: string) => id };
  return choose(snapshotOf('http://127.0.0.1:2', [plan]), request, 'r', deps).shadow;
}

// Why an exchange leaves no copy.

function copied(given: {
  readonly outcome?:
    | 'OK'
    | 'CLIENT_GONE'
    | 'UPSTREAM_REFUSED'
    | 'UPSTREAM_BODY_CUT'
    | 'UPSTREAM_HEAD_TIMEOUT';
  readonly status?: number;
  readonly fields?: Fields;
  readonly body?: string;
  readonly fellBack?: boolean;
  readonly budget?: number;
}): Reached {
  const { group: of, route, target, primaryTarget, request } = job('http://127.0.0.1:1');
  const admitted = { ...request, path: '/', host: 'a', upgrade: false, marked: false, hasBody: false };
  const copies = createCopies(
    {
      admitted: { ...admitted, continues: false, closes: false },
      choice: {
        route,
        group: of,
        unit: null,
        position: null,
        intent: ON,
        decision: { side: 'legacy', shadow: true, reason: 'stage' },
        target: primaryTarget,
        shadow: 'copy',
      },
      group: of,
      route,
      sent: [],
      requestId: 'r',
      publicOrigin: 'http://a',
      other: target,
    },
    createBudget(given.budget ?? 1_000_000),
  );
  copies.answerHead(given.status ?? 200, given.fields ?? []);
  copies.answer(Buffer.from(given.body ?? 'x'));
  const { outcome = 'OK', fellBack = false } = given;
  const end = copies.finish({ outcome, side: 'legacy', fellBack, durationMs: 1 });
  return typeof end === 'string' ? end : null;
}

// Why a copy is not sent or not compared.

const ANSWER = { kind: 'answer', answer: ok('{"a":1}'), oversize: false, dryRun: false } as const;

/** Answers as it is told, in a tick of its own; `null` leaves the copy unanswered. */
function replayerOf(next: () => Replayed | null): Replayer {
  const running = new Set<(replayed: Replayed) => void>();
  return {
    replay(_job, _grow, done) {
      const replayed = next();
      if (replayed === null) running.add(done);
      else setImmediate(done, replayed);
    },
    start: () => undefined,
    stop() {
      for (const done of running) done({ kind: 'aborted' });
      running.clear();
    },
  };
}

function started(more: Partial<ShadowDeps>, options: Partial<typeof SHADOW_OPTIONS> = {}): Shadow {
  const shadow = createShadow(
    { ...shadowDeps(), replayer: replayerOf(() => ANSWER), ...more },
    { ...SHADOW_OPTIONS, flushMs: 3_600_000, ...options },
  );
  shadow.start();
  onTestFinished(() => shadow.stop());
  return shadow;
}

/** The reason that is counted once all of them are settled. */
async function skipped(shadow: Shadow, jobs: readonly ShadowJob[]): Promise<Reached> {
  for (const each of jobs) shadow.eligible(each.group.name, shadow.offer(each));
  await shadow.idle();
  const [reason = null] = Object.keys(shadow.counts('catalog').skipped);
  return (reason ?? null) as Reached;
}

const plain = job('http://127.0.0.1:1');
const withLimits = (limits: Partial<typeof LIMITS>) =>
  job('http://127.0.0.1:1', { group: group({ shadowLimits: { ...LIMITS, ...limits } }) });
const twice = (each: ShadowJob) => [each, each];
const rules = [{ path: '/a', action: 'nonsense', owner: 'a', reason: 'b', expires: '2099-01-01' }];
const DRY: ShadowJob = {
  ...plain,
  route: {
    ...plain.route,
    writes: { mode: 'dry-run', owner: 'a', reason: 'b', ticket: null, expires: '2099-01-01' },
  },
  request: { ...plain.request, method: 'POST' },
};

/** A clock that is moved by hand. */
function clockFrom(at: number): Clock & { advance(ms: number): void } {
  let now = at;
  return {
    now: () => now,
    wall: () => Date.now(),
    advance(ms) {
      now += ms;
    },
  };
}

async function stale(): Promise<Reached> {
  const clock = clockFrom(0);
  const shadow = started({ clock });
  shadow.eligible('catalog', shadow.offer(plain));
  // The queue is looked at in a later tick.
  clock.advance(2_001);
  return skipped(shadow, []);
}

async function draining(): Promise<Reached> {
  const shadow = started({ replayer: replayerOf(() => null) });
  shadow.eligible('catalog', shadow.offer(plain));
  await shadow.stop();
  return skipped(shadow, []);
}

/** One way to every reason: the type says when one is missing. */
const REASONS: Readonly<Record<SkipReason, () => Reached | Promise<Reached>>> = {
  killed: () => chosen({ stopped: 'killed' }),
  'flag-off': () => chosen({ intent: { ...ON, shadow: 'off' } }),
  'flag-unknown': () => chosen({ intent: { ...ON, shadow: 'unknown', cause: 'missing' } }),
  'no-unit': () => chosen({ intent: { ...ON, shadow: 'unknown', cause: 'no-unit' } }),
  'unsafe-method': () => chosen({ request: { method: 'DELETE' } }),
  'effectful-route': () => chosen({ request: { target: '/out', path: '/out' } }),
  marked: () => chosen({ request: { marked: true } }),
  upgrade: () => chosen({ request: { upgrade: true } }),
  'dry-run-refused': () => skipped(started({}), [DRY]),
  rate: () => skipped(started({}), twice(withLimits({ perSecondMax: 1 }))),
  'queue-full': () =>
    skipped(started({}, { queue: { ...SHADOW_OPTIONS.queue, requestsMax: 1 } }), twice(plain)),
  memory: () => skipped(started({}, { queue: { ...SHADOW_OPTIONS.queue, bytesMax: 1 } }), [plain]),
  'in-flight': async () => {
    const shadow = started({ replayer: replayerOf(() => null) });
    const each = withLimits({ inFlightMax: 1 });
    for (let i = 0; i < 8; i += 1) {
      shadow.eligible('catalog', shadow.offer(each));
      // So that the first is on its way.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return Object.hasOwn(shadow.counts('catalog').skipped, 'in-flight') ? 'in-flight' : null;
  },
  stale,
  overload: () => skipped(started({ overloaded: () => true }), [plain]),
  'breaker-open': async () => {
    const refused = { kind: 'transport', code: 'UPSTREAM_REFUSED' } as const;
    const shadow = started({ replayer: replayerOf(() => refused) });
    for (let i = 0; i < 5; i += 1) await skipped(shadow, [plain]);
    return skipped(shadow, [plain]);
  },
  draining,
  'too-large': () => copied({ fields: ['Content-Length', '9999999'] }),
  stream: () => copied({ fields: ['Content-Type', 'text/event-stream'] }),
  conditional: () => copied({ status: 304 }),
  'client-gone': () => copied({ outcome: 'CLIENT_GONE' }),
  fallback: () => copied({ fellBack: true }),
  'legacy-failed': () => copied({ outcome: 'UPSTREAM_REFUSED' }),
  'legacy-truncated': () => copied({ outcome: 'UPSTREAM_BODY_CUT' }),
  timeout: () => copied({ outcome: 'UPSTREAM_HEAD_TIMEOUT' }),
  'connection-reused': () =>
    skipped(started({ replayer: replayerOf(() => ({ kind: 'connection-reused' })) }), [plain]),
  'decoded-too-large': () =>
    skipped(started({}, { decodedBytesMax: 8 }), [
      job('http://127.0.0.1:1', { answer: ok(`{"a":"${'x'.repeat(20)}"}`) }),
    ]),
  'compare-budget': () =>
    skipped(started({}, { comparer: { ...SHADOW_OPTIONS.comparer, waitingMax: 0 } }), [
      job('http://127.0.0.1:1', { answer: ok('{"a":2}') }),
    ]),
  'compare-failed': () =>
    skipped(started({}), [job('http://127.0.0.1:1', { answer: ok('{"a":2}'), group: group({ rules }) })]),
};

test.each(Object.entries(REASONS))('%s is reached', async (reason, reach) => {
  expect(await reach()).toBe(reason);
});

test('a memory that is full while an exchange is copied is memory, too', () => {
  expect(copied({ budget: 0 })).toBe('memory');
});

describe('eligible = same + ignored + different + skipped', () => {
  const REPLAYED: readonly (Replayed | null)[] = [
    ANSWER,
    { ...ANSWER, answer: ok('{"a":2}') },
    { ...ANSWER, answer: { ...ok('{"a'), truncated: true } },
    { ...ANSWER, oversize: true },
    { ...ANSWER, dryRun: true },
    { kind: 'timeout', connecting: false },
    { kind: 'timeout', connecting: true },
    { kind: 'transport', code: 'UPSTREAM_RESET' },
    { kind: 'connection-reused' },
    { kind: 'memory' },
    { kind: 'aborted' },
    null,
  ];
  const BASELINE = { ...WITHOUT_BASELINE, baseline: { first: 5, rate: 0.5, perSecondMax: 100 } };
  const JOBS: readonly ShadowJob[] = [
    plain,
    DRY,
    withLimits({ perSecondMax: 2 }),
    withLimits({ inFlightMax: 1 }),
    job('http://127.0.0.1:1', { group: group({ shadowPolicy: BASELINE }) }),
    job('http://127.0.0.1:2', { primary: 'service' }),
    job('http://127.0.0.1:3', { answer: { ...ok(''), truncated: true } }),
    job('http://127.0.0.1:4', { answer: ok('x'.repeat(LIMITS.bodyBytesMax + 1)) }),
  ];

  function holds({ eligible, same, ignored, different, skipped }: ReturnType<Shadow['counts']>): boolean {
    return eligible === same + ignored + different + Object.values(skipped).reduce((sum, n) => sum + n, 0);
  }

  test('at every moment of any run', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 80 }), async (seed, length) => {
        const random = randomOf(seed);
        const pick = <T>(from: readonly T[], otherwise: T): T => from[random(from.length)] ?? otherwise;
        let late = false;
        const shadow = createShadow(
          {
            ...shadowDeps(),
            clock: REAL_CLOCK,
            random: () => random(1_000) / 1_000,
            overloaded: () => late,
            replayer: replayerOf(() => pick(REPLAYED, ANSWER)),
          },
          { ...SHADOW_OPTIONS, queue: { ...SHADOW_OPTIONS.queue, requestsMax: 6, bytesMax: 200_000 } },
        );
        shadow.start();
        for (let i = 0; i < length; i += 1) {
          late = random(10) === 0;
          const each = pick(JOBS, plain);
          shadow.eligible(each.group.name, shadow.offer(each));
          if (random(2) === 0) await new Promise((resolve) => setImmediate(resolve));
          expect(holds(shadow.counts('catalog'))).toBe(true);
        }
        await shadow.stop();
        const counts = shadow.counts('catalog');
        expect(counts).toMatchObject({ eligible: length, pending: 0 });
        expect(holds(counts)).toBe(true);
        expect(shadow.health()).toMatchObject({ waiting: 0, inFlight: 0, bytes: 0 });
        const { started: begun, judged, lost } = shadow.health().baseline;
        expect(begun).toBe(judged + lost);
      }),
      { numRuns: 15 },
    );
  });
});

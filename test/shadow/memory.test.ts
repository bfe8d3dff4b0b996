import { expect, onTestFinished, test } from 'vitest';
import type { Replayer } from '../../router/core/ports.ts';
import { createShadow, SHADOW_OPTIONS } from '../../router/shadow/shadow.ts';
import { group, job, LIMITS, memoryStore, ok, shadowDeps, WITHOUT_BASELINE } from './jobs.ts';

const JOBS = 10_000;
const BODY_BYTES = 16_384;

/** Takes bytes of the budget as a real one does, and answers in a later tick. */
const REPLAYER: Replayer = {
  replay({ requestId }, grow, done) {
    const taken = grow(BODY_BYTES);
    const answer = { ...ok(`{"a":"${requestId}"}`.padEnd(BODY_BYTES)) };
    setImmediate(() =>
      done(taken ? { kind: 'answer', answer, oversize: false, dryRun: false } : { kind: 'memory' }),
    );
  },
  start: () => undefined,
  stop: () => undefined,
};

test('after 10,000 jobs, each asked twice and with another answer, nothing of them is left (A6)', async () => {
  const store = memoryStore();
  const baseline = { first: 1e9, rate: 1, perSecondMax: 1e6 };
  const of = group({
    shadowLimits: { ...LIMITS, perSecondMax: 1e6, inFlightMax: 64 },
    shadowPolicy: { ...WITHOUT_BASELINE, baseline },
  });
  const shadow = createShadow(
    { ...shadowDeps(), store, replayer: REPLAYER },
    { ...SHADOW_OPTIONS, comparer: { ...SHADOW_OPTIONS.comparer, budgetMs: 30_000 }, flushMs: 3_600_000 },
  );
  shadow.start();
  onTestFinished(() => shadow.stop());
  let most = 0;
  const run = async (jobs: number) => {
    for (let i = 0; i < jobs; i += 1) {
      const each = job('http://127.0.0.1:1', {
        requestId: String(i),
        group: of,
        answer: ok(`{"a":"legacy ${i}"}`.padEnd(BODY_BYTES)),
      });
      shadow.eligible('catalog', shadow.offer(each));
      most = Math.max(most, shadow.health().bytes);
      if (i % 32 === 31) await shadow.idle();
    }
    await shadow.idle();
  };
  await run(JOBS);
  const { eligible, different, pending } = shadow.counts('catalog');
  expect({ eligible, pending }).toEqual({ eligible: JOBS, pending: 0 });
  expect(different).toBeGreaterThan(JOBS * 0.9);
  expect(most).toBeLessThanOrEqual(SHADOW_OPTIONS.queue.bytesMax);
  expect(shadow.health()).toMatchObject({ bytes: 0, inFlight: 0, waiting: 0, comparersReplaced: 0 });
  shadow.flush();
  // However many there were: one cause, three examples.
  expect(store.batches.flatMap(({ causes }) => causes)).toMatchObject([{ count: different }]);
});

import { createHash } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { createFlagFeed, type FlagPush } from '../../flags/push.ts';
import { createReader, type RunningReader } from '../../flags/reader.ts';
import { manualClock } from '../helpers/clock.ts';
import { quiet } from '../helpers/control.ts';
import { startReader, startServer, subject, writerFor } from './world.ts';

const KEYS = Array.from({ length: 500 }, (_, i) =>
  createHash('sha256').update(`user-${i}`).digest('hex').slice(0, 32),
);

/** A reader of this process, and one that is pushed what it knows. */
async function pair() {
  const { url, server } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', 'orders', { serve: 25, shadow: 50 });
  const { reader } = startReader({ source: { kind: 'local', server } });
  const time = manualClock();
  const feed = createFlagFeed(time);
  const pushed = createReader({
    source: { kind: 'push', feed },
    environment: 'production',
    backupDir: '',
    clock: time,
    log: quiet,
  });
  onTestFinished(() => pushed.stop());
  pushed.start();
  /** As a pipe hands it on. */
  const push = (whole: boolean) => feed.push(structuredClone(pushOf(reader, whole)));
  return { writer, reader, pushed, feed, time, push };
}

function pushOf(reader: RunningReader, whole: boolean): FlagPush {
  return { table: whole ? reader.table() : null, data: 'fresh', stale: false, ageMs: 100 };
}

test('before the first push nothing is known; what is answered then is unknown, never off', async () => {
  const { pushed } = await pair();
  expect(pushed.status()).toMatchObject({ data: 'none', transport: 'push', ageMs: null });
  expect(pushed.read('orders', subject(KEYS[0] ?? ''))).toMatchObject({ serve: 'unknown', cause: 'no-data' });
});

test('a pushed table answers for every unit as the one it was taken from', async () => {
  const { reader, pushed, push } = await pair();
  push(true);
  const answers = (of: RunningReader) => KEYS.map((key) => of.read('orders', subject(key)));
  expect(answers(pushed)).toEqual(answers(reader));
  expect(new Set(answers(pushed).map(({ serve }) => serve))).toEqual(new Set(['on', 'off']));
});

test('a new table is in force in the tick of its push, and told to listeners', async () => {
  const { pushed, push, writer } = await pair();
  push(true);
  const seen: number[] = [];
  pushed.onChange((revision) => seen.push(revision));
  await writer.setServeShare('orders', 100, null, 'x');
  push(true);
  expect(pushed.intent('orders')).toEqual({ serve: 100, shadow: 50 });
  expect(seen).toEqual([2]);
});

test('a push without a table keeps the last one, and is no change', async () => {
  const { pushed, push } = await pair();
  push(true);
  const { revision } = pushed.status();
  push(false);
  expect(pushed.status()).toMatchObject({ data: 'fresh', stale: false, revision });
  expect(pushed.intent('orders').serve).toBe(25);
});

test('it ages as the table it came from, and is stale when three pushes stay out', async () => {
  const { pushed, push, time } = await pair();
  push(true);
  time.advance(15_000);
  expect(pushed.status()).toMatchObject({ stale: false, ageMs: 15_100 });
  time.advance(1);
  expect(pushed.status()).toMatchObject({ stale: true, data: 'fresh' });
  push(false);
  expect(pushed.status()).toMatchObject({ stale: false, ageMs: 100 });
});

test('without its control process it is stale at once and still answers', async () => {
  const { pushed, push, feed } = await pair();
  push(true);
  feed.lost();
  expect(pushed.status().stale).toBe(true);
  expect(pushed.intent('orders').serve).toBe(25);
});

test('what was stale or a backup where it came from is so here', async () => {
  const { pushed, push, feed } = await pair();
  push(true);
  feed.push({ table: null, data: 'backup', stale: true, ageMs: null });
  expect(pushed.status()).toMatchObject({ data: 'backup', stale: true, ageMs: null });
});

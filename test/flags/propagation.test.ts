import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { fresh, startReader, startServer, subject, TOKENS, until, writerFor } from './world.ts';

const UNIT = createHash('sha256').update('user-42').digest('hex').slice(0, 32);
const TOGGLES = 50;

test('on the stream a toggle changes the next evaluation in under 50 ms', async () => {
  const { url } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', 'orders', { serve: 0, shadow: 0 });
  const { reader } = startReader({ source: { kind: 'stream', url, token: TOKENS.client } });
  await fresh(reader);
  const answers: string[] = [];
  const delaysMs: number[] = [];
  for (let i = 0; i < TOGGLES; i += 1) {
    const share = i % 2 === 0 ? 100 : 0;
    const swapped = new Promise<number>((resolve) => {
      const off = reader.onChange(() => {
        off();
        resolve(performance.now());
      });
    });
    const startMs = performance.now();
    expect(await writer.setServeShare('orders', share, null, String(i))).toBe('written');
    delaysMs.push((await swapped) - startMs);
    answers.push(reader.read('orders', subject(UNIT)).serve);
  }
  expect(answers).toEqual(Array.from({ length: TOGGLES }, (_, i) => (i % 2 === 0 ? 'on' : 'off')));
  const sorted = delaysMs.toSorted((a, b) => a - b);
  const median = sorted[TOGGLES / 2] ?? Number.NaN;
  console.info(
    `stream, write sent to swapped: median ${median.toFixed(2)} ms, max ${sorted.at(-1)?.toFixed(2)} ms`,
  );
  expect(median).toBeLessThan(50);
});

test('in the same process a toggle is visible in the tick of its commit', async () => {
  const { url, server } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', 'orders', { serve: 0, shadow: 100 });
  const { reader } = startReader({ source: { kind: 'local', server } });
  expect(reader.read('orders', subject(UNIT))).toEqual({ serve: 'off', shadow: 'on', cause: 'flag' });
  const seen: string[] = [];
  server.onCommit(() => seen.push(reader.read('orders', subject(UNIT)).serve));
  await writer.setServeShare('orders', 100, 0, '1');
  expect(seen).toEqual(['on']);
});

test('a polling reader sees a toggle within its refresh interval', async () => {
  const { url } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', 'orders', { serve: 0, shadow: 0 });
  const { reader } = startReader({ source: { kind: 'poll', url, token: TOKENS.client, refreshMs: 250 } });
  await fresh(reader);
  await writer.setServeShare('orders', 100, 0, '1');
  await until(() => reader.read('orders', subject(UNIT)).serve === 'on', 250 + 250);
});

import { expect, test } from 'vitest';
import { replaceState } from '../../../flags/server/state.ts';
import type { StreamToken } from '../../../flags/server/stream.ts';
import { openStream } from '../event-stream.ts';
import { ACTOR, streamsWorld } from './streams-world.ts';

function token(hash: string, expiresAt: string | null = null): StreamToken {
  return { hash: Buffer.from(hash), environment: 'production', expiresAt };
}

test('the streams of a deleted token end, those of others go on', async () => {
  const { streams, store, url } = await streamsWorld({ a: token('1'), b: token('2') });
  const ended = await Promise.all([openStream(url, { token: 'a' }), openStream(url, { token: 'a' })]);
  const kept = await openStream(url, { token: 'b' });
  for (const stream of [...ended, kept]) await stream.next();
  streams.closeOf(Buffer.from('1'));
  expect(streams.counts()).toEqual({ open: 1, refused: 0, cut: 0 });
  for (const stream of ended) await expect(stream.next()).rejects.toThrow('the stream ended');
  replaceState(store, ACTOR, 'production', { features: [{ name: 'a', enabled: true }] });
  expect((await kept.next()).events).toMatchObject([{ type: 'feature-updated' }]);
});

test('a stream ends at the first heartbeat after its token has expired', async () => {
  const { time, url } = await streamsWorld({ a: token('1', new Date(1_700_000_020_000).toISOString()) });
  const stream = await openStream(url, { token: 'a' });
  await stream.next();
  time.advance(15_000);
  expect((await stream.next()).events).toEqual([]);
  time.advance(15_000);
  await expect(stream.next()).rejects.toThrow('the stream ended');
});

test('no change is sent with a token that has expired', async () => {
  const { time, store, streams, url } = await streamsWorld({
    a: token('1', new Date(1_700_000_001_000).toISOString()),
  });
  const stream = await openStream(url, { token: 'a' });
  await stream.next();
  time.advance(1000);
  replaceState(store, ACTOR, 'production', { features: [{ name: 'a', enabled: true }] });
  expect(streams.counts().open).toBe(0);
  await expect(stream.next()).rejects.toThrow('the stream ended');
});

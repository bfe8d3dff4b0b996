import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { createDeltas } from '../../../flags/server/delta.ts';
import { createIds } from '../../../flags/server/ids.ts';
import { createJournal } from '../../../flags/server/journal.ts';
import { LIMITS } from '../../../flags/server/semantics.ts';
import { replaceState } from '../../../flags/server/state.ts';
import { openStore } from '../../../flags/server/store.ts';
import { createStreams, type StreamToken } from '../../../flags/server/stream.ts';
import { createView } from '../../../flags/server/view.ts';
import { openStream } from '../event-stream.ts';
import { fakeTime, recordingLog, tempDir } from '../world.ts';

const ACTOR = { name: 'test', userId: 1 };

/** Streams of tokens that are named by the request: which token may do what is decided elsewhere. */
async function open(tokens: Readonly<Record<string, StreamToken>>) {
  const time = fakeTime();
  const { clock, timer } = time;
  const log = recordingLog();
  const store = openStore({ file: join(tempDir(), 'flags.db'), clock, ids: createIds(clock), log });
  const view = createView(store, 'epoch');
  const journal = createJournal(10, store.revision());
  const deltas = createDeltas({ store, view, journal, epoch: 'epoch' });
  const streams = createStreams({ deltas, limits: LIMITS, clock, log, timer, random: () => 0.5 });
  store.onCommit((commit) => {
    journal.touch(commit, commit.revision);
    streams.publish(commit);
  });
  const app = express().get('/api/client/streaming', (request, response) => {
    const token = tokens[request.get('authorization') ?? ''];
    if (token === undefined) throw new Error('the test has no such token');
    streams.open(request, response, token);
  });
  const http = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => http.once('listening', resolve));
  onTestFinished(() => {
    streams.close();
    http.close();
    store.close();
  });
  const { port } = http.address() as AddressInfo;
  return { time, store, streams, url: `http://127.0.0.1:${port}` };
}

function token(hash: string, expiresAt: string | null = null): StreamToken {
  return { hash: Buffer.from(hash), environment: 'production', expiresAt };
}

test('the streams of a deleted token end, those of others go on', async () => {
  const { streams, store, url } = await open({ a: token('1'), b: token('2') });
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
  const { time, url } = await open({ a: token('1', new Date(1_700_000_020_000).toISOString()) });
  const stream = await openStream(url, { token: 'a' });
  await stream.next();
  time.advance(15_000);
  expect((await stream.next()).events).toEqual([]);
  time.advance(15_000);
  await expect(stream.next()).rejects.toThrow('the stream ended');
});

test('no change is sent with a token that has expired', async () => {
  const { time, store, streams, url } = await open({
    a: token('1', new Date(1_700_000_001_000).toISOString()),
  });
  const stream = await openStream(url, { token: 'a' });
  await stream.next();
  time.advance(1000);
  replaceState(store, ACTOR, 'production', { features: [{ name: 'a', enabled: true }] });
  expect(streams.counts().open).toBe(0);
  await expect(stream.next()).rejects.toThrow('the stream ended');
});

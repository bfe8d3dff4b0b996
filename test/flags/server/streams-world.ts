import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import { onTestFinished } from 'vitest';
import { createDeltas } from '../../../flags/server/delta.ts';
import { createIds } from '../../../flags/server/ids.ts';
import { createJournal } from '../../../flags/server/journal.ts';
import { LIMITS } from '../../../flags/server/semantics.ts';
import { openStore } from '../../../flags/server/store.ts';
import { createStreams, type StreamToken } from '../../../flags/server/stream.ts';
import { createView } from '../../../flags/server/view.ts';
import { fakeTime, recordingLog, tempDir } from '../world.ts';

export const ACTOR = { name: 'test', userId: 1 };

/**
 * Streams of tokens that are named by the request: which token may do what is decided elsewhere. `commitsMs` says when
 * the work after each commit began.
 */
export async function streamsWorld(tokens: Readonly<Record<string, StreamToken>>) {
  const time = fakeTime();
  const { clock, timer } = time;
  const log = recordingLog();
  const store = openStore({ file: join(tempDir(), 'flags.db'), clock, ids: createIds(clock), log });
  const commitsMs: number[] = [];
  store.onCommit(() => commitsMs.push(performance.now()));
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
  return { time, store, view, streams, port, commitsMs, url: `http://127.0.0.1:${port}` };
}

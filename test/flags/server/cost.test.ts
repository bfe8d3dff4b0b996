import { expect, test } from 'vitest';
import { replaceState } from '../../../flags/server/state.ts';
import { createTable } from '../../../flags/table.ts';
import { rawClient } from '../../helpers/raw-http.ts';
import { until } from '../world.ts';
import { ACTOR, streamsWorld } from './streams-world.ts';

const FLAGS = 1000;
const SEGMENTS = 100;
const STREAMS = 200;
const COMMITS = 50;
/** Requests wait for as long as a commit takes. */
const LIMIT_MS = 20;
const PLACE = 'production';

const STATE = {
  features: Array.from({ length: FLAGS }, (_, i) => ({
    name: `flag-${i}`,
    enabled: true,
    description: 'Units that the service answers',
    strategies: [
      {
        name: 'flexibleRollout',
        parameters: { rollout: '10', stickiness: 'figUnit', groupId: `flag-${i}` },
        constraints: [{ contextName: 'tenant', operator: 'IN', values: ['acme', 'globex'] }],
        segments: [i % SEGMENTS],
      },
    ],
  })),
  segments: Array.from({ length: SEGMENTS }, (_, id) => ({
    id,
    name: `segment-${id}`,
    constraints: [
      { contextName: 'userId', operator: 'IN', values: Array.from({ length: 50 }, (_, i) => String(i)) },
    ],
  })),
};

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

test('with 1,000 flags, 100 segments and 200 streams the work after a commit stays far below 20 ms', async () => {
  const token = { hash: Buffer.from('a'), environment: PLACE, expiresAt: null };
  const { store, view, streams, port, commitsMs } = await streamsWorld({ a: token });
  replaceState(store, ACTOR, PLACE, STATE);
  const clients = Array.from({ length: STREAMS }, () => {
    const client = rawClient(port);
    client.send('GET /api/client/streaming HTTP/1.1\r\nHost: flags\r\nAuthorization: a\r\n\r\n');
    return client;
  });
  await Promise.all(clients.map((client) => client.until('unleash-connected')));
  await until(() => streams.counts().open === STREAMS);
  const table = createTable();
  const swapsMs: number[] = [];
  const heldMs: number[] = [];
  store.onCommit(() => {
    const startMs = performance.now();
    table.swap(view.table(PLACE));
    swapsMs.push(performance.now() - startMs);
  });
  for (let i = 0; i < COMMITS; i += 1) {
    const name = `flag-${i}`;
    store.change(ACTOR, (changes) => {
      changes.setEnabled(name, PLACE, false);
      const event = { project: 'default', environment: PLACE, featureName: name, data: null, preData: null };
      changes.record({ type: 'feature-environment-disabled', ...event });
    });
    // The sockets write in ticks that were queued before this one.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    heldMs.push(performance.now() - (commitsMs.at(-1) ?? Number.NaN));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(clients.map((client) => client.until(`"name":"flag-${COMMITS - 1}","enabled":false`)));
  console.info(
    `after a commit, written to ${STREAMS} streams: median ${median(heldMs).toFixed(2)} ms, ` +
      `max ${Math.max(...heldMs).toFixed(2)} ms; of it ${median(swapsMs).toFixed(2)} ms for readers in the process`,
  );
  expect(median(heldMs)).toBeLessThan(LIMIT_MS);
});

test('a commit leaves the definitions of all other flags the very same objects', async () => {
  const { store, view } = await streamsWorld({});
  replaceState(store, ACTOR, PLACE, STATE);
  const before = view.table(PLACE).features;
  replaceState(store, ACTOR, PLACE, {
    ...STATE,
    features: STATE.features.map((one, i) => (i === 7 ? { ...one, enabled: false } : one)),
  });
  const changed = view.table(PLACE).features.filter((feature, i) => feature !== before[i]);
  expect(changed.map(({ name }) => name)).toEqual(['flag-7']);
});

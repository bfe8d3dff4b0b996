import { expect, onTestFinished, test } from 'vitest';
import { type Random, randomOf } from '../../helpers/random.ts';
import { openStream, type StreamEvent } from '../event-stream.ts';
import { startServer, until } from '../world.ts';

const ENVIRONMENT = 'production';
const CLIENTS = 5;
const COMMITS = 100;

interface Flag {
  readonly name: string;
}
interface Segment {
  readonly id: number;
}

/** Applies events as the SDK does, reconnects at random moments with the id it had. */
function createClient(url: string, random: Random) {
  const features = new Map<unknown, unknown>();
  const segments = new Map<unknown, unknown>();
  const ids: string[] = [];
  let current: Awaited<ReturnType<typeof openStream>> | null = null;
  let stopped = false;

  function apply(event: StreamEvent): void {
    const feature = event['feature'] as Flag;
    const segment = event['segment'] as Segment;
    if (event.type === 'feature-updated') features.set(feature.name, feature);
    if (event.type === 'feature-removed') features.delete(event['featureName']);
    if (event.type === 'segment-updated') segments.set(segment.id, segment);
    if (event.type === 'segment-removed') segments.delete(event['segmentId']);
    if (event.type !== 'hydration') return;
    features.clear();
    segments.clear();
    for (const one of event['features'] as Flag[]) features.set(one.name, one);
    for (const one of event['segments'] as Segment[]) segments.set(one.id, one);
  }

  async function run(): Promise<void> {
    while (!stopped) {
      try {
        // Now and then it has forgotten what it had, as the SDK does after an event it could not read.
        const lastEventId = random(3) === 0 ? undefined : ids.at(-1);
        current = await openStream(url, lastEventId === undefined ? {} : { lastEventId });
        if (stopped) current.abort.abort();
        for (;;) {
          const { id, events } = await current.next();
          for (const event of events) apply(event);
          ids.push(id);
          if (random(12) === 0) current.abort.abort();
        }
      } catch {
        // Cut by itself, or by the end of the test.
      }
    }
  }

  const running = run();
  return {
    ids,
    state: () => ({ features: [...features.values()], segments: [...segments.values()] }),
    async stop() {
      stopped = true;
      current?.abort.abort();
      await running;
    },
  };
}

function randomState(random: Random) {
  const flag = (i: number) => ({
    name: `f${i}`,
    enabled: random(2) === 0,
    strategies: [{ name: 'default', segments: [random(5)] }],
  });
  const some = (count: number) => Array.from({ length: count }, (_, i) => i).filter(() => random(4) > 0);
  const segments = some(5).map((id) => ({ id, name: `s${id}-${random(2)}`, constraints: [] }));
  return { features: some(30).map(flag), segments };
}

function byKey({ features, segments }: { features: readonly unknown[]; segments: readonly unknown[] }) {
  return [features, segments].map((list) => list.map((one) => JSON.stringify(one)).toSorted());
}

test.each([1, 2, 3])(
  'clients that come and go at random end with the table of the server (seed %d)',
  async (seed) => {
    const random = randomOf(seed);
    const { server, url } = await startServer();
    const clients = Array.from({ length: CLIENTS }, (_, i) => createClient(url, randomOf(100 * seed + i)));
    onTestFinished(async () => {
      await Promise.all(clients.map((client) => client.stop()));
    });
    for (let i = 0; i < COMMITS; i += 1) {
      server.replaceState(ENVIRONMENT, randomState(random));
      // Sometimes several commits in one tick, sometimes a while between them.
      if (random(3) > 0) await new Promise((resolve) => setTimeout(resolve, random(4)));
    }
    const wanted = byKey(server.table(ENVIRONMENT));
    for (const client of clients) {
      await until(() => JSON.stringify(byKey(client.state())) === JSON.stringify(wanted));
      const revisions = client.ids.map((id) => Number(id.split('.')[1]));
      expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
      expect(revisions.at(-1)).toBe(server.revision());
    }
  },
);

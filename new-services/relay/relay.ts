import type { Feed } from './feed.ts';

/** Drives the feeds of all services, each at its own pace. */
export interface Relay {
  /** Starts; resolves when every service has been brought up to date once. */
  start(): Promise<void>;
  /** Stops after the steps under way. */
  stop(): Promise<void>;
  status(): Readonly<Record<string, { readonly appliedTo: number | null; readonly failures: number }>>;
}

export interface RelayDeps {
  readonly feeds: readonly Feed[];
  /** Waits; returns early when the signal is aborted. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly log: (line: string) => void;
}

const POLL_MS = 50;
/** A service that was replaced by an empty one is noticed after so many polls without news. */
const IDLE_POLLS_MAX = 20;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2_000;

/** Each feed polls legacy every 50 ms and does work only when something was written; failures wait, longer each time. */
export function createRelay({ feeds, pause, log }: RelayDeps): Relay {
  const stopping = new AbortController();
  const failures = new Map<string, number>();
  let loops: readonly Promise<void>[] = [];

  async function run(feed: Feed, caughtUp: () => void): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    while (!stopping.signal.aborted) {
      try {
        await feed.step();
        caughtUp();
        retryMs = RETRY_MIN_MS;
        await idle(feed);
      } catch (error) {
        failures.set(feed.name, (failures.get(feed.name) ?? 0) + 1);
        log(`${feed.name}: ${error instanceof Error ? error.message : String(error)}`);
        await pause(retryMs, stopping.signal);
        retryMs = Math.min(RETRY_MAX_MS, retryMs * 2);
      }
    }
  }

  async function idle(feed: Feed): Promise<void> {
    for (let polls = 0; polls < IDLE_POLLS_MAX && feed.caughtUp(); polls += 1) {
      await pause(POLL_MS, stopping.signal);
      if (stopping.signal.aborted) return;
    }
  }

  async function start(): Promise<void> {
    const ready = feeds.map((feed) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      loops = [...loops, run(feed, resolve)];
      return promise;
    });
    await Promise.all(ready);
  }

  return {
    start,
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
    },
    status: () =>
      Object.fromEntries(
        feeds.map((feed) => [
          feed.name,
          { appliedTo: feed.appliedTo(), failures: failures.get(feed.name) ?? 0 },
        ]),
      ),
  };
}

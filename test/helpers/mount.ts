import { createHash } from 'node:crypto';
import type http from 'node:http';
import { onTestFinished } from 'vitest';
import type { Clock, Log, ShadowSink } from '../../router/core/ports.ts';
import type { FlagIntent, Observation, ShadowJob, SkipReason, Snapshot } from '../../router/core/types.ts';
import { createMountServer } from '../../router/mount/server.ts';
import { createMount, type Mount, type MountOptions } from '../../router/mount.ts';
import { realClock } from './clock.ts';
import { currentOf } from './current.ts';
import { createWatch } from './watch.ts';

interface LogLine {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A running server around a mount, and everything it told its neighbours. */
export interface MountedServer {
  readonly port: number;
  readonly mount: Mount;
  readonly server: http.Server;
  readonly observed: readonly Observation[];
  readonly eligible: readonly (readonly [group: string, skipped: SkipReason | null])[];
  readonly jobs: readonly ShadowJob[];
  readonly log: readonly LogLine[];
  swap(next: Snapshot): void;
  /** Resolves once `n` requests have ended. */
  ended(n: number): Promise<readonly Observation[]>;
  /** Resolves once `n` eligible requests have been accounted for. */
  accounted(n: number): Promise<readonly (readonly [string, SkipReason | null])[]>;
}

export interface MountedOptions {
  readonly snapshot: Snapshot;
  readonly intent?: FlagIntent;
  readonly options?: Partial<MountOptions>;
  readonly sink?: ShadowSink;
  readonly clock?: Clock;
}

const UNKNOWN: FlagIntent = { serve: 'unknown', shadow: 'unknown', cause: 'missing' };

/** First 32 hex digits of SHA-256, as everywhere. */
export function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 32);
}

/** A mount behind a `node:http` server on a free port; closed with the test. */
export async function mounted(given: MountedOptions): Promise<MountedServer> {
  const observed: Observation[] = [];
  const eligible: (readonly [string, SkipReason | null])[] = [];
  const jobs: ShadowJob[] = [];
  const log: LogLine[] = [];
  const watch = createWatch();
  const current = currentOf(given.snapshot);
  let ids = 0;
  const say =
    (level: keyof Log) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      log.push({ level, event, fields });
    };
  const mount = createMount(
    {
      current,
      flags: { read: () => given.intent ?? UNKNOWN },
      keyOf,
      shadow: given.sink ?? {
        busy: () => null,
        offer(job) {
          jobs.push(job);
          return null;
        },
      },
      recorder: {
        observed(observation) {
          observed.push(observation);
          watch.wake();
        },
        eligible(group, skipped) {
          eligible.push([group, skipped]);
          watch.wake();
        },
      },
      clock: given.clock ?? realClock,
      log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
      nextId: () => `test-${++ids}`,
    },
    { stopMs: 100, ...given.options },
  );
  mount.start();
  const server = createMountServer(mount);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await mount.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    mount,
    server,
    observed,
    eligible,
    jobs,
    log,
    swap: current.set,
    async ended(n) {
      await watch.until(() => observed.length >= n);
      return observed;
    },
    async accounted(n) {
      await watch.until(() => eligible.length >= n);
      return eligible;
    },
  };
}

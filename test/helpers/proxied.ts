import { onTestFinished } from 'vitest';
import type { DataPlaneDeps } from '../../router/core/accounts.ts';
import type { Clock, Log, Recorder, ShadowSink } from '../../router/core/ports.ts';
import type { FlagIntent, Observation, ShadowJob, SkipReason, Snapshot } from '../../router/core/types.ts';
import { PROXY_DEFAULTS, type ProxyOptions } from '../../router/proxy/options.ts';
import { createProxy, type Proxy } from '../../router/proxy/proxy.ts';
import { realClock } from './clock.ts';
import { currentOf } from './current.ts';
import { keyOf } from './mount.ts';
import { createWatch } from './watch.ts';

interface LogLine {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A listening data plane and everything it told its neighbours. */
export interface ProxiedServer {
  readonly port: number;
  readonly proxy: Proxy;
  readonly observed: readonly Observation[];
  readonly eligible: readonly (readonly [group: string, skipped: SkipReason | null])[];
  readonly jobs: readonly ShadowJob[];
  readonly log: readonly LogLine[];
  counts(): ReturnType<Proxy['counts']>;
  swap(next: Snapshot): void;
  /** New options for what begins from now on. */
  reconfigure(options: Partial<ProxyOptions>): void;
  /** Resolves once `n` requests have ended. */
  ended(n: number): Promise<readonly Observation[]>;
  /** Resolves once `n` eligible requests have been accounted for. */
  accounted(n: number): Promise<readonly (readonly [string, SkipReason | null])[]>;
}

export interface ProxiedOptions {
  readonly snapshot: Snapshot;
  readonly intent?: FlagIntent;
  readonly options?: Partial<ProxyOptions>;
  readonly sink?: ShadowSink;
  readonly clock?: Clock;
  /** Doubles that do something else than to keep what they are told. */
  readonly deps?: Partial<Pick<DataPlaneDeps, 'flags' | 'current' | 'keyOf' | 'nextId'>>;
  readonly recorder?: Recorder;
}

const UNKNOWN: FlagIntent = { serve: 'unknown', shadow: 'unknown', cause: 'missing' };

/** A proxy on a free port of this machine; drained with the test, within 100 ms. */
export async function proxied(given: ProxiedOptions): Promise<ProxiedServer> {
  const observed: Observation[] = [];
  const eligible: (readonly [string, SkipReason | null])[] = [];
  const jobs: ShadowJob[] = [];
  const log: LogLine[] = [];
  const watch = createWatch();
  const current = currentOf(given.snapshot);
  let options: ProxyOptions = { ...PROXY_DEFAULTS, ...given.options };
  let ids = 0;
  const say =
    (level: keyof Log) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      log.push({ level, event, fields });
    };
  const deps: DataPlaneDeps = {
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
        given.recorder?.observed(observation);
      },
      eligible(group, skipped) {
        eligible.push([group, skipped]);
        watch.wake();
        given.recorder?.eligible(group, skipped);
      },
    },
    clock: given.clock ?? realClock,
    log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    nextId: () => `test-${++ids}`,
    ...given.deps,
  };
  const proxy = createProxy(deps, options);
  const port = await proxy.listen({ host: '127.0.0.1', port: 0, reusePort: false });
  const reconfigure = (more: Partial<ProxyOptions>): void => {
    options = { ...options, ...more };
    proxy.reconfigure(options);
  };
  onTestFinished(async () => {
    reconfigure({ drainTunnelMs: 0, drainDeadlineMs: 0 });
    await proxy.drain();
  });

  return {
    port,
    proxy,
    observed,
    eligible,
    jobs,
    log,
    counts: () => proxy.counts(),
    swap: current.set,
    reconfigure,
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

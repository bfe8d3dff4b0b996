/** Everything that travels between the control process and a data-plane process. Plain data: it is cloned on the way. */
import type { FlagPush } from '../../flags/push.ts';
import type { BaselineCounts, ComparisonBatch, NoiseRow } from '../core/ports.ts';
import type { TrafficDelta } from '../core/tally.ts';
import type { Snapshot } from '../core/types.ts';
import type { ProxyOptions } from '../proxy/options.ts';
import type { ProxyCounts } from '../proxy/proxy.ts';

/** What a data plane counted since it was asked last, and what runs in it now. */
export interface PlaneCounts {
  readonly traffic: TrafficDelta;
  /** What its meter drained, and the layout it has; null: nothing changed. */
  readonly meter: { readonly layout: number; readonly changes: Float64Array } | null;
  readonly proxy: ProxyCounts;
  /** Copies that wait, and bytes of all copies. */
  readonly shadowQueue: ShadowQueue;
  /** How late its event loop is, 99th percentile of the last second. */
  readonly loopLagMs: number;
}

export interface ShadowQueue {
  readonly waiting: number;
  readonly bytes: number;
  /** Second calls to legacy since the start, by what became of them. */
  readonly baseline: BaselineCounts;
}

/** Of a data plane that compares nothing. */
export const NO_SHADOW_QUEUE: ShadowQueue = {
  waiting: 0,
  bytes: 0,
  baseline: { started: 0, judged: 0, lost: 0, shed: 0 },
};

/** All a data-plane process needs to begin. */
export interface WorkerSetup {
  /** 1, 2, 3 …; stands in its log lines. */
  readonly worker: number;
  readonly address: { readonly host: string; readonly port: number; readonly reusePort: boolean };
  readonly snapshot: Snapshot;
  readonly options: ProxyOptions;
  readonly flags: FlagPush | null;
  /** Of the flags, for constraints that name it. */
  readonly environment: string;
  /** Secret for digests of values; null: nothing is compared. */
  readonly digestKey: Uint8Array | null;
  /** What it knew of noise when it ended last. */
  readonly learned: readonly NoiseRow[];
  /** What to do when the control process is gone: serve on and obey this kill file, or (null) end. */
  readonly killFile: string | null;
}

export type ToWorker =
  /** First, once. */
  | { readonly kind: 'setup'; readonly setup: WorkerSetup }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'options'; readonly options: ProxyOptions }
  | { readonly kind: 'flags'; readonly push: FlagPush }
  /** Stop accepting, answer what is in flight, end. */
  | { readonly kind: 'drain' };

export type FromWorker =
  /** It listens. */
  | { readonly kind: 'ready'; readonly port: number; readonly revision: number }
  /** It cannot start, and ends. */
  | { readonly kind: 'failed'; readonly message: string; readonly code: string | null }
  /** A snapshot is in force; what was counted under the one before has been sent. */
  | { readonly kind: 'applied'; readonly revision: number }
  | { readonly kind: 'counts'; readonly counts: PlaneCounts }
  | { readonly kind: 'comparisons'; readonly batch: ComparisonBatch };

/** How often counts travel. A process that dies takes those of this time with it. */
export const COUNTS_EVERY_MS = 250;

import { setTimeout } from 'node:timers/promises';
import type { Applied, ComparisonBatch, Log, WorkerState } from '../core/ports.ts';
import type { Snapshot } from '../core/types.ts';
import type { ProxyOptions } from '../proxy/options.ts';
import type { PlaneCounts, ShadowQueue } from './messages.ts';

/** Where what the data planes report arrives. */
export interface Sinks {
  counts(counts: PlaneCounts): void;
  /** Throws when nothing could be kept. */
  comparisons(batch: ComparisonBatch): void;
}

/** The data planes as the control plane sees them: one in this process, or several in their own. */
export interface Planes {
  /** Resolves with the port once all of them answer. Rejects with the error of the first that cannot. */
  start(): Promise<number>;
  /** In force from the next request on: here at once, in other processes a message later. */
  swap(snapshot: Snapshot): void;
  /** Resolves once every running data plane has this revision or a later one, or the time is over. */
  applied(revision: number, withinMs: number): Promise<Applied>;
  /** Throws on bad TLS material; then nothing was changed. */
  reconfigure(options: ProxyOptions): void;
  /** Hands what is counted to the sinks, as far as that needs no waiting. */
  collect(): void;
  /** The same for what is compared. */
  flush(): void;
  /** Requests at the service of a group, as of the last counts. */
  inFlight(group: string): number;
  /** Of all of them. */
  shadowQueue(): ShadowQueue;
  /** Of the worst of them. */
  loopLagMs(): number;
  /** Empty: the data plane is this process. */
  workers(): readonly WorkerState[];
  /** Null: all of them answer. Otherwise what is missing, in words. */
  notReady(): string | null;
  /**
   * Goes on for `leadMs`, so that whoever asks for readiness can look elsewhere; then accepts nothing more, answers
   * what is in flight everywhere, and lets go of everything.
   */
  drain(leadMs: number): Promise<void>;
}

/** The first phase of a drain. */
export async function lead(leadMs: number, log: Log): Promise<void> {
  log.info('drain-leading', { leadMs });
  if (leadMs > 0) await setTimeout(leadMs);
  log.info('drain-closing');
}

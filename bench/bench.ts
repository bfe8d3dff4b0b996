import type { LoadOrder, LoadResult } from './load.ts';
import type { OpenLoopOrder } from './open-loop.ts';
import type { Options, SetName } from './options.ts';
import type { Processes } from './processes.ts';

/** What can be measured of a contestant, with its unit. */
export const METRICS = {
  requestsPerSecond: 'req/s',
  cpuUs: 'us CPU/req',
  p50Us: 'p50 us',
  p90Us: 'p90 us',
  p99Us: 'p99 us',
  p999Us: 'p99.9 us',
  maxUs: 'max us',
  mibPerSecond: 'MiB/s',
  rssGrowthMib: 'RSS growth MiB',
  idleConnections: 'idle connections',
  idleKib: 'RSS KiB/connection',
  copiedPercent: '% copied',
  comparedPercent: '% compared',
  socketsLeft: 'sockets left',
  updateMs: 'ms/update',
  evaluationUs: 'us/request',
  pairsPerSecond: 'pairs/s of CPU',
  pairMs: 'ms CPU/pair',
  generatorPercent: '% generator busy',
  othersPercent: '% others busy',
} as const;
export type Metric = keyof typeof METRICS;
export type Sample = Readonly<Partial<Record<Metric, number>>>;

/** One measurement of one contestant under one load. */
export interface Row {
  readonly set: SetName;
  /** The load: `64 connections, GET 1024`. */
  readonly scenario: string;
  readonly contestant: string;
  readonly round: number;
  readonly sample: Sample;
}

/** What a set works with. */
export interface Bench {
  readonly options: Options;
  readonly processes: Processes;
  /** A new empty folder, removed after the run. */
  folder(): string;
  log(text: string): void;
  record(row: Row): void;
}

/** One closed-loop run in a process of its own. Rejects when any answer was wrong. */
export async function load(bench: Bench, order: LoadOrder): Promise<LoadResult> {
  return JSON.parse(await bench.processes.script('load', 'load.ts', JSON.stringify(order)).said);
}

/** One open-loop run in a process of its own. Rejects when any answer was wrong or the rate could not be held. */
export async function openLoop(bench: Bench, order: OpenLoopOrder): Promise<LoadResult> {
  return JSON.parse(await bench.processes.script('load', 'open-loop.ts', JSON.stringify(order)).said);
}

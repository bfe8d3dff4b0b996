import type { Bench, Sample } from './bench.ts';
import { load } from './bench.ts';
import type { Body } from './body.ts';
import { type Contestant, type Origins, type Running, startScript } from './contestants.ts';
import { busyUs, cpuUs } from './cpu.ts';
import type { LoadOrder, LoadResult } from './load.ts';
import type { SetName } from './options.ts';
import { allowedCores } from './pinning.ts';

/** One kind of load. */
export interface Scenario {
  readonly name: string;
  warmUp(proxy: Running): Promise<void>;
  measure(proxy: Running): Promise<Sample>;
}

/** The servers behind the contestants. */
export interface Targets {
  readonly origins: Origins;
  /** Process ids. */
  readonly pids: readonly number[];
}

export async function startTargets(bench: Bench): Promise<Targets> {
  const target = await startScript(bench, 'target.ts');
  const copies = await startScript(bench, 'target.ts');
  return {
    origins: { target: originOf(target), copies: originOf(copies) },
    pids: [target, copies].flatMap(({ pid }) => (pid === null ? [] : [pid])),
  };
}

export function originOf({ port }: Running): string {
  return `http://127.0.0.1:${port}`;
}

/** Starts all that can take part, and says who cannot. */
export async function startAll(
  bench: Bench,
  contestants: readonly Contestant[],
  origins: Origins,
): Promise<ReadonlyMap<string, Running>> {
  const running = new Map<string, Running>();
  for (const { name, start } of contestants) {
    const started = await start(bench, origins);
    if ('leftOut' in started) bench.log(`${name}: ${started.leftOut}, left out`);
    else running.set(name, started);
  }
  return running;
}

/** Warms everybody up, then measures A B C, A B C: what the machine does meanwhile meets all of them. */
export async function sideBySide(
  bench: Bench,
  set: SetName,
  running: ReadonlyMap<string, Running>,
  scenarios: readonly Scenario[],
): Promise<void> {
  for (const { warmUp } of scenarios) for (const proxy of running.values()) await warmUp(proxy);
  for (let round = 1; round <= bench.options.rounds; round += 1)
    for (const scenario of scenarios)
      for (const [contestant, proxy] of running) {
        const sample = await scenario.measure(proxy);
        bench.record({ set, scenario: scenario.name, contestant, round, sample });
      }
}

/** GETs in a closed loop: every number of connections with every body. */
export function getScenarios(bench: Bench, targets: Targets, kind: 'get' | 'churn'): readonly Scenario[] {
  const { connections, bodies } = bench.options;
  return connections.flatMap((n) => bodies.map((body) => getScenario(bench, targets, kind, n, body)));
}

function getScenario(
  bench: Bench,
  targets: Targets,
  kind: 'get' | 'churn',
  connections: number,
  body: Body,
): Scenario {
  const { seconds } = bench.options;
  const order = (port: number, forSeconds: number): LoadOrder => ({
    port,
    connections,
    seconds: forSeconds,
    kind,
    body,
  });
  return {
    name: getName(connections, body),
    warmUp: async ({ port }) => {
      await load(bench, order(port, Math.min(2, seconds)));
    },
    measure: (proxy) => measureLoad(targets, proxy, () => load(bench, order(proxy.port, seconds))),
  };
}

/** The name of a scenario of GETs; budgets know it. */
export function getName(connections: number, body: Body): string {
  return `${connections} ${connections === 1 ? 'connection' : 'connections'}, GET ${body}`;
}

/**
 * CPU time of the contestant per request around a run of the generator. How busy generator and targets were is in
 * percent of one core; what everybody else on the machine took, in percent of all.
 */
export async function measureLoad(
  targets: Targets,
  proxy: Running,
  run: () => Promise<LoadResult>,
): Promise<Sample> {
  const spent = () => ({
    all: busyUs(),
    proxy: proxy.pid === null ? 0 : cpuUs(proxy.pid),
    targets: targets.pids.reduce((sum, pid) => sum + cpuUs(pid), 0),
  });
  const startedUs = performance.now() * 1_000;
  const before = spent();
  const result = await run();
  const after = spent();
  const wallUs = performance.now() * 1_000 - startedUs;
  const ours = result.cpuUs + after.targets - before.targets;
  const others = after.all - before.all - (after.proxy - before.proxy) - ours;
  const { requests, seconds, p50Us, p90Us, p99Us, p999Us, maxUs } = result;
  return {
    requestsPerSecond: requests / seconds,
    ...(proxy.pid === null ? {} : { cpuUs: (after.proxy - before.proxy) / requests }),
    p50Us,
    p90Us,
    p99Us,
    p999Us,
    maxUs,
    generatorPercent: ours / (seconds * 10_000),
    othersPercent: Math.max(0, (100 * others) / (wallUs * allowedCores().length)),
  };
}

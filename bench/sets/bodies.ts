import { type Bench, load } from '../bench.ts';
import { fig, nginx, type Running } from '../contestants.ts';
import { forgetPeak, memory } from '../cpu.ts';
import type { LoadOrder } from '../load.ts';
import {
  measureLoad,
  type Scenario,
  sideBySide,
  startAll,
  startTargets,
  type Targets,
} from '../side-by-side.ts';

const MIB = 1_048_576;
const CONNECTIONS = 4;
const SIZES_MIB = [1, 100] as const;

/** Large bodies, both ways: throughput, and how far the memory of the proxy has grown since before them. */
export async function bodies(bench: Bench): Promise<void> {
  const targets = await startTargets(bench);
  const running = await startAll(bench, [nginx, fig], targets.origins);
  const warmBytes = new Map<number, number>();
  const scenarios = SIZES_MIB.flatMap((mib) => [
    transfer(bench, targets, warmBytes, 'get', mib),
    transfer(bench, targets, warmBytes, 'upload', mib),
  ]);
  await sideBySide(bench, 'bodies', running, scenarios);
}

/** `warmBytes`: memory of each process before its first large body; growth counts from there, through all rounds. */
function transfer(
  bench: Bench,
  targets: Targets,
  warmBytes: Map<number, number>,
  kind: 'get' | 'upload',
  mib: number,
): Scenario {
  const { seconds } = bench.options;
  const order = (port: number): LoadOrder => ({
    port,
    connections: CONNECTIONS,
    seconds,
    kind,
    body: mib * MIB,
  });
  return {
    name: `${mib} MiB ${kind === 'get' ? 'down' : 'up'}`,
    // Small answers only: the buffers for large ones belong to what is measured.
    warmUp: async (proxy) => {
      const warm = { port: proxy.port, connections: CONNECTIONS, seconds: Math.min(2, seconds), body: 1_024 };
      await load(bench, { ...warm, kind: 'get' });
      const pid = proxyPid(proxy);
      warmBytes.set(pid, memory(pid).bytes);
    },
    measure: async (proxy) => {
      const pid = proxyPid(proxy);
      forgetPeak(pid);
      const sample = await measureLoad(targets, proxy, () => load(bench, order(proxy.port)));
      const { requestsPerSecond: _, ...rest } = sample;
      return {
        ...rest,
        mibPerSecond: (sample.requestsPerSecond ?? 0) * mib,
        rssGrowthMib: (memory(pid).peakBytes - (warmBytes.get(pid) ?? 0)) / MIB,
      };
    },
  };
}

function proxyPid({ pid }: Running): number {
  if (pid === null) throw new Error('this set needs a proxy');
  return pid;
}

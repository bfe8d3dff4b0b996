import { type Bench, load, type Sample } from '../bench.ts';
import { type Contestant, fig, figFlags, httpProxy, nginx, startScript } from '../contestants.ts';
import { memory } from '../cpu.ts';
import { pause } from '../processes.ts';
import { originOf } from '../side-by-side.ts';

const CONNECTIONS = 10_000;
/** Until memory of what is done is given back, as far as it is. */
const SETTLE_MS = 2_000;

/** Memory per kept connection that has nothing to do. Each contestant starts anew in every round. */
export async function idle(bench: Bench): Promise<void> {
  const target = originOf(await startScript(bench, 'target.ts'));
  for (let round = 1; round <= bench.options.rounds; round += 1)
    for (const contestant of [httpProxy, nginx, fig, figFlags]) {
      const sample = await hold(bench, contestant, target);
      if (sample === null) continue;
      const scenario = `${CONNECTIONS} idle connections`;
      bench.record({ set: 'idle', scenario, contestant: contestant.name, round, sample });
    }
}

async function hold(bench: Bench, { name, start }: Contestant, target: string): Promise<Sample | null> {
  const proxy = await start(bench, { target, copies: target });
  if ('leftOut' in proxy || proxy.pid === null) {
    bench.log(`${name}: ${'leftOut' in proxy ? proxy.leftOut : 'no process'}, left out`);
    return null;
  }
  const { port, pid } = proxy;
  const seconds = Math.min(2, bench.options.seconds);
  await load(bench, { port, connections: 64, seconds, kind: 'get', body: 1_024 });
  await pause(SETTLE_MS);
  const before = memory(pid).bytes;
  const { child, said } = bench.processes.script(
    'load',
    'idle.ts',
    JSON.stringify({ port, connections: CONNECTIONS }),
  );
  const { open }: { open: number } = JSON.parse(await said);
  await pause(SETTLE_MS);
  const after = memory(pid).bytes;
  await bench.processes.stop(child);
  await proxy.stop();
  return { idleConnections: open, idleKib: (after - before) / 1_024 / open };
}

import { type Bench, load, openLoop } from '../bench.ts';
import { figUp, startScript } from '../contestants.ts';
import { freePort } from '../processes.ts';
import {
  getName,
  measureLoad,
  originOf,
  type Scenario,
  sideBySide,
  startAll,
  startTargets,
} from '../side-by-side.ts';

const FAULTS = ['hung', 'refusing', 'resetting', 'endless', 'slow'] as const;
const CAPACITY_SHARE = 0.5;

/** What a sick shadow does to the answers of legacy: fig with the default limits, at half of what it manages without. */
export async function shadowFaults(bench: Bench): Promise<void> {
  const targets = await startTargets(bench);
  const setup = { share: 0, limits: null } as const;
  const contestants = [figUp('none', ({ copies }) => ({ ...setup, service: copies, shadow: 0 }))];
  for (const fault of FAULTS) {
    const service = await faultyOrigin(bench, fault);
    contestants.push(figUp(fault, () => ({ ...setup, service, shadow: 100 })));
  }
  const running = await startAll(bench, contestants, targets.origins);
  const none = running.get('none');
  if (none === undefined) throw new Error('fig did not start');
  const scenarios: Scenario[] = [];
  for (const connections of bench.options.connections)
    for (const body of bench.options.bodies) {
      const order = { connections, body, seconds: bench.options.seconds };
      const warm = { ...order, seconds: Math.min(2, order.seconds), kind: 'get' } as const;
      await load(bench, { ...warm, port: none.port });
      const { requests, seconds } = await load(bench, { ...order, kind: 'get', port: none.port });
      const perSecond = Math.ceil((CAPACITY_SHARE * requests) / seconds);
      bench.log(`${getName(connections, body)}: the fixed rate is ${perSecond} requests a second`);
      scenarios.push({
        name: `${getName(connections, body)}, fixed rate`,
        warmUp: async ({ port }) => {
          await load(bench, { ...warm, port });
        },
        measure: (proxy) =>
          measureLoad(targets, proxy, () => openLoop(bench, { ...order, port: proxy.port, perSecond })),
      });
    }
  await sideBySide(bench, 'shadow-faults', running, scenarios);
}

async function faultyOrigin(bench: Bench, fault: (typeof FAULTS)[number]): Promise<string> {
  if (fault === 'refusing') return `http://127.0.0.1:${await freePort()}`;
  return originOf(await startScript(bench, 'faulty.ts', fault));
}

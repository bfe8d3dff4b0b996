import type { Bench } from '../bench.ts';
import { fig, figFlags, httpProxy, nginx, type Running } from '../contestants.ts';
import { openSockets } from '../cpu.ts';
import { pause } from '../processes.ts';
import { getScenarios, type Scenario, sideBySide, startAll, startTargets } from '../side-by-side.ts';

/** How long a proxy may take to let go of connections that ended. */
const LET_GO_MS = 5_000;

/** A new connection for every request, and what is left of them. */
export async function churn(bench: Bench): Promise<void> {
  const targets = await startTargets(bench);
  const running = await startAll(bench, [httpProxy, nginx, fig, figFlags], targets.origins);
  const scenarios = getScenarios(bench, targets, 'churn').map(
    (scenario): Scenario => ({
      ...scenario,
      measure: async (proxy) => {
        const before = openSockets(proxy.port);
        const sample = await scenario.measure(proxy);
        return { ...sample, socketsLeft: await socketsLeft(proxy, before) };
      },
    }),
  );
  await sideBySide(bench, 'churn', running, scenarios);
}

/** Client connections more than `before`, once they are back or after five seconds. */
async function socketsLeft({ port }: Running, before: number): Promise<number> {
  const until = performance.now() + LET_GO_MS;
  for (;;) {
    const more = openSockets(port) - before;
    if (more <= 0 || performance.now() > until) return Math.max(0, more);
    await pause(100);
  }
}

import type { Bench } from '../bench.ts';
import { FRONT } from '../contestants.ts';
import { getScenarios, sideBySide, startAll, startTargets } from '../side-by-side.ts';

/** Proxies against each other, GETs over kept connections. */
export async function front(bench: Bench): Promise<void> {
  const targets = await startTargets(bench);
  const running = await startAll(bench, FRONT, targets.origins);
  await sideBySide(bench, 'front', running, getScenarios(bench, targets, 'get'));
}

import type { Bench } from '../bench.ts';
import { figWorkers } from '../contestants.ts';
import { getScenarios, sideBySide, startAll, startTargets } from '../side-by-side.ts';

/** `fig proxy` with one worker and with two. Nothing is pinned here. */
export async function workers(bench: Bench): Promise<void> {
  const targets = await startTargets(bench);
  const running = await startAll(bench, [figWorkers(1), figWorkers(2)], targets.origins);
  await sideBySide(bench, 'workers', running, getScenarios(bench, targets, 'get'));
}

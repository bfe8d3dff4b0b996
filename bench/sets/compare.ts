import type { Bench } from '../bench.ts';
import type { CompareCosts } from '../compare-costs.ts';

/** What a core manages of comparing alone, by kind of pair; a process per round. */
export async function compare(bench: Bench): Promise<void> {
  for (let round = 1; round <= bench.options.rounds; round += 1) {
    const script = bench.processes.script('proxy', 'compare-costs.ts', String(bench.options.seconds));
    const costs: CompareCosts = JSON.parse(await script.said);
    for (const [contestant, pairMs] of Object.entries(costs)) {
      const sample = { pairMs, pairsPerSecond: 1_000 / pairMs };
      bench.record({ set: 'compare', scenario: 'one pair after the other', contestant, round, sample });
    }
  }
}

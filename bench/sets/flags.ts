import type { Bench, Metric } from '../bench.ts';
import type { FlagCosts } from '../flag-costs.ts';

/** What 1,000 flags cost the event loop that answers traffic, and what each request pays; a process per round. */
export async function flags(bench: Bench): Promise<void> {
  for (let round = 1; round <= bench.options.rounds; round += 1) {
    const costs: FlagCosts = JSON.parse(await bench.processes.script('proxy', 'flag-costs.ts').said);
    const record = (scenario: string, metric: Metric, by: Readonly<Record<string, number>>): void => {
      for (const [contestant, value] of Object.entries(by))
        bench.record({ set: 'flags', scenario, contestant, round, sample: { [metric]: value } });
    };
    record('one of 1,000 flags changes', 'updateMs', costs.updateMs);
    record('both flags of one request', 'evaluationUs', costs.evaluationUs);
  }
}

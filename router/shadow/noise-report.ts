/** What the noise models of a group say, for people and for whoever weighs evidence. */
import { createNoiseModel } from '../core/noise/model.ts';
import { lookBefore, NOISE_POLICY, worstOf } from '../core/noise/path-verdict.ts';
import type { GroupNoise, NoiseRow } from '../core/ports.ts';
import { unpack } from './noise-book.ts';

/** `rows`: those of every data plane, for one build and one set of rules. Null: there are none. */
export function groupNoise(at: number, rows: readonly NoiseRow[]): GroupNoise | null {
  const [first] = rows;
  if (first === undefined) return null;
  const reports = rows.length === 1 ? first.reports : merged(rows);
  const { group, build, rules } = first;
  const triples = rows.reduce((sum, row) => sum + row.triples, 0);
  const verdicts = reports.map((report) => report.verdict);
  // That nothing has differed yet says little before the first look.
  const verdict = worstOf(lookBefore(triples) === null ? [...verdicts, 'UNKNOWN'] : verdicts);
  const flaggedItself = Math.max(...rows.map((row) => row.flaggedItself));
  return { group, build, rules, triples, at, reports, verdict, flaggedItself };
}

/** A model that only reads: nothing is folded, so it needs no digest. */
function merged(rows: readonly NoiseRow[]): NoiseRow['reports'] {
  const model = createNoiseModel({ policy: NOISE_POLICY, digest: () => 0, toleranceMs: 0 });
  for (const { content } of rows) {
    const read = unpack(content);
    if (read !== null) model.merge(read);
  }
  return model.reports();
}

/**
 * Mutants without end: `npm run fuzz`. FUZZ_SEED (default: the time) and FUZZ_COUNT (default: 1,000,000) as numbers.
 * Every difference is minimised and appended to `test/conformance/found.json`; exit 1 if there was one.
 */
import { writeFileSync } from 'node:fs';
import { corpusSeeds, FOUND_FILE, foundSeeds, type Seed } from './corpus.ts';
import { differences, minimised } from './differ.ts';
import { mutants } from './mutants.ts';

const SEED_BYTES_MAX = 2_048;
const ROUND = 20_000;
const FINDS_MAX = 20;

async function main(seed: number, count: number): Promise<number> {
  console.log(`FUZZ_SEED=${seed} FUZZ_COUNT=${count}`);
  const found = foundSeeds();
  let finds = 0;
  let done = 0;
  let round: Seed[] = [];
  const flush = async (): Promise<void> => {
    for (const difference of await differences(round)) {
      if (finds >= FINDS_MAX) break;
      const least = await minimised(difference);
      if (found.some(({ bytes }) => bytes === least.seed.bytes)) continue;
      finds += 1;
      const { side, method, bytes } = least.seed;
      found.push({ id: `FUZZ-${seed}-${finds}`, side, method, bytes, note: least.note });
      console.log(`${least.note}: ${JSON.stringify(bytes)}`);
      writeFileSync(FOUND_FILE, `${JSON.stringify(found, null, 1)}\n`);
    }
    done += round.length;
    round = [];
    console.log(`${done} mutants, ${finds} finds`);
  };
  for (const mutant of mutants(seed, count, [...corpusSeeds(), ...found], SEED_BYTES_MAX)) {
    round.push(mutant);
    if (round.length === ROUND) await flush();
    if (finds >= FINDS_MAX) break;
  }
  await flush();
  return finds === 0 ? 0 : 1;
}

process.exitCode = await main(
  Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32),
  Number(process.env['FUZZ_COUNT'] ?? 1_000_000),
);

/**
 * `npm run verify`: legacy against itself with everything on that makes its answers differ (20,000 requests asked three
 * times, no rules) must show no regression; each planted fault must be a cause of its own within 2,000, and nothing
 * else. Prints what it found; exits 1 when that is not so. `node test/aa/verify.ts PAIRS FAULT-PAIRS SEED` for others.
 */
import { openStack } from '../new-services/open-stack.ts';
import type { Driven } from './drive.ts';
import { againstItself, FAULTS, regressions, withFault } from './shop.ts';

const [pairs = 20_000, faultPairs = 2_000, seed = 1] = process.argv.slice(2).map(Number);
let wrong = 0;

function say(good: boolean, what: string, { counts, seconds, pairs: asked }: Driven): void {
  if (!good) wrong += 1;
  const rate = Math.round(asked / seconds);
  const { same, ignored, different } = counts;
  console.log(
    `${good ? 'ok  ' : 'FAIL'} ${what}: ${asked} pairs in ${seconds.toFixed(1)} s (${rate}/s), ${same} same, ${ignored} ignored, ${different} different`,
  );
}

const stack = await openStack();
const itself = await againstItself(stack, pairs, seed);
say(regressions(itself).length === 0, 'legacy against itself', itself);
for (const { group, verdict, triples, reports } of itself.noise) {
  console.log(`     ${group}: ${verdict} after ${triples}`);
  for (const { route, template, kind, verdict: path, n, both, b, c } of reports)
    console.log(`       ${path} ${route} ${template} ${kind}: both ${both}, b ${b}, c ${c} of ${n}`);
}
for (const fault of FAULTS) {
  const { id, driven, found, alarms } = await withFault(stack, fault, faultPairs, seed);
  say(found && alarms.length === 0, id, driven);
  if (!found) console.log('     not found');
  for (const alarm of alarms) console.log(`     beside it: ${alarm}`);
  for (const { route, template, kind, n, b } of regressions(driven))
    console.log(`     REGRESSION ${route} ${template} ${kind}: ${b} of ${n}`);
}
await stack.close();
process.exitCode = wrong === 0 ? 0 : 1;

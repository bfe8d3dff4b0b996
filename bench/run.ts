/**
 * Proxies side by side; the order of work. Options, sets, and what the numbers mean and do not mean: bench/README.md.
 * Exit code 1: a wrong answer, or with `--check` a budget that was missed or not measured.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Bench, Row } from './bench.ts';
import { judge, type Verdict } from './budgets.ts';
import { versionOf } from './contestants.ts';
import { type Options, readOptions, type SetName } from './options.ts';
import { allowedCores, choosePinning, hasTaskset, type Pinning, unpinned } from './pinning.ts';
import { createProcesses } from './processes.ts';
import { tables } from './report.ts';
import { bodies } from './sets/bodies.ts';
import { churn } from './sets/churn.ts';
import { compare } from './sets/compare.ts';
import { flags } from './sets/flags.ts';
import { front } from './sets/front.ts';
import { idle } from './sets/idle.ts';
import { shadow } from './sets/shadow.ts';
import { shadowFaults } from './sets/shadow-faults.ts';
import { workers } from './sets/workers.ts';

const SETS: Readonly<Record<SetName, (bench: Bench) => Promise<void>>> = {
  front,
  shadow,
  'shadow-faults': shadowFaults,
  workers,
  bodies,
  idle,
  churn,
  flags,
  compare,
};

const options = readOptions(process.argv.slice(2));
const pinning = choosePinning(allowedCores(), hasTaskset());
const machine = {
  node: process.version,
  nginx: versionOf('nginx'),
  haproxy: versionOf('haproxy'),
  kernel: os.release(),
  cpu: os.cpus()[0]?.model ?? null,
  cores: allowedCores().length,
};
const rows: Row[] = [];

console.log(JSON.stringify(machine));
for (const set of options.sets)
  await runSet(set, set === 'workers' ? unpinned('nothing is pinned') : pinning);
const verdicts = judge(rows, machine.cores);
console.log(`\nmedian [min-max] of ${options.rounds} x ${options.seconds} s\n\n${tables(rows)}\n`);
for (const { verdict, text, value } of verdicts)
  console.log(`${verdict}: ${text}, is ${value === null ? 'unknown' : value.toFixed(2)}`);
console.log(`\nwritten: ${path.relative(process.cwd(), written(verdicts, options))}`);
if (options.check && verdicts.some(({ verdict }) => verdict === 'missed' || verdict === 'not measured'))
  process.exitCode = 1;

/** One set with processes and a folder of its own, both gone after it. */
async function runSet(set: SetName, where: Pinning): Promise<void> {
  console.log(`${set}: ${where.text}`);
  const processes = createProcesses(where);
  const temporary = mkdtempSync(path.join(os.tmpdir(), 'fig-bench-'));
  const folder = (): string => mkdtempSync(path.join(temporary, 'contestant-'));
  const record = (row: Row): void => {
    rows.push(row);
    console.log(`round ${row.round} ${row.scenario} ${row.contestant} ${JSON.stringify(row.sample)}`);
  };
  const clear = async (): Promise<void> => {
    await processes.stopAll();
    rmSync(temporary, { recursive: true, force: true });
  };
  const interrupted = (): void => {
    void clear().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    await SETS[set]({ options, processes, folder, log: console.log, record });
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await clear();
  }
}

/** The file with everything that was measured. */
function written(verdicts: readonly Verdict[], options: Options): string {
  const folder = path.join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${new Date().toISOString().replaceAll(':', '-')}.json`);
  const result = { machine, pinning: pinning.text, options, verdicts, rows };
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
}

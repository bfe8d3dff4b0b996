/** Proxy cases: `fig proxy` as a process, told everything on its command line, between raw sockets. */
import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { launchFig, readyOf } from '../helpers/fig-process.ts';
import { freePort } from '../helpers/free-port.ts';
import type { CaseResult } from './cases.ts';

interface ProxyCase {
  readonly id: string;
  /** What the proxy must be set up for, comma-separated. */
  readonly needs?: string;
  readonly expect: { readonly summary?: string; readonly anyOf: readonly unknown[] };
}

/** What the runner says of a case. */
interface Verdict {
  readonly id: string;
  readonly verdict: 'PASS' | 'FAIL' | 'FAIL-INV' | 'SKIP';
  /** Statuses the client saw. */
  readonly client?: string;
  readonly why?: readonly string[];
  /** Rules that hold for every case. */
  readonly inv?: readonly string[];
}

const RUNNER = join(import.meta.dirname, 'proxy-runner.mjs');
const HAVE = 'xff,timeout,routes,slow,bodyLimit';
/** The cases wait 4 s for these timeouts, and for a limit below 99,999,999,999. */
const OPTIONS = [
  ...['--upstream-head-ms', '3000', '--upstream-body-idle-ms', '3000'],
  ...['--request-body-bytes-max', '1073741824'],
];
/** Runners side by side, each with a proxy of its own: most of a case is waiting. */
const SHARDS = { slow: 2, quick: 3 };

/**
 * Runs every case of a parsed file; throws TypeError when it is not a list of proxy cases. A proxy that ends before
 * its cases do is a failure of its own, named `process`.
 */
export async function runProxyCases(file: unknown): Promise<readonly CaseResult[]> {
  if (!Array.isArray(file) || !file.every(isCase)) throw new TypeError('not a list of proxy cases');
  const isSlow = ({ needs = '' }: ProxyCase): boolean => needs.split(',').includes('slow');
  const slow = file.filter(isSlow);
  const quick = file.filter((each) => !isSlow(each));
  const shards = [...deal(slow, SHARDS.slow), ...deal(quick, SHARDS.quick)];
  const runs = await Promise.all(shards.map(runShard));
  const verdicts = new Map(runs.flatMap((run) => run.verdicts.map((verdict) => [verdict.id, verdict])));
  return [
    ...file.map((each) => ({ id: each.id, failure: failureOf(each, verdicts.get(each.id)) })),
    ...runs.flatMap(({ death }) =>
      death === null ? [] : [{ id: 'process', failure: { expected: 'the proxy lives', got: death } }],
    ),
  ];
}

function isCase(value: unknown): value is ProxyCase {
  if (typeof value !== 'object' || value === null) return false;
  return 'id' in value && 'upstreamBehaviour' in value && 'expect' in value;
}

/** Into at most `hands` lists, none of them empty. */
function deal<T>(items: readonly T[], hands: number): readonly (readonly T[])[] {
  return Array.from({ length: hands }, (_, hand) => items.filter((_, i) => i % hands === hand)).filter(
    (list) => list.length > 0,
  );
}

async function runShard(
  cases: readonly ProxyCase[],
): Promise<{ readonly verdicts: readonly Verdict[]; readonly death: string | null }> {
  const legacyPort = await freePort();
  const legacy = `http://127.0.0.1:${legacyPort}`;
  const child = launchFig(['proxy', '--legacy', legacy, '--listen', '127.0.0.1:0', ...OPTIONS]);
  const folder = await mkdtemp(join(tmpdir(), 'fig-cases-'));
  try {
    const { traffic } = await readyOf(child);
    const [file, out] = [join(folder, 'cases.json'), join(folder, 'verdicts.json')];
    await writeFile(file, JSON.stringify(cases));
    const ports = [new URL(traffic).port, String(legacyPort)];
    const options = ['--have', HAVE, '--via', 'fig', '--cases', file, '--json', out, '-q'];
    await promisify(execFile)(process.execPath, [RUNNER, ...ports, ...options]);
    return { verdicts: JSON.parse(await readFile(out, 'utf8')), death: deathOf(child) };
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  }
}

function deathOf({ exitCode, signalCode }: ChildProcess): string | null {
  if (exitCode === null && signalCode === null) return null;
  return `it ended with ${exitCode ?? signalCode}`;
}

function failureOf(each: ProxyCase, verdict: Verdict | undefined): CaseResult['failure'] {
  if (verdict?.verdict === 'PASS') return null;
  const expected = each.expect.summary ?? JSON.stringify(each.expect.anyOf);
  if (verdict === undefined) return { expected, got: 'not run' };
  const { client = 'nothing', why = [], inv = [] } = verdict;
  return { expected, got: [`client ${client}`, ...why, ...inv].join('; ') };
}

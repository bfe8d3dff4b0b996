import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Bench } from './bench.ts';
import type { LeftOut, Running } from './contestants.ts';
import { freePort, pidOf } from './processes.ts';

const FIG = path.join(import.meta.dirname, '..', 'cli', 'fig.js');

/** How the group of all benched routes stands. */
export interface GroupSetup {
  /** Origin of the service. */
  readonly service: string;
  /** Percent of users the service answers; 0: the group is not in canary. */
  readonly share: number;
  /** Percent of users whose requests are copied and compared. */
  readonly shadow: number;
  /** Limits of the copies; null: the defaults. */
  readonly limits: {
    readonly perSecondMax: number;
    readonly inFlightMax: number;
    readonly baseline?: { readonly rate?: number; readonly perSecondMax: number };
  } | null;
}

/** What `fig status` says of copies, since the start. */
export interface CopyCounts {
  readonly eligible: number;
  readonly compared: number;
}

/** `fig proxy`; left out when more than one worker is asked for and it has no `--workers`. Null: its default. */
export async function startFigProxy(
  bench: Bench,
  origin: string,
  workers: number | null,
): Promise<Running | LeftOut> {
  const known = workers !== null && run(['proxy', '--help']).includes('--workers');
  if (workers !== null && workers > 1 && !known) return { leftOut: 'this fig proxy has no --workers' };
  const more = known ? ['--workers', String(workers)] : [];
  const port = await freePort();
  const args = [FIG, 'proxy', '--legacy', origin, '--listen', `127.0.0.1:${port}`, ...more];
  const { child, said } = bench.processes.start('proxy', process.execPath, args, { FIG_LOG_LEVEL: 'silent' });
  await said;
  return { port, pid: pidOf(child), stop: () => bench.processes.stop(child) };
}

/** `fig up` with one group for all benched routes; its users are told apart by the cookie `session`. */
export async function startFigUp(bench: Bench, legacy: string, setup: GroupSetup): Promise<Running> {
  const folder = path.join(bench.folder(), 'fig');
  mkdirSync(folder);
  const file = path.join(folder, 'fig.config.json');
  writeFileSync(file, JSON.stringify(configOf(legacy, setup)));
  const started = bench.processes.start('proxy', process.execPath, [FIG, 'up', '--config', file], {
    FIG_LOG_LEVEL: 'silent',
  });
  const { traffic }: { traffic: string } = JSON.parse(await started.said);
  const data = ['--data', path.join(folder, '.fig')];
  if (setup.shadow > 0 || setup.share > 0)
    run(['shadow', 'bench', 'on', '--sample', `${setup.shadow || 100}%`, ...data]);
  if (setup.share > 0) run(['shift', 'bench', `${setup.share}%`, ...data]);
  if (setup.share > 0 && setup.shadow === 0) run(['shadow', 'bench', 'off', ...data]);
  return {
    port: Number(new URL(traffic).port),
    pid: pidOf(started.child),
    stop: () => bench.processes.stop(started.child),
    copies: () => copyCounts(run(['status', 'bench', '--json', ...data])),
  };
}

function configOf(legacy: string, { service, limits }: GroupSetup) {
  return {
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    flags: { embedded: { listen: '127.0.0.1:0' } },
    legacy,
    services: { bench: service },
    groups: {
      bench: {
        service: 'bench',
        routes: ['GET /bench/:body'],
        unit: [{ cookie: 'session' }],
        ...(limits === null ? {} : { shadow: limits }),
      },
    },
  };
}

function copyCounts(json: string): CopyCounts {
  const reply: { data: { groups: { comparisons: Record<string, number> }[] } } = JSON.parse(json);
  const { eligible = 0, same = 0, ignored = 0, different = 0 } = reply.data.groups[0]?.comparisons ?? {};
  return { eligible, compared: same + ignored + different };
}

/** A short command of fig; what it printed. Throws when it fails. */
function run(args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [FIG, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`fig ${args.join(' ')} ended with ${status}: ${stderr || stdout}`);
  return stdout;
}

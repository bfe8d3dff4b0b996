import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Bench } from './bench.ts';
import { type CopyCounts, type GroupSetup, startFigProxy, startFigUp } from './fig.ts';
import { haproxyConfig } from './haproxy.ts';
import { nginxConfig } from './nginx.ts';
import { accepting, freePort, pidOf } from './processes.ts';

export interface Running {
  readonly port: number;
  /** Processes whose CPU time and memory count: this one and its descendants. Null: nothing stands in between. */
  readonly pid: number | null;
  stop(): Promise<void>;
  /** Only of contestants that compare. */
  copies?(): CopyCounts;
}

/** Why a contestant does not take part. */
export interface LeftOut {
  readonly leftOut: string;
}

/** Origins of the target and of the one that gets copies. */
export interface Origins {
  readonly target: string;
  readonly copies: string;
}

export interface Contestant {
  readonly name: string;
  start(bench: Bench, origins: Origins): Promise<Running | LeftOut>;
}

/** As high as the configuration allows: what is measured shall be copies made, not copies refused. */
const LIMITS_MAX = { perSecondMax: 100_000, inFlightMax: 64 } as const;

const direct: Contestant = {
  name: 'direct',
  start: async (_, { target }) => ({ port: Number(new URL(target).port), pid: null, stop: async () => {} }),
};

export const httpProxy: Contestant = {
  name: 'http-proxy',
  start: (bench, { target }) => startScript(bench, 'http-proxy.ts', target),
};

export const nginx: Contestant = {
  name: 'nginx',
  start: (bench, { target }) => startNginx(bench, target, null),
};

export const nginxMirror: Contestant = {
  name: 'nginx-mirror',
  start: (bench, { target, copies }) => startNginx(bench, target, copies),
};

const haproxy: Contestant = {
  name: 'haproxy',
  start: (bench, { target }) => startHaproxy(bench, target),
};

export const fig: Contestant = {
  name: 'fig',
  start: (bench, { target }) => startFigProxy(bench, target, null),
};

export const figFlags = figUp('fig-flags', ({ target }) => ({
  service: target,
  share: 50,
  shadow: 0,
  limits: null,
}));

export const figShadow = figUp('fig-shadow', ({ copies }) => ({
  service: copies,
  share: 0,
  shadow: 100,
  limits: LIMITS_MAX,
}));

/** Legacy is never asked a second time. */
export const figShadowOnce = figUp('fig-shadow-once', ({ copies }) => ({
  service: copies,
  share: 0,
  shadow: 100,
  limits: { ...LIMITS_MAX, baseline: { perSecondMax: 0 } },
}));

/** Legacy is asked a second time as often as the configuration allows. */
export const figShadowTwice = figUp('fig-shadow-twice', ({ copies }) => ({
  service: copies,
  share: 0,
  shadow: 100,
  limits: { ...LIMITS_MAX, baseline: { rate: 1, perSecondMax: 1_000 } },
}));

export const FRONT: readonly Contestant[] = [direct, httpProxy, nginx, haproxy, fig, figFlags];

export function figWorkers(workers: number): Contestant {
  return {
    name: `fig-${workers}`,
    start: (bench, { target }) => startFigProxy(bench, target, workers),
  };
}

/** `fig up`, with its group as `setup` says. */
export function figUp(name: string, setup: (origins: Origins) => GroupSetup): Contestant {
  return { name, start: (bench, origins) => startFigUp(bench, origins.target, setup(origins)) };
}

/** A script of this folder that prints its port. */
export async function startScript(bench: Bench, file: string, ...args: readonly string[]): Promise<Running> {
  const role = file === 'http-proxy.ts' ? 'proxy' : 'target';
  const { child, said } = bench.processes.script(role, file, ...args);
  const { port }: { port: number } = JSON.parse(await said);
  return { port, pid: pidOf(child), stop: () => bench.processes.stop(child) };
}

/** First line of what a program says of its version; null when it is not installed. */
export function versionOf(program: 'nginx' | 'haproxy'): string | null {
  const { error, stdout, stderr } = spawnSync(program, ['-v'], { encoding: 'utf8' });
  return error === undefined ? ((stdout + stderr).split('\n')[0] ?? '') : null;
}

async function startNginx(bench: Bench, target: string, mirror: string | null): Promise<Running | LeftOut> {
  const hostOf = (origin: string): string => new URL(origin).host;
  const config = (folder: string, port: number): string =>
    nginxConfig({ folder, port, target: hostOf(target), mirror: mirror === null ? null : hostOf(mirror) });
  return startPeer(bench, 'nginx', config, (folder, file) => ['-p', folder, '-c', file]);
}

async function startHaproxy(bench: Bench, target: string): Promise<Running | LeftOut> {
  const config = (_: string, port: number): string => haproxyConfig(port, new URL(target).host);
  return startPeer(bench, 'haproxy', config, (_, file) => ['-db', '-f', file]);
}

async function startPeer(
  bench: Bench,
  program: 'nginx' | 'haproxy',
  config: (folder: string, port: number) => string,
  args: (folder: string, file: string) => readonly string[],
): Promise<Running | LeftOut> {
  if (versionOf(program) === null) return { leftOut: `${program} is not installed` };
  const folder = bench.folder();
  const file = path.join(folder, `${program}.conf`);
  const port = await freePort();
  writeFileSync(file, config(folder, port));
  const { child } = bench.processes.start('proxy', program, args(folder, file));
  await accepting(port);
  return { port, pid: pidOf(child), stop: () => bench.processes.stop(child) };
}

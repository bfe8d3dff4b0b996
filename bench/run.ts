/**
 * Proxies side by side: `node bench/run.ts [--set front|shadow-faults] [--seconds 10] [--rounds 5] [--connections 16]
 * [--body 1024]`. `front` compares proxies; `shadow-faults` compares ours with itself while a copy of every request it
 * has room for goes to a service that is hung, refusing, resetting, endless or slow. Every contestant is a process (or several) of its own; rounds are interleaved; any wrong answer fails the run. What
 * the numbers mean and do not mean: bench/README.md.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

interface Running {
  readonly port: number;
  /** Processes whose CPU time counts: this one and its children. Null: nothing stands in between. */
  readonly pid: number | null;
}

interface Contestant {
  readonly name: string;
  start(origin: string): Promise<Running | null>;
}

interface Round {
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const { values } = parseArgs({
  options: {
    set: { type: 'string', default: 'front' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '16' },
    body: { type: 'string', default: '1024' },
  },
});
const seconds = positive('seconds', values.seconds);
const rounds = positive('rounds', values.rounds);
const connections = positive('connections', values.connections);
const bodyBytes = positive('body', values.body);

const here = import.meta.dirname;
const root = path.dirname(here);
const children: ChildProcess[] = [];
const temporary = mkdtempSync(path.join(os.tmpdir(), 'fig-bench-'));
/** Kernel ticks of /proc/PID/stat: USER_HZ is 100 on every Linux that node supports. */
const US_PER_TICK = 10_000;

/** What a shadowed service does with a connection. Null: nobody listens. */
const FAULTS: Readonly<Record<string, ((socket: net.Socket) => void) | null>> = {
  hung: () => undefined,
  refusing: null,
  resetting: (socket) => socket.once('data', () => socket.resetAndDestroy()),
  endless: (socket) => socket.once('data', () => pour(socket)),
  slow: (socket) => socket.once('data', () => drip(socket)),
};

const SETS: Readonly<Record<string, readonly Contestant[]>> = {
  front: [
    { name: 'direct', start: async (origin) => ({ port: Number(new URL(origin).port), pid: null }) },
    { name: 'http-proxy', start: (origin) => script('http-proxy.ts', origin) },
    { name: 'nginx', start: startNginx },
    { name: 'fig', start: startFig },
  ],
  'shadow-faults': [
    { name: 'fig', start: (origin) => startShadowed(origin, 'none') },
    ...Object.keys(FAULTS).map((fault) => ({
      name: fault,
      start: (origin: string) => startShadowed(origin, fault),
    })),
  ],
};
const contestants = SETS[values.set];
if (contestants === undefined)
  throw new RangeError(`--set must be one of ${Object.keys(SETS).join(', ')}, is ${values.set}`);

try {
  await main();
} finally {
  await Promise.all(children.map(ended));
  rmSync(temporary, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const target = await script('target.ts', String(bodyBytes));
  const origin = `http://127.0.0.1:${target.port}`;
  const running = new Map<string, Running>();
  for (const { name, start } of contestants ?? []) {
    const started = await start(origin);
    if (started === null) console.log(`${name}: not installed, left out`);
    else running.set(name, started);
  }
  for (const { port } of running.values()) await load(port, Math.min(2, seconds));
  const measured = new Map<string, Round[]>([...running.keys()].map((name) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, proxy] of running) {
      const result = await measure(proxy);
      measured.get(name)?.push(result);
      console.log(`round ${round} ${name.padEnd(10)} ${JSON.stringify(result)}`);
    }
  }
  report(measured);
}

async function measure({ port, pid }: Running): Promise<Round> {
  const before = pid === null ? 0 : cpuUs(pid);
  const result = await load(port, seconds);
  const after = pid === null ? 0 : cpuUs(pid);
  return {
    requestsPerSecond: Math.round(result.requests / result.seconds),
    cpuUsPerRequest: (after - before) / result.requests,
    p50Us: Math.round(result.p50Us),
    p99Us: Math.round(result.p99Us),
  };
}

/** One load run in its own process; throws when any answer was wrong. */
async function load(port: number, forSeconds: number) {
  const child = node('load.ts', String(port), String(connections), String(forSeconds), String(bodyBytes));
  const line = await firstLine(child);
  if (line === null) throw new Error(`a wrong answer on port ${port}: the run does not count`);
  const { requests, seconds: took, p50Us, p99Us }: Record<string, number> = JSON.parse(line);
  return { requests: requests ?? 0, seconds: took ?? 0, p50Us: p50Us ?? 0, p99Us: p99Us ?? 0 };
}

/** User and system time of a process and its descendants, microseconds. */
function cpuUs(pid: number): number {
  const parents = new Map<number, number>();
  const ticks = new Map<number, number>();
  for (const entry of readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)) {
    const stat = statOf(entry);
    if (stat === null) continue;
    parents.set(entry, stat.parent);
    ticks.set(entry, stat.ticks);
  }
  const belongs = (of: number): boolean => {
    for (let at = of; at > 1; at = parents.get(at) ?? 0) if (at === pid) return true;
    return false;
  };
  return [...ticks].reduce((sum, [of, spent]) => (belongs(of) ? sum + spent * US_PER_TICK : sum), 0);
}

/** Null: the process ended meanwhile. */
function statOf(pid: number): { parent: number; ticks: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in brackets may hold anything, brackets and spaces too.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return null;
  }
}

async function startFig(origin: string): Promise<Running> {
  const cli = path.join(root, 'cli', 'fig.js');
  const port = await freePort();
  const child = start(process.execPath, [cli, 'proxy', '--legacy', origin, '--listen', `127.0.0.1:${port}`]);
  if ((await firstLine(child)) === null) throw new Error('fig proxy did not start');
  return { port, pid: child.pid ?? null };
}

/** `fig up` with every request of the bench in one group, shadowed to a service with that fault (`none`: not shadowed). */
async function startShadowed(origin: string, fault: string): Promise<Running> {
  const folder = path.join(temporary, fault);
  mkdirSync(folder);
  const config = {
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    flags: { embedded: { listen: '127.0.0.1:0' } },
    legacy: origin,
    services: { bench: `http://127.0.0.1:${await faultyPort(fault)}` },
    groups: { bench: { service: 'bench', routes: ['GET /bench'], unit: [{ header: 'host' }] } },
  };
  writeFileSync(path.join(folder, 'fig.config.json'), JSON.stringify(config));
  const cli = path.join(root, 'cli', 'fig.js');
  const child = start(process.execPath, [cli, 'up', '--config', path.join(folder, 'fig.config.json')], {
    FIG_LOG_LEVEL: 'silent',
  });
  const line = await firstLine(child);
  if (line === null) throw new Error('fig up did not start');
  const { traffic }: { traffic: string } = JSON.parse(line);
  if (fault !== 'none') {
    const { status } = spawnSync(process.execPath, [
      cli,
      'shadow',
      'bench',
      'on',
      '--data',
      path.join(folder, '.fig'),
    ]);
    if (status !== 0) throw new Error(`fig shadow ended with ${status}`);
  }
  return { port: Number(new URL(traffic).port), pid: child.pid ?? null };
}

async function faultyPort(fault: string): Promise<number> {
  const behave = FAULTS[fault];
  if (behave === undefined || behave === null) return freePort();
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    behave(socket);
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A body without end, as fast as it is read. */
function pour(socket: net.Socket): void {
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  const more = (): void => {
    while (!socket.destroyed && socket.write('x'.repeat(16_384)));
  };
  socket.on('drain', more);
  more();
}

/** One byte every 100 ms. */
function drip(socket: net.Socket): void {
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
  const timer = setInterval(() => socket.write('x'), 100);
  socket.once('close', () => clearInterval(timer));
}

async function startNginx(origin: string): Promise<Running | null> {
  if (spawnSync('nginx', ['-v']).error !== undefined) return null;
  const port = await freePort();
  const file = path.join(temporary, 'nginx.conf');
  writeFileSync(file, nginxConfig(origin, port));
  const child = start('nginx', ['-p', temporary, '-c', file]);
  await accepting(port);
  return { port, pid: child.pid ?? null };
}

function nginxConfig(origin: string, port: number): string {
  return `daemon off;
worker_processes 1;
pid ${temporary}/nginx.pid;
error_log stderr crit;
events { worker_connections 2048; }
http {
  access_log off;
  keepalive_requests 100000000;
  upstream target { server ${new URL(origin).host}; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://target;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`;
}

function report(measured: ReadonlyMap<string, readonly Round[]>): void {
  const summary = [...measured].map(([name, results]) => ({
    name,
    requestsPerSecond: spread(results.map((round) => round.requestsPerSecond)),
    cpuUsPerRequest: spread(results.map((round) => round.cpuUsPerRequest)),
    p50Us: spread(results.map((round) => round.p50Us)),
    p99Us: spread(results.map((round) => round.p99Us)),
  }));
  const ours = summary.find(({ name }) => name === 'fig');
  console.log('\nmedian [min-max]');
  for (const { name, requestsPerSecond, cpuUsPerRequest, p50Us, p99Us } of summary) {
    const cells = [`${shown(requestsPerSecond)} req/s`, `${shown(cpuUsPerRequest)} us CPU`];
    console.log(`${name.padEnd(10)} ${cells.join('  ')}  p50 ${shown(p50Us)} us  p99 ${shown(p99Us)} us`);
  }
  for (const { name, cpuUsPerRequest, p50Us, p99Us } of summary) {
    if (ours === undefined || name === 'fig') continue;
    const cpu =
      cpuUsPerRequest.median === 0 ? '-' : ratio(ours.cpuUsPerRequest.median, cpuUsPerRequest.median);
    if (values.set === 'front') {
      console.log(
        `fig / ${name.padEnd(10)} CPU per request ${cpu}  p99 ${ratio(ours.p99Us.median, p99Us.median)}`,
      );
    } else {
      // How much worse the front door gets because of the shadow.
      const cost = ratio(cpuUsPerRequest.median, ours.cpuUsPerRequest.median);
      console.log(
        `${name.padEnd(10)} / no shadow  CPU per request ${cost}  p50 ${ratio(p50Us.median, ours.p50Us.median)}  p99 ${ratio(p99Us.median, ours.p99Us.median)}`,
      );
    }
  }
  const folder = path.join(here, 'results');
  mkdirSync(folder, { recursive: true });
  const machine = { node: process.version, kernel: os.release(), cores: os.cpus().length };
  const settings = { seconds, rounds, connections, bodyBytes };
  const file = path.join(folder, `${new Date().toISOString().replaceAll(':', '-')}.json`);
  writeFileSync(
    file,
    `${JSON.stringify({ machine, settings, summary, measured: [...measured] }, null, 2)}\n`,
  );
  console.log(`\nwritten: ${path.relative(process.cwd(), file)}`);
}

function spread(numbers: readonly number[]) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? 0;
  return { median: at(Math.floor(sorted.length / 2)), min: at(0), max: at(sorted.length - 1) };
}

function shown({ median, min, max }: ReturnType<typeof spread>): string {
  return `${median.toFixed(0)} [${min.toFixed(0)}-${max.toFixed(0)}]`;
}

function ratio(a: number, b: number): string {
  return `${(a / b).toFixed(2)} x`;
}

async function script(file: string, ...args: readonly string[]): Promise<Running> {
  const child = node(file, ...args);
  const line = await firstLine(child);
  const said: { port?: number } = line === null ? {} : JSON.parse(line);
  if (said.port === undefined) throw new Error(`${file} did not start`);
  return { port: said.port, pid: child.pid ?? null };
}

function node(file: string, ...args: readonly string[]): ChildProcess {
  return start(process.execPath, ['--disable-warning=DEP0060', path.join(here, file), ...args]);
}

function start(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  children.push(child);
  return child;
}

/** Ends a process and waits for it: nginx still removes its own file. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  child.kill('SIGTERM');
  await promise;
}

/** The first line of stdout, or null when the process ends without one. */
function firstLine(child: ChildProcess): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  let text = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    text += bytes.toString();
    const end = text.indexOf('\n');
    if (end !== -1) resolve(text.slice(0, end));
  });
  child.on('close', () => resolve(null));
  return promise;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Resolves when somebody listens; nginx does not say when it does. */
async function accepting(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    const open = await promise;
    socket.destroy();
    if (open) return;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  throw new Error(`nobody listens on port ${port}`);
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new RangeError(`--${name} must be above 0, is ${text}`);
  return number;
}

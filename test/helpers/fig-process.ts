import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const FIG = resolve(import.meta.dirname, '../../cli/fig.js');

export interface FigOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Before the script: options of Node itself. */
  readonly node?: readonly string[];
}

/** Where a started `fig proxy` or `fig up` listens: origins. */
export interface Ready {
  readonly traffic: string;
  readonly admin: string | null;
  readonly flags: string | null;
}

/** The command line as a process of its own. It outlives nobody's care: whoever launches it ends it. */
export function launchFig(args: readonly string[], options: FigOptions = {}): ChildProcess {
  const { cwd = process.cwd(), env = {}, node = [] } = options;
  const { FIG_DATA: _, FIG_TOKEN: __, FIG_ADMIN: ___, FIG_CONFIG: ____, ...inherited } = process.env;
  return spawn(process.execPath, [...node, FIG, ...args], {
    cwd,
    env: { ...inherited, FIG_LOG_LEVEL: 'silent', FIG_OPERATOR: 'ana', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Resolves once it serves; rejects with what it said on stderr when it ends before. Reads both streams from here on. */
export function readyOf(child: ChildProcess): Promise<Ready> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new TypeError('its output is not piped');
  const { promise, resolve: settle, reject } = Promise.withResolvers<Ready>();
  let said = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_096);
  });
  createInterface({ input: stdout }).on('line', (line) => {
    if (line.startsWith('{"ready"')) settle(JSON.parse(line));
  });
  child.once('error', reject);
  child.once('close', (code, signal) => reject(new Error(`fig ended with ${code ?? signal}: ${said}`)));
  return promise;
}

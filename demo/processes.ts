import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Longest wait for a part to say that it is ready. */
const READY_MS = 20_000;
/** From SIGTERM to SIGKILL. */
const STOP_MS = 6_000;

export interface Part {
  readonly name: string;
  /** The line with `"ready":true` it printed. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Ends it; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface Finished {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Starts programs of this checkout with the running Node, and ends all of them. */
export interface Processes {
  start(name: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Part>;
  /** Runs to its end. `signal` asks it to end early. */
  run(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<Finished>;
  stopAll(): Promise<void>;
}

export function createProcesses(root: string): Processes {
  const parts = new Set<Part>();
  const children = new Set<ChildProcess>();

  const launch = (args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess => {
    const { SEEDED_BUGS: _bugs, SEEDED_DECOYS: _decoys, ...inherited } = process.env;
    const child = spawn(process.execPath, [...args], {
      cwd: root,
      env: { ...inherited, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    child.once('exit', () => children.delete(child));
    return child;
  };

  return {
    async start(name, args, env) {
      const child = launch(args, env);
      const ready = await readyLine(name, child);
      const part: Part = {
        name,
        ready,
        async stop() {
          parts.delete(part);
          await stopChild(child);
        },
      };
      parts.add(part);
      return part;
    },
    async run(args, env, signal) {
      const started = performance.now();
      const child = launch(args, env);
      signal?.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
      const [stdout, stderr, exit] = await Promise.all([
        collect(child.stdout),
        collect(child.stderr),
        new Promise<number | null>((resolve) => child.once('close', resolve)),
      ]);
      return { exit, stdout, stderr, ms: performance.now() - started };
    },
    async stopAll() {
      await Promise.all([...children].map(stopChild));
    },
  };
}

function readyLine(name: string, child: ChildProcess): Promise<Readonly<Record<string, unknown>>> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error(`${name} was started without pipes`);
  let said = '';
  stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
  });
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(
      () => reject(new Error(`${name} was not ready within ${READY_MS} ms: ${said}`)),
      READY_MS,
    );
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${said}`)));
    createInterface({ input: stdout }).on('line', (line) => {
      if (!line.startsWith('{"ready":true')) return;
      clearTimeout(deadline);
      resolve(JSON.parse(line));
    });
  });
}

function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.once('exit', () => {
      clearTimeout(force);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += chunk.toString();
  return text;
}

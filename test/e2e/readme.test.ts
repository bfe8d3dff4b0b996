import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/free-port.ts';

const ROOT = join(import.meta.dirname, '../..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

interface Step {
  readonly command: string;
  /** What must be printed; `…` stands for anything. */
  readonly output: string;
  readonly background: boolean;
}

/** Every `$ command` of every console block, in order. */
function steps(): readonly Step[] {
  return [...README.matchAll(/^```console( background)?\n([\s\S]*?)^```/gm)].flatMap(
    ([, background, block = '']) =>
      block
        .split(/^\$ /m)
        .filter((part) => part !== '')
        .map((part) => {
          const [command = '', ...output] = part.split('\n');
          return { command, output: output.join('\n').trim(), background: background !== undefined };
        }),
  );
}

function matches(output: string): RegExp {
  const text = output.split('…').map((part) =>
    part
      .trim()
      .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll(/\s+/g, '\\s+'),
  );
  return new RegExp(text.join('[\\s\\S]*?'));
}

test('every command of the walk-through does what the README prints', { timeout: 90_000 }, async () => {
  const folder = temporaryFolder();
  const ports = new Map(
    await Promise.all(
      ['3000', '4001', '8080', '8081'].map(async (port) => [port, await freePort()] as const),
    ),
  );
  const own = (text: string) =>
    text.replaceAll(/\b(3000|4001|8080|8081)\b/g, (port) => String(ports.get(port)));
  const config = /^```ts\n([\s\S]*?)^```/m.exec(README)?.[1] ?? '';
  // The embedded flag server's default port may be taken by another test: ask for any.
  writeFileSync(
    join(folder, 'fig.config.ts'),
    own(config).replace('  legacy:', `  flags: { embedded: { listen: '127.0.0.1:0' } },\n  legacy:`),
  );
  const env = {
    ...process.env,
    PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}`,
    FIG_DATA: join(folder, '.fig'),
  };
  const shell = (command: string) => own(command).replace(/^npx fig/, `node ${join(ROOT, 'cli/fig.js')}`);

  await ready(
    start(`node ${ROOT}/legacy/main.ts --port ${ports.get('3000')} --db ${folder}/legacy.db`, folder, env),
  );
  await ready(start(`node ${ROOT}/new-services/catalog/main.ts --port ${ports.get('4001')}`, folder, env));
  let foreground: ChildProcess | null = null;
  for (const step of steps()) {
    if (step.background) {
      if (foreground !== null) await ended(foreground); // The next one wants its port.
      foreground = start(shell(step.command), folder, env);
      expect(await ready(foreground), step.command).toMatch(matches(own(step.output)));
    } else {
      const { exit, output } = await run(shell(step.command), folder, env);
      expect(output, step.command).toMatch(matches(own(step.output)));
      expect(exit, `${step.command}: ${output}`).toBe(0);
    }
  }
  expect(steps().length).toBeGreaterThan(10);
});

test('the commands outside the walk-through are scripts that other checks run', () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  );
  const shell = [...README.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  );
  expect(shell).toEqual(['npm ci', 'npm start']);
  // `npm ci` is the first line of .ci/run; test/e2e/story.test.ts runs what `npm start` runs.
  expect(readFileSync(join(ROOT, '.ci/run'), 'utf8')).toContain('npm ci');
  expect(scripts['start']).toBe('node demo/story.ts');
});

test('every file the README links to exists', () => {
  const links = [...README.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(5);
  for (const link of links) expect(() => readFileSync(join(ROOT, link), { flag: 'r' })).not.toThrow(/ENOENT/);
});

function start(command: string, cwd: string, env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn('bash', ['-c', `exec ${command}`], { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => ended(child));
  return child;
}

function ready(child: ChildProcess): Promise<string> {
  const { stdout } = child;
  if (stdout === null) throw new Error('no stdout');
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ready`)));
    createInterface({ input: stdout }).on(
      'line',
      (line) => line.startsWith('{"ready":true') && resolve(line),
    );
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

function run(
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<{ exit: number | null; output: string }> {
  const child = spawn('bash', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => child.once('close', (exit) => resolve({ exit, output })));
}

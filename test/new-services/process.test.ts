import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ask } from '../legacy/ask.ts';
import { type Running, startProcess } from '../legacy/start-process.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'oak-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function start(program: string, args: readonly string[], environment = {}): Promise<Running> {
  const running = await startProcess(program, args, environment);
  onTestFinished(() => running.stop());
  return running;
}

async function filled(dir: string, environment = {}) {
  const [legacy, catalog, reviews] = await Promise.all([
    start('legacy/main.ts', ['--port', '0', '--db', join(dir, 'oak.db')]),
    start('new-services/catalog/main.ts', ['--port', '0', '--db', join(dir, 'catalog.db')], environment),
    start('new-services/reviews/main.ts', ['--port', '0', '--db', join(dir, 'reviews.db')], environment),
  ]);
  const relay = await start('new-services/relay/main.ts', [
    ...['--legacy-db', join(dir, 'oak.db'), '--port', '0'],
    ...[
      '--catalog',
      `http://127.0.0.1:${catalog.ready.port}`,
      '--reviews',
      `http://127.0.0.1:${reviews.ready.port}`,
    ],
  ]);
  return { legacy, catalog, reviews, relay };
}

test('when the relay is ready, both services answer from legacy data, and exposures are on file', async () => {
  const dir = folder();
  const exposures = join(dir, 'exposures.jsonl');
  const { legacy, catalog, reviews, relay } = await filled(dir, {
    SEEDED_BUGS: 'B06',
    OAK_EXPOSURES: exposures,
  });
  const path = '/api/v2/products/12';
  expect(JSON.parse((await ask(catalog.ready.port, path)).text)).toEqual(
    JSON.parse((await ask(legacy.ready.port, path)).text),
  );
  expect((await ask(reviews.ready.port, '/api/v1/products/12/reviews')).status).toBe(200);
  expect(JSON.parse((await ask(relay.ready.port, '/healthz')).text)).toMatchObject({
    name: 'relay',
    services: { catalog: { appliedTo: 0, failures: 0 }, reviews: { appliedTo: 0 } },
  });
  await ask(catalog.ready.port, '/api/v2/products/9007199254740993');
  await Promise.all([relay.stop(), catalog.stop(), reviews.stop()]);
  const lines = readFileSync(exposures, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const count = lines.filter(({ id }) => id === 'B06').reduce((sum, { n }) => sum + n, 0);
  expect(count).toBe(1);
});

test('a new build takes over the port and the file of the old one without a failed request', async () => {
  const dir = folder();
  const { catalog: old } = await filled(dir);
  const { port } = old.ready;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const kept = () =>
    new Promise<{ build: unknown; connection: unknown; status: unknown }>((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port, path: '/api/v2/products/12', agent }, (res) => {
        res.resume().on('end', () => {
          const { 'x-oak-build': build, connection } = res.headers;
          resolve({ build, connection, status: res.statusCode });
        });
      });
      req.on('error', reject).end();
    });
  expect(await kept()).toMatchObject({ status: 200, build: old.ready.build });
  const args = ['--port', String(port), '--db', join(dir, 'catalog.db')];
  const next = await start('new-services/catalog/main.ts', args, { SEEDED_BUGS: 'B06' });
  expect(next.ready.build).not.toBe(old.ready.build);
  const exited = once(old.child, 'exit');
  old.child.kill('SIGTERM');
  // The kept connection still belongs to the old process; its next answer says to come again elsewhere.
  let answer = await kept();
  while (answer.build === old.ready.build) {
    expect(answer.status).toBe(200);
    answer = await kept();
  }
  expect(answer).toMatchObject({ status: 200, build: next.ready.build });
  expect(await exited).toEqual([0, null]);
});

test('bad switches and options end a process with exit 1 and one sentence', async () => {
  const catalog = 'new-services/catalog/main.ts';
  const relay = 'new-services/relay/main.ts';
  await expect(startProcess(catalog, [], { SEEDED_BUGS: 'B77' })).rejects.toThrow(
    /^catalog: SEEDED_BUGS: unknown bug "B77"/,
  );
  await expect(startProcess(catalog, ['--port', 'x'])).rejects.toThrow(
    /^catalog: --port must be a whole number/,
  );
  await expect(startProcess(relay, [])).rejects.toThrow(/^relay: --legacy-db must name legacy's file/);
  await expect(startProcess(relay, ['explode'])).rejects.toThrow(/^relay: usage:/);
});

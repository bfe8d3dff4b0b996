import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { runProxyCases } from './proxy.ts';

const COMMAND = join(import.meta.dirname, 'cases.ts');

test('every case of the corpus passes through fig proxy, and the process lives', {
  timeout: 120_000,
}, async () => {
  const cases = JSON.parse(readFileSync(join(import.meta.dirname, 'proxy-cases.json'), 'utf8'));
  const results = await runProxyCases(cases);
  expect(results.filter(({ failure }) => failure !== null)).toEqual([]);
  expect(results).toHaveLength(241);
});

test('the command prints a line per failure and the totals, and exits 1', () => {
  const get = (id: string, status: number) => ({
    id,
    group: 'forwarding',
    send: 'GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n',
    upstreamBehaviour: { type: 'ok' },
    expect: { summary: `answered ${status}`, anyOf: [{ client: { status: [status] } }] },
  });
  const file = join(temporaryFolder(), 'cases.json');
  writeFileSync(file, JSON.stringify([get('right', 200), get('wrong', 201)]));
  const { status, stdout } = spawnSync(process.execPath, [COMMAND, 'proxy', file], { encoding: 'utf8' });
  expect(stdout).toBe(
    'FAIL wrong: answered 201 | client 200; client status 200 not in 201\n1 passed, 1 failed\n',
  );
  expect(status).toBe(1);
});

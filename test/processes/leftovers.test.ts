import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { drainLeftovers, readLeftovers, writeWorkers } from '../../router/processes/leftovers.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const AT = { host: '127.0.0.1', port: 8080 };

async function sleeper() {
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)']);
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return { child, pid: child.pid ?? 0 };
}

test('only those that still live are left over', async () => {
  const file = join(temporaryFolder(), 'workers.json');
  const [first, second] = [await sleeper(), await sleeper()];
  writeWorkers(file, AT, [first.pid, second.pid]);
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  expect(readLeftovers(file)).toEqual({ ...AT, pids: [second.pid] });
});

test('a process that only has the number of one that was written is none of ours', async () => {
  const file = join(temporaryFolder(), 'workers.json');
  const { pid } = await sleeper();
  writeWorkers(file, AT, [pid]);
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"since":"\d+"/, '"since":"1"'));
  expect(readLeftovers(file)).toBeNull();
});

test('they are asked to end', async () => {
  const { child, pid } = await sleeper();
  expect(drainLeftovers({ ...AT, pids: [pid] })).toEqual([pid]);
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGTERM');
  expect(drainLeftovers({ ...AT, pids: [pid] })).toEqual([]);
});

test.each([
  '',
  '{',
  '[]',
  '{"host":1,"port":1,"workers":[]}',
  '{"host":"a","port":1,"workers":[{"pid":-1,"since":"1"}]}',
])('on %j nobody is signalled', (text) => {
  const file = join(temporaryFolder(), 'workers.json');
  writeFileSync(file, text);
  expect(readLeftovers(file)).toBeNull();
});

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  addToKillFile,
  type Kills,
  readKillFile,
  removeFromKillFile,
  watchKillFile,
} from '../../router/kill-file.ts';
import { temporaryFolder } from '../helpers/folder.ts';

function file(content?: string): string {
  const path = join(temporaryFolder(), 'fig.kill');
  if (content !== undefined) writeFileSync(path, content);
  return path;
}

test.each<[string, string | undefined, Kills]>([
  ['no file', undefined, null],
  ['two groups', 'orders\n users \n', new Set(['orders', 'users'])],
  ['a star', 'orders\n*\n', 'all'],
  ['nothing in it', '', 'all'],
  ['only blank lines', '\n \n', 'all'],
  ['far too much in it', 'x\n'.repeat(40_000), 'all'],
])('%s', (_, content, expected) => expect(readKillFile(file(content))).toEqual(expected));

test('what cannot be read means everything', () => {
  expect(readKillFile(temporaryFolder())).toBe('all');
});

test('adding keeps what stands there', () => {
  const path = file('orders\n');
  addToKillFile(path, 'users');
  addToKillFile(path, 'users');
  expect(readFileSync(path, 'utf8')).toBe('orders\nusers\n');
});

test('releasing one of everything keeps the others', () => {
  const path = file('*\n');
  removeFromKillFile(path, 'orders', ['orders', 'users']);
  expect(readKillFile(path)).toEqual(new Set(['users']));
});

test('releasing the last one removes the file', () => {
  const path = file('orders\n');
  removeFromKillFile(path, 'orders', ['orders']);
  expect(readKillFile(path)).toBeNull();
});

test('a change is seen, and the same content is told once', async () => {
  const path = file('orders\n');
  const seen: Kills[] = [];
  let wake: () => void = () => {};
  const watcher = watchKillFile(path, (kills) => {
    seen.push(kills);
    wake();
  });
  onTestFinished(() => watcher.stop());
  const next = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  const changed = next();
  writeFileSync(path, 'orders\n'); // The same: not worth a word.
  writeFileSync(path, 'orders\nusers\n');
  await changed;
  const gone = next();
  rmSync(path);
  await gone;
  expect(seen).toEqual([new Set(['orders']), new Set(['orders', 'users']), null]);
});

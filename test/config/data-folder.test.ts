import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keptSecret, openDataFolder } from '../../router/data-folder.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const make = () => 'a-secret-of-some-length';

test('a folder and its parents are made, for their owner only', () => {
  const folder = join(temporaryFolder(), 'a/b/.fig');
  openDataFolder(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('a folder and a secret that others could read are closed to them', () => {
  const folder = temporaryFolder();
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'admin.token'), 'a-secret-of-some-length\n', { mode: 0o644 });
  openDataFolder(folder);
  keptSecret(folder, 'admin.token', make);
  expect([statSync(folder).mode & 0o777, statSync(join(folder, 'admin.token')).mode & 0o777]).toEqual([
    0o700, 0o600,
  ]);
});

test.each(['/proc/nope/.fig', '/dev/null', '/dev/null/.fig'])('%s is refused in a sentence', (folder) => {
  expect(() => openDataFolder(folder)).toThrow(/the data folder .* cannot be used/);
});

test('a secret is made once and kept', () => {
  const folder = temporaryFolder();
  const first = keptSecret(folder, 'admin.token', make);
  expect(keptSecret(folder, 'admin.token', () => 'another-secret-of-some-length')).toBe(first);
});

test.each(['', '\n', 'short'])('a file that holds %j is no secret', (text) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'admin.token'), text);
  expect(() => keptSecret(folder, 'admin.token', make)).toThrow(/admin\.token holds no secret; delete it/);
  expect(readFileSync(join(folder, 'admin.token'), 'utf8')).toBe(text);
});

test('a secret that is a folder is refused in a sentence', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'admin.token'));
  expect(() => keptSecret(folder, 'admin.token', make)).toThrow(/admin\.token cannot be used \(EISDIR\)/);
});

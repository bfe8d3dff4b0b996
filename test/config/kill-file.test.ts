import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  addToKillFile,
  type Kills,
  readKillFile,
  removeFromKillFile,
  watchKillFile,
} from '../../router/kill-file.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { createWatch } from '../helpers/watch.ts';

function killFile(text?: string): string {
  const file = join(temporaryFolder(), 'fig.kill');
  if (text !== undefined) writeFileSync(file, text);
  return file;
}

/** Watches a file and keeps everything it was told. */
function watched(file: string) {
  const seen: Kills[] = [];
  const watch = createWatch();
  const { stop } = watchKillFile(file, (kills) => {
    seen.push(kills);
    watch.wake();
  });
  onTestFinished(stop);
  return { seen, told: (n: number) => watch.until(() => seen.length >= n) };
}

describe('what a kill file says', () => {
  test('no file asks for nothing', () => {
    expect(readKillFile(killFile())).toBeNull();
  });

  test('a line is a group; blanks, blank lines and line ends of Windows do not matter', () => {
    expect(readKillFile(killFile('orders\r\n\n  carts \n'))).toEqual(new Set(['orders', 'carts']));
  });

  test.each([
    ['a star', 'orders\n*\n'],
    ['an empty file', ''],
    ['a file of blank lines', '\n \n'],
    ['a file that is too large', 'orders\n'.repeat(10_000)],
  ])('%s asks for everything', (_what, text) => {
    expect(readKillFile(killFile(text))).toBe('all');
  });

  test('what cannot be read asks for everything', () => {
    const file = killFile();
    mkdirSync(file);
    expect(readKillFile(file)).toBe('all');
  });
});

describe('writing it', () => {
  test('a group is added to those that stand there, once, for its owner only', () => {
    const file = killFile();
    for (const group of ['orders', 'carts', 'orders']) addToKillFile(file, group);
    expect(readFileSync(file, 'utf8')).toBe('orders\ncarts\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('a group added to an empty file still asks for everything', () => {
    const file = killFile('');
    addToKillFile(file, 'orders');
    expect(readKillFile(file)).toBe('all');
  });

  test('one group taken out of everything leaves the others stopped', () => {
    const file = killFile('*\n');
    removeFromKillFile(file, 'orders', ['orders', 'carts', 'search']);
    expect(readKillFile(file)).toEqual(new Set(['carts', 'search']));
  });

  test('the last group taken out takes the file away: an empty one would stop everything', () => {
    const file = killFile('orders\n');
    removeFromKillFile(file, 'orders', ['orders', 'carts']);
    expect(readKillFile(file)).toBeNull();
  });

  test('a group that is not in it changes nothing', () => {
    const file = killFile('orders\n');
    removeFromKillFile(file, 'carts', ['orders', 'carts']);
    expect(readKillFile(file)).toEqual(new Set(['orders']));
    const none = killFile();
    removeFromKillFile(none, 'carts', ['carts']);
    expect(readKillFile(none)).toBeNull();
  });
});

describe('watching it', () => {
  test('what stood there before is told at once, before anything is awaited', () => {
    expect(watched(killFile('orders\n')).seen).toEqual([new Set(['orders'])]);
  });

  test('a file that comes later is told', async () => {
    const file = killFile();
    const { seen, told } = watched(file);
    addToKillFile(file, 'orders');
    await told(2);
    expect(seen.at(-1)).toEqual(new Set(['orders']));
  });

  test('a file that goes is told, and one that comes again as well', async () => {
    const file = killFile('orders\n');
    const { seen, told } = watched(file);
    rmSync(file);
    await told(2);
    expect(seen.at(-1)).toBeNull();
    addToKillFile(file, 'orders');
    await told(3);
    expect(seen.at(-1)).toEqual(new Set(['orders']));
  });

  test('a group is told within half a second', async () => {
    const file = killFile();
    const { told } = watched(file);
    const from = performance.now();
    addToKillFile(file, 'orders');
    await told(2);
    expect(performance.now() - from).toBeLessThan(500);
  });

  test('rights that are taken away change nothing for the worse', () => {
    const file = killFile('orders\n');
    chmodSync(file, 0o000);
    // An account that may read everything still sees the group; any other must stop everything.
    const kills = readKillFile(file);
    expect(kills === 'all' || kills?.has('orders')).toBe(true);
  });
});

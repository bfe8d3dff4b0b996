import { expect, test } from 'vitest';
import { choosePinning, parseCores } from '../../bench/pinning.ts';

test.each([
  [[0, 1], { proxy: '0', load: '1', target: '1', free: null }],
  [[0, 1, 2], { proxy: '0', load: '1', target: '2', free: null }],
  [[2, 3, 6, 7], { proxy: '2', load: '3', target: '6,7', free: null }],
  [[0], { proxy: null, load: null, target: null, free: null }],
])('of cores %j the proxy has one alone', (cores, expected) => {
  expect(choosePinning(cores, true).cores).toEqual(expected);
});

test('without taskset nothing is pinned', () => {
  expect(choosePinning([0, 1], false).cores.proxy).toBe(null);
});

test('a kernel core list is read with its ranges', () => {
  expect(parseCores('0-2,5')).toEqual([0, 1, 2, 5]);
});

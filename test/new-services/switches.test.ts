import { expect, test } from 'vitest';
import { DECOYS, readSwitches } from '../../new-services/chassis/switches.ts';

test('nothing said means no bugs and all decoys', () => {
  const { bugs, decoys } = readSwitches('', '');
  expect([bugs.size, decoys.size]).toEqual([0, DECOYS.length]);
});

test('bugs are a comma list with numeric parameters', () => {
  expect([...readSwitches('B03,B28:400:1.5', 'all').bugs]).toEqual([
    ['B03', []],
    ['B28', [400, 1.5]],
  ]);
});

test('decoys are all, none or a comma list', () => {
  expect(readSwitches('', 'none').decoys.size).toBe(0);
  expect([...readSwitches('', 'D03,D11').decoys]).toEqual(['D03', 'D11']);
});

test.each([
  ['B99', 'all', /unknown bug "B99"/],
  ['B03,', 'all', /unknown bug ""/],
  ['B03:5', 'all', /has parameters that B03 does not take/],
  ['B28:0', 'all', /has parameters/],
  ['B28:1:2:3', 'all', /has parameters/],
  ['B28:x', 'all', /has parameters/],
  ['', 'D99', /unknown decoy "D99"/],
])('%s with decoys %s is refused', (bugs, decoys, sentence) => {
  expect(() => readSwitches(bugs, decoys)).toThrow(sentence);
});

import { describe, expect, test } from 'vitest';
import { isWithin, parseAddress, parseCidr, plainAddress } from '../../router/core/address.ts';

describe('an address', () => {
  test.each([
    ['10.0.0.1', { bits: 32, value: 0x0a000001n }],
    ['::ffff:10.0.0.1', { bits: 32, value: 0x0a000001n }],
    ['::', { bits: 128, value: 0n }],
    ['::1', { bits: 128, value: 1n }],
    ['2001:db8::1', { bits: 128, value: 0x20010db8000000000000000000000001n }],
    ['1:2:3:4:5:6:7:8', { bits: 128, value: 0x00010002000300040005000600070008n }],
    ['1::', { bits: 128, value: 0x00010000000000000000000000000000n }],
  ])('%s is read', (text, expected) => {
    expect(parseAddress(text)).toEqual(expected);
  });

  test.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.01',
    '10.0.0.1:80',
    'localhost',
    ':::1',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    'fe80::1%eth0',
    '::10.0.0.1:1',
  ])('%s is none', (text) => {
    expect(parseAddress(text)).toBe(null);
  });
});

test.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'x/8', '::/129', '10.0.0.0/-1'])(
  '%s is no block',
  (text) => {
    expect(parseCidr(text)).toBe(null);
  },
);

test.each([
  ['10.1.2.3', ['10.0.0.0/8'], true],
  ['11.1.2.3', ['10.0.0.0/8'], false],
  ['::ffff:10.1.2.3', ['10.0.0.0/8'], true],
  ['10.1.2.3', ['0.0.0.0/0'], true],
  ['10.1.2.3', ['::/0'], false],
  ['2001:db8:1::5', ['192.0.2.1', '2001:db8::/32'], true],
  ['192.0.2.1', ['192.0.2.1'], true],
  ['192.0.2.2', ['192.0.2.1'], false],
  ['nonsense', ['0.0.0.0/0'], false],
  ['10.1.2.3', [], false],
])('%s lies in %j: %s', (address, blocks, expected) => {
  const parsed = blocks.map((block) => parseCidr(block)).filter((block) => block !== null);
  expect(parsed).toHaveLength(blocks.length);
  expect(isWithin(address, parsed)).toBe(expected);
});

test('IPv4 in IPv6 is written as IPv4', () => {
  expect(plainAddress('::ffff:10.0.0.1')).toBe('10.0.0.1');
  expect(plainAddress('2001:db8::1')).toBe('2001:db8::1');
});

import { expect, test } from 'vitest';
import { answerFields } from '../../router/core/headers.ts';
import { rewriteLocation } from '../../router/core/location.ts';
import { PLAIN_TARGET } from '../../router/core/snapshot.ts';

const PAIRS = [
  ['http://127.0.0.1:3000', 'public'],
  ['http://other.internal', 'https://other.example'],
] as const;
const PUBLIC = 'http://shop.example';
const TARGET = { ...PLAIN_TARGET, rewriteLocation: PAIRS };

test.each([
  ['http://127.0.0.1:3000/orders/1', 'http://shop.example/orders/1'],
  ['http://127.0.0.1:3000', 'http://shop.example'],
  ['HTTP://127.0.0.1:3000?a=%2f#x', 'http://shop.example?a=%2f#x'],
  ['http://other.internal/a', 'https://other.example/a'],
  ['http://127.0.0.1:30001/x', 'http://127.0.0.1:30001/x'],
  ['http://127.0.0.1:3000@evil.example/', 'http://127.0.0.1:3000@evil.example/'],
  ['http://127.0.0.1:3000.evil.example/', 'http://127.0.0.1:3000.evil.example/'],
  ['/orders/../1?q=%7e', '/orders/../1?q=%7e'],
  ['https://127.0.0.1:3000/x', 'https://127.0.0.1:3000/x'],
])('%s becomes %s', (value, expected) => {
  expect(rewriteLocation(value, PAIRS, PUBLIC)).toBe(expected);
});

const FIELDS = [
  'LOCATION',
  'http://127.0.0.1:3000/a',
  'Link',
  'http://127.0.0.1:3000/a',
  'Content-Location',
  'http://127.0.0.1:3000/b',
];

test.each([201, 301, 302, 307, 308])('on %i only Location and Content-Location are rewritten', (status) => {
  expect(answerFields(status, FIELDS, TARGET, PUBLIC)).toEqual([
    'LOCATION',
    'http://shop.example/a',
    'Link',
    'http://127.0.0.1:3000/a',
    'Content-Location',
    'http://shop.example/b',
  ]);
});

test.each([200, 204, 404, 503])('on %i nothing is rewritten', (status) => {
  expect(answerFields(status, FIELDS, TARGET, PUBLIC)).toEqual(FIELDS);
});

import { expect, test } from 'vitest';
import { rewriteLocation } from '../../router/core/location.ts';

const PAIRS = [
  ['http://legacy:30', 'public'],
  ['http://legacy:3000', 'https://other.test'],
] as const;

test.each([
  { value: 'http://legacy:30', to: 'https://shop.test' },
  { value: 'http://legacy:30/a%2Fb/../c?x=%20#f', to: 'https://shop.test/a%2Fb/../c?x=%20#f' },
  { value: 'HTTP://Legacy:30?x', to: 'https://shop.test?x' },
  { value: 'http://legacy:3000/a', to: 'https://other.test/a' },
  { value: 'http://legacy:30.evil.test/', to: 'http://legacy:30.evil.test/' },
  { value: 'http://legacy:30@evil.test/', to: 'http://legacy:30@evil.test/' },
  { value: 'http://legacy:301/', to: 'http://legacy:301/' },
  { value: '/relative', to: '/relative' },
  { value: '//legacy:30/a', to: '//legacy:30/a' },
  { value: '', to: '' },
])('$value becomes $to', ({ value, to }) => {
  expect(rewriteLocation(value, PAIRS, 'https://shop.test')).toBe(to);
});

import { describe, expect, test } from 'vitest';
import { rewriteSetCookie } from '../../router/core/cookies.ts';
import type { Pairs } from '../../router/core/types.ts';

function check(value: string, domains: Pairs, paths: Pairs, expected: string): void {
  expect(rewriteSetCookie(value, domains, paths)).toBe(expected);
}

describe('the domain', () => {
  const DOMAINS: Pairs = [
    ['.Legacy.test', 'shop.test'],
    ['gone.test', ''],
  ];
  test.each([
    ['a=1; Domain=legacy.test; Secure', 'a=1; Domain=shop.test; Secure'],
    ['a=1;domain = .LEGACY.test', 'a=1;domain =shop.test'],
    ['a=1; DOMAIN=legacy.test; Domain=legacy.test', 'a=1; DOMAIN=shop.test; Domain=shop.test'],
    ['a=1; Domain=gone.test; Path=/', 'a=1; Path=/'],
    ['a=1; Domain=other.test', 'a=1; Domain=other.test'],
    ['a=1; Domain=sub.legacy.test', 'a=1; Domain=sub.legacy.test'],
    ['a=1; Domain', 'a=1; Domain'],
    ['Domain=legacy.test', 'Domain=legacy.test'],
    ['a="Domain=legacy.test"', 'a="Domain=legacy.test"'],
    ['a=1; X-Domain=legacy.test', 'a=1; X-Domain=legacy.test'],
    ['', ''],
  ])('of %j gives %j', (value, expected) => {
    check(value, DOMAINS, [], expected);
  });
});

describe('the path', () => {
  const PATHS: Pairs = [
    ['/app', '/'],
    ['/gone', ''],
  ];
  test.each([
    ['a=1; Path=/app; HttpOnly', 'a=1; Path=/; HttpOnly'],
    ['a=1; path=/app ', 'a=1; path=/'],
    ['a=1; Path=/APP', 'a=1; Path=/APP'],
    ['a=1; Path=/app/x', 'a=1; Path=/app/x'],
    ['a=1; Path=/gone', 'a=1'],
    ['a=1; Path=', 'a=1; Path='],
  ])('of %j gives %j', (value, expected) => {
    check(value, [], PATHS, expected);
  });
});

test('an asterisk fits any value, the first pair that fits counts', () => {
  const pairs: Pairs = [
    ['b.test', 'B'],
    ['*', 'any'],
  ];
  check('a=1; Domain=b.test; Path=/x', pairs, [['*', '/']], 'a=1; Domain=B; Path=/');
  check('a=1; Domain=c.test', pairs, [], 'a=1; Domain=any');
});

test('every other byte stays', () => {
  const value = 'a = "1 2" ;  Expires=Wed, 21 Oct 2026 07:28:00 GMT;;x ; SameSite=Lax';
  check(value, [['*', 'b']], [['*', '/']], value);
});

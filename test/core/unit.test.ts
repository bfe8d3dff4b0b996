import { expect, test } from 'vitest';
import type { UnitSource } from '../../router/core/types.ts';
import { cookieValue, headerValue, unitId } from '../../router/core/unit.ts';

const SOURCES: readonly UnitSource[] = [{ header: 'x-tenant' }, { cookie: 'SESS' }];

test.each<[string, readonly string[], string | null]>([
  ['the header wins', ['X-Tenant', 'acme', 'Cookie', 'SESS=1'], 'acme'],
  ['the cookie stands in', ['Cookie', 'a=b; SESS=abc ; c=d'], 'abc'],
  ['a quoted cookie', ['Cookie', 'SESS="abc"'], 'abc'],
  ['a cookie in a second line', ['Cookie', 'a=b', 'cookie', 'SESS=abc'], 'abc'],
  ['nothing', ['Accept', '*/*'], null],
  ['an empty header is nothing', ['X-Tenant', ''], null],
  [
    'two values are ambiguous, so the next source decides',
    ['X-Tenant', 'a', 'x-tenant', 'b', 'Cookie', 'SESS=1'],
    '1',
  ],
  ['a cookie sent twice with two values', ['Cookie', 'SESS=1; SESS=2'], null],
  ['a cookie sent twice with one value', ['Cookie', 'SESS=1; SESS=1'], '1'],
  ['names of cookies are exact', ['Cookie', 'sess=1; XSESS=2'], null],
  ['an id beyond the bound is none', ['Cookie', `SESS=${'x'.repeat(1025)}`], null],
])('%s', (_, fields, expected) => expect(unitId(fields, SOURCES)).toBe(expected));

test('a header named __proto__ is an ordinary header', () => {
  expect(headerValue(['__proto__', 'x'], '__proto__')).toBe('x');
});

test('a pair without a value is no cookie', () => expect(cookieValue(['Cookie', 'SESS'], 'SESS')).toBeNull());

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from '../../router/core/canonical.ts';

test.each<[unknown, string]>([
  [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
  [
    { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, ö: 7 },
    '{"\\r":2,"1":4,"\u0080":6,"ö":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
  ],
  [1e21, '1e+21'],
  [0.000001, '0.000001'],
  [-0, '0'],
])('%j', (value, expected) => expect(canonicalJson(value)).toBe(expected));

test.each([[Number.NaN], [Number.POSITIVE_INFINITY], [undefined], [() => 1], [{ a: undefined }], [10n]])(
  '%s is refused',
  (value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError);
  },
);

test('member order never shows, and nothing is lost', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = canonicalJson(value);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(canonicalJson(reversed(value))).toBe(text);
    }),
    { seed: 8785, numRuns: 300 },
  );
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([k, v]) => [k, reversed(v)]),
  );
}

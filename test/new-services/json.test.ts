import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Json, writeJson } from '../../new-services/chassis/json.ts';

const SEED = 1969;

test('any JSON value survives writing in either order of members', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json: Json = JSON.parse(JSON.stringify(value));
      for (const order of ['as-written', 'reversed'] as const) {
        expect(JSON.parse(writeJson(json, order))).toEqual(json);
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test('members are reversed at every depth, items of a list are not', () => {
  expect(writeJson({ a: 1, b: { c: 2, d: [1, 2] } }, 'reversed')).toBe('{"b":{"d":[1,2],"c":2},"a":1}');
});

test('a bigint keeps every digit and an undefined member is left out', () => {
  expect(writeJson({ id: 2n ** 63n - 1n, ean: undefined }, 'as-written')).toBe('{"id":9223372036854775807}');
});

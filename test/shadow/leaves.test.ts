import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { templateOf } from '../../router/core/compare/trail.ts';
import { createReaders } from '../../router/shadow/decode.ts';
import { createLeaves } from '../../router/shadow/leaves.ts';
import { json, text } from '../core/compare/answers.ts';

function learner() {
  const leaves = createLeaves(createReaders(1_000_000).inflate);
  return (answer: Parameters<typeof leaves.learn>[1], place = 'catalog') =>
    leaves.learn(place, answer, templateOf).toSorted();
}

test('scalars and empty containers are places; each is given once per route', () => {
  const learn = learner();
  const body = { id: 1, items: [{ a: null }, { a: 2, b: [] }], empty: {} };
  const places = ['/body/empty', '/body/id', '/body/items/*/a', '/body/items/*/b'];
  expect(learn(json(body))).toEqual(places);
  expect(learn(json({ ...body, more: 'x' }))).toEqual(['/body/more']);
  expect(learn(json(body), 'other')).toEqual(places);
});

test('a coding is undone; what is no JSON, or broken, has no places', () => {
  const learn = learner();
  const fields = ['Content-Type', 'application/json', 'Content-Encoding', 'gzip'];
  expect(learn(text(gzipSync('{"a":1}'), fields))).toEqual(['/body/a']);
  expect(learn(json('{"b":'))).toEqual([]);
  expect(learn(text('{"c":1}', ['Content-Type', 'text/plain']))).toEqual([]);
  expect(learn({ ...json({ d: 1 }), truncated: true })).toEqual([]);
});

test('a deep and a wide answer cost a bounded look', () => {
  const learn = learner();
  expect(learn(json(`${'['.repeat(10_000)}${']'.repeat(10_000)}`)).length).toBeLessThan(2);
  const wide = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, n) => [`name_${'x'.repeat(n % 7)}_${n}`, n]),
  );
  expect(learn(json(wide)).length).toBeLessThanOrEqual(5_000);
});

test('after the first answers of a route only one of many is looked at', () => {
  const learn = learner();
  for (let n = 0; n < 100; n += 1) learn(json({ a: 1 }));
  const looked = Array.from({ length: 5120 }, (_, n) =>
    learn(json({ [`b${String.fromCharCode(97 + (n % 26))}${'z'.repeat(n / 26)}`]: n })),
  );
  expect(looked.flat().length).toBeLessThanOrEqual(11);
});

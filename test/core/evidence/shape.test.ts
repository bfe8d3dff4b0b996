import { expect, test } from 'vitest';
import { type ShapedRequest, shapeText } from '../../../router/core/evidence/shape.ts';
import type { Tree } from '../../../router/core/json.ts';

const REQUEST: ShapedRequest = {
  method: 'GET',
  query: [
    ['page', '2'],
    ['q', 'oak'],
  ],
  body: null,
  accept: 'application/json',
  unitClass: 'user',
};

test('other values of the same class, in another order, are one shape and are not in it', () => {
  const other: ShapedRequest['query'] = [
    ['q', 'elm'],
    ['page', '17'],
  ];
  expect(shapeText({ ...REQUEST, query: other })).toBe(shapeText(REQUEST));
  expect(shapeText(REQUEST)).not.toContain('oak');
});

test.each<Partial<ShapedRequest>>([
  { method: 'HEAD' },
  { query: [['page', '2']] },
  {
    query: [
      ['page', 'last'],
      ['q', 'oak'],
    ],
  },
  { body: { a: 1 } },
  { accept: 'text/html' },
  { unitClass: 'session' },
])('%j is another shape', (part) => {
  expect(shapeText({ ...REQUEST, ...part })).not.toBe(shapeText(REQUEST));
});

test('bodies with the same members and types are one shape, however many elements they have', () => {
  const shape = (body: Tree) => shapeText({ ...REQUEST, body });
  expect(shape({ items: [{ id: 1 }, { id: 2 }], at: 'x' })).toBe(shape({ at: 'y', items: [{ id: 9 }] }));
  expect(shape({ items: [{ id: '1' }] })).not.toBe(shape({ items: [{ id: 1 }] }));
});

test('a deep body and one of a million members cost no more than their bound', () => {
  let deep: Tree = 1;
  for (let i = 0; i < 100_000; i += 1) deep = [deep];
  const wide = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`k${i}`, i]));
  expect(shapeText({ ...REQUEST, body: deep }).length).toBeLessThan(1000);
  expect(shapeText({ ...REQUEST, body: wide }).length).toBeLessThan(2000);
});

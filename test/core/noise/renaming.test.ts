import { expect, test } from 'vitest';
import { brokenIds, createRenaming, type IdPlace } from '../../../router/core/noise/renaming.ts';

const ids = (content: Readonly<Record<string, readonly number[]>>) =>
  new Map(Object.entries(content).map(([template, values]) => [template, new Set(values)]));

test('places become one group after 30 answers that agree', () => {
  const renaming = createRenaming();
  for (let i = 0; i < 29; i += 1) renaming.learn(ids({ '/b': [i], '/a': [i, -i - 1] }));
  expect(renaming.groupOf('/b')).toBe('/b');
  renaming.learn(ids({ '/b': [29], '/a': [29] }));
  expect(renaming.groupOf('/b')).toBe('/a');
});

test('one answer that disagrees keeps them apart', () => {
  const renaming = createRenaming();
  for (let i = 0; i < 100; i += 1) renaming.learn(ids({ '/a': [i], '/b': [i === 50 ? -1 : i] }));
  expect(renaming.groupOf('/b')).toBe('/b');
});

test('groups that share a place are one', () => {
  const renaming = createRenaming();
  for (let i = 0; i < 30; i += 1) {
    renaming.learn(ids({ '/b': [i], '/c': [i] }));
    renaming.learn(ids({ '/a': [i], '/d': [i] }));
  }
  for (let i = 0; i < 30; i += 1) renaming.learn(ids({ '/c': [i], '/d': [i] }));
  expect(['/a', '/b', '/c', '/d'].map(renaming.groupOf)).toEqual(['/a', '/a', '/a', '/a']);
});

test('of very many templates only the first are related', () => {
  const renaming = createRenaming();
  const all = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`/t${i}`, [1]]));
  for (let i = 0; i < 30; i += 1) renaming.learn(ids(all));
  expect(renaming.content()).toHaveLength((24 * 23) / 2);
});

test('what was learned is kept and goes on', () => {
  const [first, second] = [createRenaming(), createRenaming()];
  for (let i = 0; i < 20; i += 1) first.learn(ids({ '/a': [i], '/b': [i] }));
  second.merge(first.content());
  for (let i = 0; i < 10; i += 1) second.learn(ids({ '/a': [i], '/b': [i] }));
  expect(second.groupOf('/b')).toBe('/a');
});

test.each<[string, readonly IdPlace[], readonly string[]]>([
  ['each id has one image', [place('/a', 1, 11), place('/b', 1, 11), place('/a', 2, 12)], []],
  ['a second image', [place('/a', 1, 11), place('/b', 1, 12)], ['/b']],
  ['two ids with one image', [place('/a', 1, 11), place('/b', 2, 11)], ['/b']],
  ['another group', [place('/a', 1, 11), place('/other', 1, 12)], []],
])('%s', (_, places, broken) => {
  expect([...brokenIds(places, (template) => (template === '/other' ? '/other' : '/a'))]).toEqual(broken);
});

function place(template: string, from: number, to: number): IdPlace {
  return { template, from, to };
}

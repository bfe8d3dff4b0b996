import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyPatch, PATCH_OPERATIONS_MAX, PatchRefused } from '../../../flags/server/patch.ts';

const DOCUMENT = { title: null, parameters: { rollout: '10', groupId: 'g' }, list: ['a', 'b'], 'a/b~c': 1 };

test.each([
  [
    'replace',
    [{ op: 'replace', path: '/parameters/rollout', value: '25' }],
    { parameters: { rollout: '25', groupId: 'g' } },
  ],
  ['a passing test', [{ op: 'test', path: '/parameters/rollout', value: '10' }], {}],
  [
    'a test of an object in another key order',
    [{ op: 'test', path: '/parameters', value: { groupId: 'g', rollout: '10' } }],
    {},
  ],
  ['replace of null', [{ op: 'replace', path: '/title', value: 't' }], { title: 't' }],
  [
    'add to an object',
    [{ op: 'add', path: '/parameters/x', value: '1' }],
    { parameters: { rollout: '10', groupId: 'g', x: '1' } },
  ],
  ['add at the end of a list', [{ op: 'add', path: '/list/-', value: 'c' }], { list: ['a', 'b', 'c'] }],
  ['add into a list', [{ op: 'add', path: '/list/0', value: 'c' }], { list: ['c', 'a', 'b'] }],
  ['remove from a list', [{ op: 'remove', path: '/list/0' }], { list: ['b'] }],
  ['move', [{ op: 'move', from: '/title', path: '/list/0' }], { title: undefined, list: [null, 'a', 'b'] }],
  ['move to the same place', [{ op: 'move', from: '/title', path: '/title' }], {}],
  ['copy', [{ op: 'copy', from: '/parameters', path: '/title' }], { title: DOCUMENT.parameters }],
  ['escaped names', [{ op: 'replace', path: '/a~1b~0c', value: 2 }], { 'a/b~c': 2 }],
])('%s', (_name, patch, changed) => {
  expect(applyPatch(DOCUMENT, patch)).toEqual({ ...DOCUMENT, ...changed });
});

test.each([
  ['a test that does not hold', [{ op: 'test', path: '/parameters/rollout', value: '11' }], 'test-failed'],
  [
    'a test of a number against a text',
    [{ op: 'test', path: '/parameters/rollout', value: 10 }],
    'test-failed',
  ],
  ['a place that is not there', [{ op: 'replace', path: '/parameters/nope', value: 1 }], 'invalid'],
  ['a place beyond a list', [{ op: 'add', path: '/list/3', value: 1 }], 'invalid'],
  ['a prototype', [{ op: 'add', path: '/__proto__/polluted', value: 1 }], 'invalid'],
  ['an inherited name', [{ op: 'test', path: '/constructor/name', value: 'Object' }], 'invalid'],
  ['a move into itself', [{ op: 'move', from: '/parameters', path: '/parameters/rollout' }], 'invalid'],
  ['a move of everything', [{ op: 'move', from: '', path: '/title' }], 'invalid'],
  ['a move from nowhere', [{ op: 'move', from: '/nope', path: '/title' }], 'invalid'],
  ['a copy without its origin', [{ op: 'copy', path: '/title' }], 'invalid'],
  ['an operation that is none', [{ op: 'swap', path: '/title' }], 'invalid'],
  ['a path without a slash', [{ op: 'test', path: 'title', value: null }], 'invalid'],
  ['a value that is missing', [{ op: 'replace', path: '/title' }], 'invalid'],
  ['an object instead of a list', { op: 'remove', path: '/title' }, 'invalid'],
  ['removal of everything', [{ op: 'remove', path: '' }], 'invalid'],
  [
    'too many operations',
    Array.from({ length: PATCH_OPERATIONS_MAX + 1 }, () => ({ op: 'test', path: '', value: 1 })),
    'invalid',
  ],
])('refused: %s', (_name, patch, reason) => {
  expect(() => applyPatch(DOCUMENT, patch)).toThrow(expect.objectContaining({ reason }));
});

test('a patch with its greatest number of operations is applied', () => {
  const patch = Array.from({ length: PATCH_OPERATIONS_MAX }, (_, i) => ({
    op: 'replace',
    path: '/title',
    value: i,
  }));
  expect(applyPatch(DOCUMENT, patch)).toMatchObject({ title: PATCH_OPERATIONS_MAX - 1 });
});

test('replacing any place and testing it holds, and the given document stays as it was', () => {
  const key = fc.string({ minLength: 1, maxLength: 5 }).filter((name) => name !== '__proto__');
  fc.assert(
    fc.property(
      fc.dictionary(key, fc.jsonValue(), { minKeys: 1 }),
      fc.jsonValue(),
      fc.nat(),
      (document, value, pick) => {
        const names = Object.keys(document);
        const name = names[pick % names.length] ?? '';
        const path = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        const before = structuredClone(document);
        const patched = applyPatch(document, [
          { op: 'replace', path, value },
          { op: 'test', path, value },
        ]);
        expect(patched[name]).toEqual(JSON.parse(JSON.stringify(value)));
        expect(document).toEqual(before);
      },
    ),
    { seed: 20261124, numRuns: 200 },
  );
});

test('whatever is sent as a patch is applied or refused, never anything else', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (patch) => {
      try {
        applyPatch(DOCUMENT, patch);
      } catch (error) {
        expect(error).toBeInstanceOf(PatchRefused);
      }
    }),
    { seed: 20261124, numRuns: 200 },
  );
});

import { expect, test } from 'vitest';
import { signatureOf } from '../../../router/core/compare/signature.ts';
import { createTemplates } from '../../../router/core/compare/templates.ts';
import { BODY, below, templateOf } from '../../../router/core/compare/trail.ts';
import type { Captured } from '../../../router/core/types.ts';
import { compared, json, text } from './answers.ts';

function keyOf(legacy: Captured, service: Captured): string | undefined {
  const comparison = compared(legacy, service);
  return comparison.outcome === 'different' ? signatureOf(comparison.differences)?.key : undefined;
}

test('the same change in other elements is the same cause', () => {
  const one = keyOf(json([{ p: 1 }, { p: 2 }]), json([{ p: 1 }, { p: 3 }]));
  const other = keyOf(json([{ p: 1 }, { p: 2 }]), json([{ p: 8 }, { p: 9 }]));
  expect(one).toBe('/body/*/p value');
  expect(other).toBe(one);
});

test('ids as keys are one template', () => {
  const id = '0f8fad5b-d9cb-469f-a165-70867728950e';
  expect(keyOf(json({ [id]: 1, 17: 1 }), json({ [id]: 2, 17: 2 }))).toBe('/body/* value');
});

test('a service that answers 401 to everything is one cause', () => {
  const denied = text(
    '{"error":"no"}',
    ['Content-Type', 'application/json', 'WWW-Authenticate', 'Bearer'],
    401,
  );
  expect(keyOf(json({ a: 1 }), denied)).toBe('/status status 200 401');
  expect(keyOf(json([1]), denied)).toBe('/status status 200 401');
});

test('another status of the same class does not hide the rest', () => {
  expect(keyOf(json({ a: 1 }), { ...json({ a: 2 }), status: 201 })).toBe(
    '/body/a value\n/status status 200 201',
  );
});

test('a root that cannot be compared stands alone', () => {
  const service = text('<p>', ['Content-Type', 'application/json', 'X-A', '1']);
  expect(keyOf(json({}), service)).toBe('/body parse');
});

test('at most 32 entries are kept, the worst ones', () => {
  const members = (value: unknown) =>
    Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`m${i}`, value]));
  const comparison = compared(json({ ...members(1), z: 1 }), json(members(2)));
  const signature = comparison.outcome === 'different' ? signatureOf(comparison.differences) : null;
  expect(signature?.entries).toHaveLength(32);
  expect(signature?.entries[0]).toMatchObject({ template: '/body/z', severity: 'high' });
});

test('a literal star in a key cannot pass for a placeholder', () => {
  expect(templateOf(below(below(BODY, '*'), 'a/b~'))).toBe('/body/~2/a~1b~0');
});

test('an object with more than 32 distinct keys is a dictionary from then on', () => {
  const template = createTemplates((key) => key);
  const words = Array.from(
    { length: 40 },
    (_, i) => `${String.fromCharCode(97 + (i % 26))}${'x'.repeat(i + 1)}`,
  );
  const seen = words.map((word) => template(below(BODY, word)));
  expect(seen.slice(0, 32)).toEqual(words.slice(0, 32).map((word) => `/body/${word}`));
  expect(new Set(seen.slice(32))).toEqual(new Set(['/body/*']));
});

test('beyond the watched objects keys stay as they are', () => {
  const template = createTemplates((key) => key, { nodesMax: 1, keysMax: 1 });
  const inner = (key: string) => template(below(below(BODY, 'a'), key));
  expect([inner('x'), inner('y'), inner('z')]).toEqual(['/body/a/x', '/body/a/y', '/body/a/z']);
});

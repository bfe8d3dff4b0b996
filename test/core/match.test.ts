import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildTable, match, parsePattern, routeShape } from '../../router/core/match.ts';
import type { Route } from '../../router/core/types.ts';

function route(label: string): Route {
  const [method = '', pattern = ''] = label.split(' ');
  const segments = parsePattern(pattern);
  if (segments === null) throw new Error(`${pattern} is no pattern`);
  return { label, method, segments, effects: false, writes: null, group: 'g' };
}

const TABLE = buildTable(
  [
    'GET /',
    'GET /p/:id',
    'GET /p/new',
    'POST /p/:id',
    '* /any/*',
    'GET /any/thing',
    'GET /p/:id/reviews',
    'HEAD /p/new',
    'GET /files/*',
  ].map(route),
);

test.each<[string, string, string | null]>([
  ['GET', '/', 'GET /'],
  ['GET', '/p/12', 'GET /p/:id'],
  ['GET', '/p/new', 'GET /p/new'],
  ['POST', '/p/new', 'POST /p/:id'],
  ['GET', '/p/12/reviews', 'GET /p/:id/reviews'],
  ['GET', '/p/new/reviews', 'GET /p/:id/reviews'],
  ['GET', '/any/thing', 'GET /any/thing'],
  ['DELETE', '/any/thing', '* /any/*'],
  ['GET', '/any/a/b/c', '* /any/*'],
  ['HEAD', '/p/12', 'GET /p/:id'],
  ['HEAD', '/p/new', 'HEAD /p/new'],
  ['PUT', '/p/12', null],
  ['GET', '/p', null],
  ['GET', '/p/', null],
  ['GET', '/p/12/', null],
  ['GET', '/P/12', null],
  ['GET', '/any', null],
  ['get', '/p/12', null],
  ['GET', '/files', null],
  ['GET', '/files/', 'GET /files/*'],
])('%s %s -> %s', (method, path, expected) => {
  expect(match(TABLE, method, path)?.label ?? null).toBe(expected);
});

test.each([
  'p',
  '',
  '/a/../b',
  '/.',
  '/%61',
  '/é',
  '/a b',
  '/:a/:a',
  '/a%',
  '/a/*/b',
  '/:',
  '/:1',
  '/a?b',
  '/a#b',
  '/a:b',
  '/a*',
])('%s is no pattern', (pattern) => {
  expect(parsePattern(pattern)).toBeNull();
});

test('parameter names do not make two routes', () => {
  expect(routeShape(route('GET /p/:id'))).toBe(routeShape(route('GET /p/:slug')));
});

test('the tree finds what a walk over all routes finds', () => {
  const word = fc.constantFrom('a', 'b', ':x', 'c');
  const label = fc
    .tuple(fc.constantFrom('GET', 'POST', '*'), fc.array(word, { minLength: 1, maxLength: 4 }))
    .map(([m, w]) => `${m} /${w.map((text, i) => (text === ':x' ? `:x${i}` : text)).join('/')}`);
  const path = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 })
    .map((w) => `/${w.join('/')}`);
  fc.assert(
    fc.property(
      fc.uniqueArray(label, { minLength: 1, maxLength: 12, selector: (l) => routeShape(route(l)) }),
      path,
      (labels, at) => {
        const found = match(buildTable(labels.map(route)), 'GET', at);
        const candidates = labels.map(route).filter((r) => r.method !== 'POST' && fits(r, at));
        expect(found === null).toBe(candidates.length === 0);
        if (found !== null) expect(candidates.map((r) => r.label)).toContain(found.label);
      },
    ),
    { seed: 20261124, numRuns: 500 },
  );
});

function fits(r: Route, path: string): boolean {
  const parts = path.slice(1).split('/');
  return (
    parts.length === r.segments.length &&
    r.segments.every((s, i) => s.kind === 'parameter' || (s.kind === 'literal' && s.text === parts[i]))
  );
}

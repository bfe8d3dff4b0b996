import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { routesAgree } from '../../router/core/agree.ts';
import { snapshotOf } from '../helpers/current.ts';

const { table } = snapshotOf('http://legacy.test', [
  { name: 'new', service: 'http://new.test', routes: ['GET /new/*', 'GET /legacy/x/:id'] },
  { name: 'old', service: 'http://old.test', routes: ['GET /legacy/y/*'] },
]);

describe('readers disagree on', () => {
  test.each([
    '/legacy/../new/a',
    '/legacy/%2e%2e/new/a',
    '/legacy/.%2E/new/a',
    '/legacy/..;/new/a',
    '/legacy/..;x=1/new/a',
    '/legacy/..%2fnew/a',
    '/legacy%2f..%2fnew/a',
    '/legacy\\..\\new\\a',
    '/legacy/%5c../new/a',
    '/%6eew/a',
    '/%256eew/a',
    '/%6eew/..',
    '//new/a',
    '/new;x/a',
    '/new/../legacy/a',
    '/legacy/x/1%2f2',
    '/legacy/x/..%2fy/1',
    '/legacy/y/%252e%252e%252fx/1',
  ])('%s', (path) => {
    expect(routesAgree(table, 'GET', path)).toBe(false);
  });
});

describe('readers agree on', () => {
  test.each([
    '/new/a',
    '/newish/a',
    '/legacy/a%20b',
    '/new/50%25',
    '/new/a;b=c',
    '/new/.well-known/x',
    '/other/../and/./another',
    '/legacy/x/%zz',
    '/new/%c0%ae%c0%ae',
    '/legacy/y/x/%2e',
  ])('%s', (path) => {
    expect(routesAgree(table, 'GET', path)).toBe(true);
  });

  test('every path when there is no route', () => {
    const none = snapshotOf('http://legacy.test').table;
    const property = fc.property(fc.string(), (text) => routesAgree(none, 'GET', `/${text}`));
    fc.assert(property, { seed: 20260101, numRuns: 500 });
  });

  test('every path of plain segments', () => {
    const segments = fc.array(fc.stringMatching(/^[a-z0-9_~-]{1,8}$/), { minLength: 1, maxLength: 5 });
    const property = fc.property(segments, (parts) => routesAgree(table, 'GET', `/${parts.join('/')}`));
    fc.assert(property, { seed: 20260101, numRuns: 500 });
  });
});

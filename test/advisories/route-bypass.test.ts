import { describe, expect, test } from 'vitest';
import { routesAgree } from '../../router/core/agree.ts';
import { snapshotOf } from '../helpers/current.ts';
import { readRequests } from '../http1/reading.ts';

// CVE-2021-29492 (Envoy): `%2F` and `%5C` were compared encoded and decoded behind the proxy. CVE-2023-45539 (HAProxy): a
// `#` was accepted in a target, and rules on how a path ends saw the fragment.
const { table } = snapshotOf('http://legacy.test', [
  { name: 'admin', service: 'http://admin.test', routes: ['GET /admin/*'] },
]);

describe('a path that reads as another route behind us is refused', () => {
  test.each([
    ...['/public%2f..%2fadmin/x', '/public/..%2Fadmin/x', '/public%5C..%5Cadmin/x', '/public/..%5cadmin/x'],
    ...['/%61dmin/x', '//admin/x', '/./admin/x', '/x/../admin/x', '/admin;v=1/x'],
  ])('%s', (path) => {
    expect(routesAgree(table, 'GET', path)).toBe(false);
  });
});

test.each(['/index.png#/admin/x', '/admin/x#.png', '/#', 'http://a/x#y'])(
  'the target %s is refused',
  (target) => {
    const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(readRequests([bytes])).toMatchObject({ messages: [], refusal: { code: 'CLIENT_TARGET' } });
  },
);

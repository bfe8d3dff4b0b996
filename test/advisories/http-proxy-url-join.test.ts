import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  // http-proxy's `url.parse` and `urlJoin` merge slashes, turn `\` into `/` and put `http:/` back together: what is
  // executed is not what was routed.
  test.each([
    '//evil.test/x',
    '/a//b///c',
    '/a\\b\\..\\c',
    '/http:/evil.test/x',
    '/a?b=//c&d=\\e',
    '/a;b=%2F%2e%2e/../c',
    '/?',
  ])('%s is forwarded byte for byte', async (target) => {
    const upstream = await rawUpstream(ok(''));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    await exchange(proxy.port, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(upstream.heard.map(({ start }) => start)).toEqual([`GET ${target} HTTP/1.1`]);
  });
});

import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange, values } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  // reply-from GHSA-v2v2-hph8-q5xp, GHSA-2q7r-29rg-6m5h: a Connection line takes fields away that the back end
  // relies on.
  test.each([
    ['Host', 'a'],
    ['Authorization', 'Bearer t'],
    ['Cookie', 's=1'],
    ['Content-Type', 'text/plain'],
    ['Content-Length', '2'],
  ])('%s cannot be nominated away', async (name, value) => {
    const upstream = await rawUpstream(ok(''));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const fields =
      'Authorization: Bearer t\r\nCookie: s=1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n';
    await exchange(
      proxy.port,
      `POST /x HTTP/1.1\r\nHost: a\r\nConnection: close, ${name}\r\n${fields}\r\nhi`,
    );
    const heard = await upstream.request(1);
    expect(values(heard, name.toLowerCase())).toEqual([value]);
    expect(heard.body).toBe('hi');
  });
});

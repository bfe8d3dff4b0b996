import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange } from '../helpers/raw-http.ts';
import { rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  // http-party/node-http-proxy#1455: an upstream that dies inside its answer leaves the client hanging, or an error
  // handler that writes a second head behind the first.
  test.each([
    ['ends', 'end'],
    ['resets', 'reset'],
  ])('an upstream that %s inside its answer cuts the client, and nothing is added', async (_, how) => {
    const upstream = await rawUpstream(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart', () => {
        if (how === 'end') socket.end();
        else socket.resetAndDestroy();
      });
      return undefined;
    });
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const text = await exchange(proxy.port, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(text).toMatch(/\r\n\r\npart$/);
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'UPSTREAM_BODY_CUT' }]);
  });
});

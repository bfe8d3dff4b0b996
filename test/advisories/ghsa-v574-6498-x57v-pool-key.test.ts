import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  // reply-from GHSA-v574-6498-x57v: two upstreams shared one kept connection because their keys were joined strings.
  test('a kept connection is never used for another upstream, whatever the request says of hosts', async () => {
    const legacy = await rawUpstream(ok('legacy'));
    const service = await rawUpstream(ok('service'));
    const group = { name: 'g', service: service.origin, routes: ['GET /s'], stage: 'live' as const };
    const snapshot = snapshotOf(legacy.origin, [{ ...group, ceiling: 100 }]);
    const intent = { serve: 'on', shadow: 'off', cause: 'flag' } as const;
    const proxy = await open({ snapshot, intent });
    const client = rawClient(proxy.port);
    const hosts = [service.origin, legacy.origin].map((origin) => origin.replace('http://', ''));
    for (let round = 0; round < 6; round += 1) {
      client.send(`GET ${round % 2 === 0 ? '/s' : '/l'} HTTP/1.1\r\nHost: ${hosts[round % 2]}\r\n\r\n`);
      await client.until((text) => text.split('HTTP/1.1 200').length === round + 2);
    }
    expect(new Set(service.heard.map(({ start }) => start))).toEqual(new Set(['GET /s HTTP/1.1']));
    expect(new Set(legacy.heard.map(({ start }) => start))).toEqual(new Set(['GET /l HTTP/1.1']));
    expect([service.connections(), legacy.connections()]).toEqual([1, 1]);
  });
});

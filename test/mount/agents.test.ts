import { expect, onTestFinished, test } from 'vitest';
import { createAgents } from '../../router/mount/agents.ts';
import { manualClock } from '../helpers/clock.ts';
import { snapshotOf } from '../helpers/current.ts';
import { mounted } from '../helpers/mount.ts';
import { rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

const LIMITS = { upstreamConnectionsMax: 2, upstreamIdleMs: 1_000, upstreamsMax: 2 };

test('there is one pool per origin, and the one unused for longest gives way', () => {
  const agents = createAgents(manualClock(), LIMITS);
  onTestFinished(agents.destroy);
  const a = agents.of('http://a.test');
  const b = agents.of('http://b.test:81');
  expect(agents.of('http://a.test')).toBe(a);
  agents.of('https://c.test');
  expect(agents.of('http://a.test')).toBe(a);
  expect(agents.of('http://b.test:81')).not.toBe(b);
});

test.each([
  ['http://a.test', { protocol: 'http:', hostname: 'a.test', port: '' }],
  ['https://[2001:db8::1]:8443', { protocol: 'https:', hostname: '2001:db8::1', port: '8443' }],
])('%s is where it says', (origin, address) => {
  const agents = createAgents(manualClock(), LIMITS);
  onTestFinished(agents.destroy);
  expect(agents.of(origin).address).toEqual(address);
});

test('an idle connection is closed before the upstream would close it', async () => {
  const upstream = await rawUpstream(ok('x'));
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin), options: { upstreamIdleMs: 50 } });
  const client = rawClient(proxy.port);
  client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until('200 OK');
  await upstream.allClosed();
});

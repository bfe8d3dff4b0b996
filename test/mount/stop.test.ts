import { expect, test } from 'vitest';
import { createMount } from '../../router/mount.ts';
import { realClock } from '../helpers/clock.ts';
import { currentOf, snapshotOf } from '../helpers/current.ts';
import { mounted } from '../helpers/mount.ts';
import { keyOf } from '../helpers/neighbours.ts';
import { exchange, parseMessage, rawClient, values } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

test('what is in flight is answered, and its connection ends', async () => {
  const upstream = await rawUpstream(() => undefined);
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin), options: { stopMs: 10_000 } });
  const client = rawClient(proxy.port);
  client.send(GET);
  await upstream.request(1);
  const stopped = proxy.mount.stop();
  upstream.say(ok('last words'));
  await stopped;
  const answer = parseMessage(await client.closed());
  expect(answer.body).toBe('last words');
  expect(values(answer, 'connection')).toEqual(['close']);
});

test('what does not end in time is cut', async () => {
  const upstream = await rawUpstream(() => undefined);
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin), options: { stopMs: 30 } });
  const client = rawClient(proxy.port);
  client.send(GET);
  await upstream.request(1);
  await proxy.mount.stop();
  expect(await client.closed()).toBe('');
  await upstream.allClosed();
});

test('tunnels and kept connections are closed', async () => {
  const upstream = await rawUpstream((_, n) =>
    n === 1 ? ok('x') : 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  );
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin) });
  const plain = rawClient(proxy.port);
  plain.send(GET);
  await plain.until('200 OK');
  const tunnel = rawClient(proxy.port);
  tunnel.send(UPGRADE);
  await tunnel.until('101 Switching');
  await proxy.mount.stop();
  await tunnel.closed();
  await upstream.allClosed();
  expect(proxy.mount.counts().tunnels).toBe(0);
});

test('after that nothing is forwarded', async () => {
  const upstream = await rawUpstream(ok('x'));
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin) });
  await proxy.mount.stop();
  const answer = parseMessage(await exchange(proxy.port, GET));
  expect(answer.status).toBe(503);
  expect(values(answer, 'retry-after')).toEqual(['1']);
  expect(upstream.heard).toHaveLength(0);
  expect(proxy.observed).toMatchObject([{ outcome: 'FIG_DRAINING' }]);
});

test('a trusted proxy that is no CIDR block is refused at once', () => {
  const silent = (): void => {};
  const deps = {
    current: currentOf(snapshotOf('http://127.0.0.1:1')),
    flags: { read: () => ({ serve: 'unknown', shadow: 'unknown', cause: 'missing' }) as const },
    keyOf,
    shadow: { busy: () => null, offer: () => null },
    recorder: { observed: silent, eligible: silent },
    clock: realClock,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    nextId: () => 'id',
  };
  expect(() => createMount(deps, { trustedProxies: ['10.0.0.0/8', 'everybody'] })).toThrow(RangeError);
});

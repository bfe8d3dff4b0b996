import { expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { mounted } from '../helpers/mount.ts';
import { exchange, rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

const GET = 'GET /a//b/../c?x=1?y HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n';

test('repeated field lines arrive in their order and the first case, __proto__ among them', async () => {
  const upstream = await rawUpstream(ok(''));
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin) });
  await exchange(proxy.port, `${GET}X-Dup: 1\r\n__proto__: p\r\nx-dup: 2\r\n\r\n`);
  expect(upstream.bytes()).toContain('\r\nX-Dup: 1\r\nX-Dup: 2\r\n__proto__: p\r\n');
});

test('a 100 of the upstream is passed on', async () => {
  const upstream = await rawUpstream(ok('thanks'));
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin) });
  const client = rawClient(proxy.port);
  client.send('POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  await upstream.received('Expect: 100-continue');
  upstream.say('HTTP/1.1 100 Continue\r\n\r\n');
  await client.until('HTTP/1.1 100 Continue\r\n\r\n');
  client.send('hello');
  expect(await client.until('thanks')).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
});

test('early hints are passed on, links only', async () => {
  const hint =
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nFig-X: 1\r\nSet-Cookie: a=1\r\n\r\n';
  const upstream = await rawUpstream(`${hint}${ok('x')}`);
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin) });
  const text = await exchange(proxy.port, `${GET}\r\n`);
  expect(text).toMatch(
    /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK/,
  );
});

test('a hint that cannot be read is left out, and the answer comes', async () => {
  const upstream = await rawUpstream(`HTTP/1.1 103 Early Hints\r\nLink: not a link\r\n\r\n${ok('x')}`);
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin) });
  expect(await exchange(proxy.port, `${GET}\r\n`)).toMatch(/^HTTP\/1\.1 200 OK/);
});

test('a raised limit of header lines holds beyond what node keeps by default', async () => {
  const upstream = await rawUpstream(ok('x', `${'A: b\r\n'.repeat(2_500)}Last: seen\r\n`));
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin), options: { answerFieldsMax: 3_000 } });
  expect(await exchange(proxy.port, `${GET}\r\n`)).toContain('Last: seen');
});

import { expect, test } from 'vitest';
import { rawUpstream, type Script } from '../helpers/upstream.ts';
import { eventually, startWorld, webServer } from '../helpers/world.ts';

const BODY = JSON.stringify({ id: 12, price: '19.90' });

async function legacy() {
  return webServer((_req, res) =>
    res
      .writeHead(200, { 'content-type': 'application/json', etag: '"1"', 'set-cookie': ['a=1', 'b=2'] })
      .end(BODY),
  );
}

/** What a client sees, without what differs from request to request by nature. */
function seen(answer: { status: number; body: string; headers: readonly (readonly [string, string])[] }) {
  return { ...answer, headers: answer.headers.filter(([name]) => !['date', 'x-request-id'].includes(name)) };
}

const FAULTS: readonly (readonly [string, Script])[] = [
  ['hung', () => undefined],
  ['resetting', ({ socket }) => void socket.resetAndDestroy()],
  ['endless', ({ socket }) => endless(socket)],
  ['slow', ({ socket }) => drip(socket)],
  [
    'lying',
    'HTTP/1.1 500 No\r\nContent-Length: 4\r\nContent-Length: 5\r\nSet-Cookie: evil=1\r\nConnection: close\r\n\r\nlong',
  ],
];

function endless(socket: import('node:net').Socket): undefined {
  socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n');
  const more = () => {
    while (!socket.destroyed && socket.write('x'.repeat(16_384)));
  };
  socket.on('drain', more);
  more();
  return undefined;
}

function drip(socket: import('node:net').Socket): undefined {
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
  const timer = setInterval(() => socket.write('x'), 100);
  socket.once('close', () => clearInterval(timer));
  return undefined;
}

test.each(FAULTS)(
  'a %s shadow leaves status, headers and body of the primary as they are',
  async (_, script) => {
    const old = await legacy();
    const service = await rawUpstream(script);
    const world = await startWorld({ legacy: old.origin, service: service.origin });
    const before = seen(await world.get('/api/v1/products/12'));
    await world.move({ kind: 'shadow', sample: 100 });
    const during = [];
    for (let i = 0; i < 20; i += 1) during.push(seen(await world.get('/api/v1/products/12')));
    await service.request(1);
    expect(during).toEqual(during.map(() => before));
    // Copies of its own requests are not what a client asked for.
    expect(old.requests.filter((request) => !request.endsWith('(shadow)'))).toHaveLength(21);
  },
);

test('a refusing shadow leaves the primary as it is, and is found as a cause', async () => {
  const old = await legacy();
  const world = await startWorld({ legacy: old.origin, service: 'http://127.0.0.1:1' });
  const before = seen(await world.get('/api/v1/products/12'));
  await world.move({ kind: 'shadow', sample: 100 });
  expect(seen(await world.get('/api/v1/products/12'))).toEqual(before);
  await eventually(async () => (await world.group()).comparisons.different === 1);
});

test('a POST is never shadowed, and counted as such', async () => {
  const old = await legacy();
  const service = await webServer((_req, res) => res.end(BODY));
  const world = await startWorld({ legacy: old.origin, service: service.origin });
  await world.move({ kind: 'shadow', sample: 100 });
  await world.get('/api/v1/orders', 'ana', { method: 'POST', body: 'x=1' });
  await world.get('/api/v1/orders');
  await eventually(() => service.requests.length > 0);
  expect(service.requests).toEqual(['GET /api/v1/orders (shadow)']);
  expect((await world.group()).comparisons.skipped).toEqual({ 'unsafe-method': 1 });
});

test('a kill stops the copies too', async () => {
  const old = await legacy();
  const service = await webServer((_req, res) => res.end(BODY));
  const world = await startWorld({ legacy: old.origin, service: service.origin });
  await world.move({ kind: 'shadow', sample: 100 });
  await world.move({ kind: 'kill' });
  await world.get('/api/v1/products/12');
  expect((await world.group()).comparisons.skipped).toEqual({ killed: 1 });
  expect(service.requests).toEqual([]);
});

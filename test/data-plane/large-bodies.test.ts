import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { adminClient, fig, type RunningFig, startFigProxy, startFigUp } from '../helpers/fig.ts';
import { residentKb, watchMemory } from '../helpers/process.ts';
import { webServer } from '../helpers/world.ts';

const BYTES = 1_073_741_824;
const GROWTH_KB_MAX = 50_000;
const BLOCK = Buffer.alloc(1_048_576);
const TIMEOUT = { timeout: 60_000 };

/** The same 1 GiB every time, and no two blocks alike: the key stream of a cipher. */
function* blocks(): Generator<Buffer> {
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  for (let sent = 0; sent < BYTES; sent += BLOCK.length) yield stream.update(BLOCK);
}

const hash = createHash('sha256');
for (const block of blocks()) hash.update(block);
const DIGEST = hash.digest('hex');

function digestOf(message: IncomingMessage): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const seen = createHash('sha256');
  message.on('data', (chunk: Buffer) => seen.update(chunk));
  message.on('end', () => resolve(seen.digest('hex'))).on('error', reject);
  return promise;
}

/** Answers an upload with the digest of what arrived, and anything else with the bytes themselves. */
async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.method === 'POST') return void res.end(await digestOf(req));
  if (req.url === '/orders/length') res.setHeader('Content-Length', BYTES);
  if (req.url === '/orders/small') return void res.end('small');
  await pipeline(Readable.from(blocks()), res);
}

function upstream() {
  return webServer((req, res) => void answer(req, res).catch(() => res.destroy()));
}

/** One exchange; gives the answer, whose body is still to be read. */
async function send(port: number, options: http.RequestOptions, body: boolean): Promise<IncomingMessage> {
  const request = http.request({ port, host: '127.0.0.1', agent: false, ...options });
  const answered = once(request, 'response');
  if (body) await pipeline(Readable.from(blocks()), request);
  else request.end();
  const [response] = await answered;
  return response;
}

async function upload(port: number, headers: http.OutgoingHttpHeaders): Promise<string> {
  const response = await send(port, { method: 'POST', path: '/orders/1', headers }, true);
  let text = '';
  for await (const piece of response.setEncoding('latin1')) text += piece;
  return text;
}

async function download(port: number, path: string): Promise<string> {
  return digestOf(await send(port, { path, headers: { 'x-user': 'ana' } }, false));
}

/** What this transfer adds to the memory of a proxy that has served before. */
async function grownKb({ pid, port }: RunningFig, transfer: () => Promise<unknown>): Promise<number> {
  await fetch(`http://127.0.0.1:${port}/orders/small`).then((small) => small.text());
  const before = residentKb(pid);
  const memory = watchMemory(pid);
  await transfer();
  return memory.peakKb() - before;
}

test('1 GiB is uploaded by length: the same bytes, in bounded memory', TIMEOUT, async () => {
  const proxy = await startFigProxy((await upstream()).origin);
  const grown = await grownKb(proxy, async () => {
    expect(await upload(proxy.port, { 'content-length': BYTES })).toBe(DIGEST);
  });
  expect(grown).toBeLessThan(GROWTH_KB_MAX);
});

test('1 GiB is downloaded by length: the same bytes, in bounded memory', TIMEOUT, async () => {
  const proxy = await startFigProxy((await upstream()).origin);
  const grown = await grownKb(proxy, async () => {
    expect(await download(proxy.port, '/orders/length')).toBe(DIGEST);
  });
  expect(grown).toBeLessThan(GROWTH_KB_MAX);
});

test(
  'while the group is shadowed the same holds in chunks; the copies are skipped as too large, and counted',
  TIMEOUT,
  async () => {
    const legacy = await upstream();
    const service = await upstream();
    const proxy = await startFigUp({
      listen: '127.0.0.1:0',
      admin: '127.0.0.1:0',
      legacy: legacy.origin,
      services: { orders: service.origin },
      flags: { embedded: { listen: '127.0.0.1:0' } },
      groups: { orders: { service: 'orders', routes: ['* /orders/:id'], unit: [{ header: 'X-User' }] } },
    });
    expect(await fig(['shadow', 'orders', 'on', '--data', proxy.data])).toMatchObject({ exit: 0 });
    const admin = adminClient(proxy.admin, proxy.data);
    const grown = await grownKb(proxy, async () => {
      expect(await download(proxy.port, '/orders/chunked')).toBe(DIGEST);
      expect(await upload(proxy.port, { 'transfer-encoding': 'chunked' })).toBe(DIGEST);
    });
    const [group] = (await admin.status()).groups;
    expect(group?.comparisons.skipped).toMatchObject({ 'too-large': 1, 'unsafe-method': 1 });
    expect(service.requests.filter((line) => !line.includes('/orders/small'))).toEqual([]);
    expect(grown).toBeLessThan(GROWTH_KB_MAX);
  },
);

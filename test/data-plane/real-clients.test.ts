import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { startFigProxy } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { webServer } from '../helpers/world.ts';

const JSON_BODY = JSON.stringify({
  price: '19.90',
  name: 'Öl',
  list: Array.from({ length: 500 }, (_, i) => i),
});

/** A site with what clients know to handle. */
async function site() {
  const upstream = await webServer((req, res) => {
    if (req.url === '/gzip')
      res
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(JSON_BODY));
    else if (req.url === '/moved') res.writeHead(302, { location: '/gzip' }).end();
    else if (req.url === '/cookies') res.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end();
    else if (req.url === '/nothing') res.writeHead(204).end();
    else if (req.url === '/wrong') res.writeHead(500).end('broken');
    else if (req.method === 'POST') echo(req, res);
    else res.end(req.url);
  });
  return { upstream, proxy: await startFigProxy(upstream.origin) };
}

/** Sends a body back once it is whole: an answer before its end would end the upload. */
function echo(req: http.IncomingMessage, res: http.ServerResponse): void {
  const pieces: Buffer[] = [];
  req.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => res.end(Buffer.concat(pieces)));
}

/** What `fetch` makes of an answer. */
async function fetched(url: string, init: RequestInit = {}) {
  const answer = await fetch(url, init);
  const bytes = Buffer.from(await answer.arrayBuffer());
  const digest = createHash('sha256').update(bytes).digest('hex');
  const { status, redirected } = answer;
  return { status, redirected, digest, bytes: bytes.length, cookies: answer.headers.getSetCookie() };
}

test('fetch gets the same through the proxy as directly', async () => {
  const { upstream, proxy } = await site();
  for (const path of ['/plain', '/gzip', '/moved', '/cookies', '/nothing', '/wrong'])
    expect([path, await fetched(proxy.traffic + path)]).toEqual([
      path,
      await fetched(upstream.origin + path),
    ]);
});

test('fetch uploads a form, bytes and a stream of unknown length, and gets them back', async () => {
  const { proxy } = await site();
  const form = new FormData();
  form.append('field', 'value');
  form.append('file', new Blob([Buffer.alloc(300_000, 'f')]), 'f.bin');
  const stream = () => new Blob([Buffer.alloc(300_000, 's')]).stream();
  const answer = await fetch(`${proxy.traffic}/echo`, { method: 'POST', body: form });
  expect(await answer.text()).toContain('name="field"\r\n\r\nvalue\r\n');
  const streamed = await fetch(`${proxy.traffic}/echo`, { method: 'POST', body: stream(), duplex: 'half' });
  expect(await streamed.text()).toBe('s'.repeat(300_000));
});

test('after a fetch that is aborted the proxy serves the next', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const upstream = await webServer((req, res) => (req.url === '/never' ? resolve() : res.end('next')));
  const proxy = await startFigProxy(upstream.origin);
  const controller = new AbortController();
  const aborted = fetch(`${proxy.traffic}/never`, { signal: controller.signal }).catch((error) => error.name);
  await asked;
  controller.abort();
  expect(await aborted).toBe('AbortError');
  expect(await (await fetch(`${proxy.traffic}/next`)).text()).toBe('next');
});

test('a keep-alive agent makes a thousand requests on few connections, each with its own answer', async () => {
  const { proxy } = await site();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  onTestFinished(() => agent.destroy());
  const sockets = new Set<unknown>();
  const ask = async (n: number): Promise<string> => {
    const request = http.get({ port: proxy.port, host: '127.0.0.1', path: `/${n}`, agent });
    const [response] = await once(request, 'response');
    sockets.add(request.socket);
    let text = '';
    for await (const piece of response) text += piece;
    return text;
  };
  const numbers = Array.from({ length: 1_000 }, (_, n) => n);
  expect(await Promise.all(numbers.map(ask))).toEqual(numbers.map((n) => `/${n}`));
  expect(sockets.size).toBe(4);
});

/** A registry with one package; the address of its tarball is whatever host it was asked as. */
async function registry() {
  const folder = temporaryFolder();
  const manifest = { name: 'tiny-acorn', version: '1.2.3', main: 'index.js' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'index.js'), `module.exports = ${JSON.stringify('acorn '.repeat(5_000))};\n`);
  await npm(['pack', '--silent'], folder);
  const tarball = readFileSync(join(folder, 'tiny-acorn-1.2.3.tgz'));
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const upstream = await webServer((req, res) => {
    if (req.url === '/tiny-acorn') {
      const dist = { integrity, tarball: `http://${req.headers.host}/tiny-acorn/-/tiny-acorn-1.2.3.tgz` };
      const versions = { '1.2.3': { ...manifest, dist } };
      const packument = { name: 'tiny-acorn', 'dist-tags': { latest: '1.2.3' }, versions };
      res.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip', etag: '"1"' });
      res.end(gzipSync(JSON.stringify(packument)));
    } else if (req.url === '/tiny-acorn/-/tiny-acorn-1.2.3.tgz') res.end(tarball);
    else res.writeHead(404).end();
  });
  return { ...upstream, integrity };
}

/** npm as it is on the machine, without the settings and the cache of this user. */
async function npm(args: readonly string[], cwd: string): Promise<void> {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|https?_proxy)/i.test(name));
  const home = temporaryFolder();
  const env = {
    ...Object.fromEntries(own),
    npm_config_userconfig: join(home, 'npmrc'),
    npm_config_cache: join(home, 'cache'),
    npm_config_update_notifier: 'false',
  };
  await promisify(execFile)('npm', [...args], { cwd, env });
}

async function installed(origin: string) {
  const folder = join(temporaryFolder(), 'app');
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{"name":"app","version":"1.0.0"}');
  await npm(['install', 'tiny-acorn', '--registry', `${origin}/`, '--no-audit', '--no-fund'], folder);
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  return {
    integrity: lock.packages['node_modules/tiny-acorn'].integrity,
    code: readFileSync(join(folder, 'node_modules/tiny-acorn/index.js'), 'utf8'),
  };
}

test('npm install through the proxy installs what it installs directly', { timeout: 60_000 }, async () => {
  const upstream = await registry();
  const proxy = await startFigProxy(upstream.origin);
  const proxied = await installed(proxy.traffic);
  expect(upstream.requests).toContain('GET /tiny-acorn/-/tiny-acorn-1.2.3.tgz');
  expect(proxied).toEqual(await installed(upstream.origin));
  expect(proxied.integrity).toBe(upstream.integrity);
});

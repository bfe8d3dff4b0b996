import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../legacy/ask.ts';
import { differencesOf } from './differences.ts';
import { type OpenService, openStack, type Stack } from './open-stack.ts';
import { catalogPaths, reviewPaths } from './walk.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await openStack();
});
afterAll(() => stack.close());

/** Where a service differs from legacy over the whole walk, and how many requests did. */
async function evidence(service: OpenService, paths: readonly string[]) {
  const where = new Set<string>();
  const routes = new Set<string>();
  let requests = 0;
  for (const path of paths) {
    const found = await differencesOf({ legacy: stack.legacy.port, service: service.port }, path);
    if (found.length === 0) continue;
    requests += 1;
    routes.add(routeOf(path));
    for (const place of found) where.add(place);
  }
  return { where: [...where].sort(), requests, routes: [...routes].sort() };
}

function routeOf(path: string): string {
  return path
    .toLowerCase()
    .replace(/\?.*|\/$|\.json$/g, '')
    .replace(/products\/\d+$/, 'products/:id');
}

async function ofCatalog(bugs: string) {
  const catalog = await stack.open('catalog', { bugs });
  const found = await evidence(catalog, catalogPaths(stack.legacy));
  return { ...found, exposed: catalog.exposed()[bugs] ?? 0 };
}

test('B01 changes the price of v1, and nothing else', async () => {
  const found = await ofCatalog('B01');
  expect(found.where).toEqual(['/body', '/body/product/price', '/body/products/*/price']);
  // `/body` is the one JSONP answer, whose body is a script.
  expect(found.exposed).toBe(found.requests);
  expect(found.requests).toBeGreaterThan(60);
});

test('B02 adds a null ean to v1 products without one, and nothing else', async () => {
  const found = await ofCatalog('B02');
  expect(found.where).toEqual(['/body/product/ean']);
  expect(found.routes).toEqual(['/api/v1/products/:id']);
  expect(found.exposed).toBe(found.requests);
  expect(found.requests).toBeGreaterThan(10);
});

test('B03 turns name ties round from page 2, and nothing else', async () => {
  const found = await ofCatalog('B03');
  expect(found.routes).toEqual(['/api/v1/products']);
  for (const place of found.where) expect(place).toMatch(/^\/body\/products\/\*\//);
  expect(found.exposed).toBe(found.requests);
  expect(found.requests).toBeGreaterThan(2);
});

test('B03 leaves the names of a list in the same order and page 1 alone', async () => {
  const catalog = await stack.open('catalog', { bugs: 'B03' });
  const ports = { legacy: stack.legacy.port, service: catalog.port };
  expect(await differencesOf(ports, '/api/v1/products?per_page=100')).toEqual([]);
  for (let page = 2; page <= 23; page += 1) {
    const where = await differencesOf(ports, `/api/v1/products?per_page=100&page=${page}`);
    expect(where).not.toContain('/body/products/*/name');
  }
});

test('B04 answers 404 for a missing v1 product, with the same body', async () => {
  const found = await ofCatalog('B04');
  expect(found.where).toEqual(['/status']);
  expect(found.exposed).toBe(found.requests);
  expect(found.requests).toBeGreaterThan(3);
});

test('B06 rounds ids above 2^53 in v2, and nothing else', async () => {
  const found = await ofCatalog('B06');
  expect(found).toMatchObject({
    where: ['/body/id'],
    routes: ['/api/v2/products/:id'],
    requests: 3,
    exposed: 3,
  });
  const catalog = await stack.open('catalog', { bugs: 'B06' });
  expect((await ask(catalog.port, '/api/v2/products/9007199254740993')).text).toContain(
    '"id":9007199254740992',
  );
});

test('B08 redirects the old address to an internal name, and nothing else', async () => {
  const found = await ofCatalog('B08');
  expect(found).toMatchObject({ where: ['/headers/location'] });
  expect(found.exposed).toBe(found.requests);
  const catalog = await stack.open('catalog', { bugs: 'B08' });
  const { location } = (await ask(catalog.port, '/product.php?id=12')).headers;
  expect(location).toMatch(/^http:\/\/catalog:4001\/p\/12-/);
});

test('B13 gives as_of in UTC: an hour off in summer, nothing else, and no exposure in winter', async () => {
  const reviews = await stack.open('reviews', { bugs: 'B13' });
  const paths = await reviewPaths(stack.legacy);
  expect(await evidence(reviews, paths)).toMatchObject({ where: [], requests: 0 });
  const [left, right] = await Promise.all(
    [stack.legacy.port, reviews.port].map(
      async (port) => JSON.parse((await ask(port, paths[3] ?? '')).text).as_of,
    ),
  );
  expect(Number(left.slice(11, 13)) - Number(right.slice(11, 13))).toBe(1);
  // One path has a bad cursor and so no as_of; one more request was made by hand.
  expect(reviews.exposed()).toMatchObject({ B13: paths.length });
  const winter = await stack.open('reviews', { bugs: 'B13', nowMs: Date.parse('2026-01-14T10:00:00Z') });
  await ask(winter.port, '/api/v1/products/12/reviews');
  expect(winter.exposed()).not.toHaveProperty('B13');
});

test('B28 refuses real requests for a while after a number of them, never copies, then starts anew', async () => {
  let nowMs = 0;
  const catalog = await stack.open('catalog', { bugs: 'B28:3:5', monotonicMs: () => nowMs });
  const real = async () => (await ask(catalog.port, '/api/v2/products/12')).status;
  const copy = async () =>
    (await ask(catalog.port, '/api/v2/products/12', { headers: { 'Fig-Shadow': '1' } })).status;
  const statuses: number[] = [await copy(), await copy(), await real(), await real(), await real()];
  expect(statuses).toEqual([200, 200, 200, 200, 200]);
  expect([await real(), await copy(), await real()]).toEqual([503, 200, 503]);
  nowMs = 4_999;
  expect(await real()).toBe(503);
  nowMs = 5_000;
  expect([await real(), await real(), await real(), await real()]).toEqual([200, 200, 200, 503]);
  expect(catalog.exposed()).toMatchObject({ B28: 4 });
  expect((await ask(catalog.port, '/healthz')).status).toBe(200);
});

test('no answer names a bug or a decoy', async () => {
  const catalog = await stack.open('catalog', { bugs: 'B01,B02,B03,B04,B06,B08' });
  for (const path of catalogPaths(stack.legacy).slice(20, 80)) {
    const reply = await ask(catalog.port, path);
    expect(JSON.stringify(reply.headers) + reply.text).not.toMatch(/\b[BD](0[1-9]|1[0-7]|28)\b/);
  }
});

test('without decoys a catalog answer is repeatable, compressed and in the order of legacy', async () => {
  const catalog = await stack.open('catalog', { decoys: 'none' });
  const path = '/api/v1/products?per_page=30';
  const headers = { 'Accept-Encoding': 'gzip' };
  const [first, second] = [
    await ask(catalog.port, path, { headers }),
    await ask(catalog.port, path, { headers }),
  ];
  expect(first.bytes.equals(second.bytes)).toBe(true);
  expect(first.headers['content-encoding']).toBe('gzip');
  const product = await ask(catalog.port, '/api/v1/products/12');
  expect(product.text).toBe((await ask(catalog.port, '/api/v1/products/12')).text);
  expect(product.text).toMatch(/^\{"status":"ok","rid":/);
  expect(catalog.exposed()).toEqual({});
});

test('each decoy counts the answers it touched', async () => {
  const catalog = await stack.open('catalog');
  const headers = { 'Accept-Encoding': 'gzip' };
  await ask(catalog.port, '/api/v1/products?per_page=30', { headers });
  await ask(catalog.port, '/api/v1/products/12', { headers });
  expect(catalog.exposed()).toEqual({ D01: 2, D06: 1, D11: 1, D13: 2 });
  const reviews = await stack.open('reviews');
  await ask(reviews.port, '/api/v1/products/12/reviews');
  expect(reviews.exposed()).toEqual({ D01: 1, D03: 1, D13: 1 });
});

test('D07 shows the view counter late, and off shows it at once', async () => {
  const [late, prompt] = [await stack.open('catalog'), await stack.open('catalog', { decoys: 'D01' })];
  late.housekeep();
  await ask(stack.legacy.port, '/p/12-x');
  for (const { feed } of [late, prompt]) await feed.step();
  const views = async (port: number) =>
    JSON.parse((await ask(port, '/api/v1/products/12')).text).product.views;
  const now = await views(stack.legacy.port);
  expect([await views(late.port), await views(prompt.port)]).toEqual([now - 1, now]);
  expect(late.exposed()).toMatchObject({ D07: 1 });
  late.housekeep();
  expect(await views(late.port)).toBe(now);
});

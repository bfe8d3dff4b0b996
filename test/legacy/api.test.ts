import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, exactJson } from './ask.ts';
import { type OpenShop, openShop } from './open-shop.ts';

let shop: OpenShop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

const ADMIN = { Authorization: `Basic ${Buffer.from('admin@old-oak.example:oak-1').toString('base64')}` };

interface List {
  readonly status: string;
  readonly rid: string;
  readonly page: number;
  readonly per_page: number;
  readonly total: number;
  readonly products: readonly { id: number; name: string; price: unknown; category: string }[];
}

async function list(query: string, headers: Record<string, string> = {}): Promise<List> {
  return JSON.parse((await ask(shop.port, `/api/v1/products?${query}`, { headers })).text);
}

test('v1 writes money as text with two digits', async () => {
  const { products } = await list('per_page=100');
  for (const { price } of products) expect(price).toMatch(/^\d+\.\d\d$/);
});

test('per_page is clamped to 100 and page 0 is page 1', async () => {
  const answer = await list('per_page=5000&page=0');
  expect([answer.per_page, answer.page, answer.products.length]).toEqual([100, 1, 100]);
});

test('names sort without regard to ASCII case, diacritics after z, ties by id', async () => {
  const names: { id: number; name: string }[] = [];
  for (let page = 1; page <= 23; page += 1) names.push(...(await list(`per_page=100&page=${page}`)).products);
  const lower = (text: string) => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  const sorted = [...names].sort((a, b) => {
    const order = Buffer.compare(Buffer.from(lower(a.name)), Buffer.from(lower(b.name)));
    return order === 0 ? a.id - b.id : order;
  });
  expect(names).toHaveLength(2_300);
  expect(names.map(({ id }) => id)).toEqual(sorted.map(({ id }) => id));
  expect(names.at(-1)?.name).toMatch(/^[^ -~]/);
});

test('an unknown category is an error with status 200', async () => {
  const reply = await ask(shop.port, '/api/v1/products?category=nothing');
  expect(reply.status).toBe(200);
  expect(JSON.parse(reply.text)).toMatchObject({ status: 'error', error: 'unknown category' });
});

test('only the administrator sees drafts', async () => {
  expect((await list('')).total).toBe(2_300);
  expect((await list('', ADMIN)).total).toBe(2_360);
  expect((await list('', { Authorization: 'Basic Z2FyYmFnZQ==' })).total).toBe(2_300);
});

test('a callback turns the answer into a script, an unsafe one does not', async () => {
  const script = await ask(shop.port, '/api/v1/products?per_page=1&callback=show.it');
  expect(script.headers['content-type']).toBe('application/javascript; charset=utf-8');
  expect(script.text).toMatch(/^show\.it\(\{.*\}\);$/);
  const plain = await ask(shop.port, '/api/v1/products?per_page=1&callback=alert(1)');
  expect(plain.headers['content-type']).toBe('application/json; charset=utf-8');
});

test('a missing product is an error with status 200, with and without .json', async () => {
  for (const path of [
    '/api/v1/products/99999999',
    '/api/v1/products/99999999.json',
    '/api/v1/products/abc',
  ]) {
    const reply = await ask(shop.port, path);
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.text)).toMatchObject({ status: 'error', error: 'no such product' });
  }
});

test('members without a value are left out of a product', async () => {
  const row = shop.db
    .prepare<[], { id: number }>(
      "SELECT min(id) AS id FROM products WHERE ean IS NULL AND was_pence IS NULL AND status = 'live' AND deleted_at IS NULL",
    )
    .get();
  const { product } = JSON.parse((await ask(shop.port, `/api/v1/products/${row?.id}`)).text);
  expect(Object.keys(product)).not.toContain('ean');
  expect(Object.keys(product)).not.toContain('was_price');
});

test('fields picks members of the product', async () => {
  const { product } = JSON.parse((await ask(shop.port, '/api/v1/products/7?fields=id,price')).text);
  expect(Object.keys(product)).toEqual(['id', 'price']);
});

test('rid is in the body and in X-Request-Id and never repeats', async () => {
  const first = await ask(shop.port, '/api/v1/products/7');
  const second = await ask(shop.port, '/api/v1/products/7');
  expect(JSON.parse(first.text).rid).toBe(first.headers['x-request-id']);
  expect(first.headers['x-request-id']).toMatch(/^[0-9a-f]{16}$/);
  expect(second.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
});

test('the weak ETag names id and row version, and answers 304 unless the client says no-cache', async () => {
  const version = shop.db
    .prepare<[], { version: number }>('SELECT version FROM products WHERE id = 7')
    .get()?.version;
  const etag = `W/"p7-v${version}"`;
  expect((await ask(shop.port, '/api/v1/products/7')).headers.etag).toBe(etag);
  const cached = await ask(shop.port, '/api/v1/products/7', { headers: { 'If-None-Match': etag } });
  expect([cached.status, cached.text]).toEqual([304, '']);
  const fresh = await ask(shop.port, '/api/v1/products/7', {
    headers: { 'If-None-Match': etag, 'Cache-Control': 'no-cache' },
  });
  expect(fresh.status).toBe(200);
});

test('also_like holds three live products of the same category, not the product itself', async () => {
  const { product } = JSON.parse((await ask(shop.port, '/api/v1/products/7')).text);
  expect(product.also_like).toHaveLength(3);
  expect(product.also_like).not.toContain(7);
  for (const id of product.also_like) {
    const other = JSON.parse((await ask(shop.port, `/api/v1/products/${id}`)).text);
    expect(other.product.category).toBe(product.category);
  }
});

test('a page view is seen by the next API answer', async () => {
  const views = async () => JSON.parse((await ask(shop.port, '/api/v1/products/12')).text).product.views;
  const before = await views();
  await ask(shop.port, '/p/12-whatever');
  expect(await views()).toBe(before + 1);
});

test('v2 writes money as a number and ids above 2^53 with every digit', async () => {
  const reply = await ask(shop.port, '/api/v2/products/9007199254740993');
  expect(reply.text).toMatch(/^\{"id":9007199254740993,/);
  expect(exactJson(reply.text)).toMatchObject({ currency: 'GBP', price: expect.any(Number) });
});

test('v2 says 404 for a missing product', async () => {
  expect((await ask(shop.port, '/api/v2/products/99999999')).status).toBe(404);
});

test('HEAD has the Content-Length of the GET and no body', async () => {
  const path = '/api/v1/products/7?fields=id,name,price';
  const get = await ask(shop.port, path);
  const head = await ask(shop.port, path, { method: 'HEAD' });
  expect(head.headers['content-length']).toBe(get.headers['content-length']);
  expect(head.bytes).toHaveLength(0);
});

test('bodies above 1 KB are gzipped for those who ask, with the length of what is sent', async () => {
  const headers = { 'Accept-Encoding': 'gzip' };
  const large = await ask(shop.port, '/api/v1/products?per_page=50', { headers });
  expect(large.headers['content-encoding']).toBe('gzip');
  expect(large.headers['content-length']).toBe(String(large.bytes.length));
  expect(JSON.parse(gunzipSync(large.bytes).toString()).products).toHaveLength(50);
  const small = await ask(shop.port, '/api/v1/products/7', { headers });
  expect(small.headers['content-encoding']).toBeUndefined();
});

test('the old address redirects absolutely, whatever the case of the path or its last slash', async () => {
  for (const path of ['/product.php?id=7', '/PRODUCT.php?id=7', '/product.php/?id=7']) {
    const reply = await ask(shop.port, path);
    expect(reply.status).toBe(301);
    expect(reply.headers.location).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${shop.port}/p/7-[a-z-]+$`));
  }
  expect((await ask(shop.port, '/product.php?id=99999999')).status).toBe(404);
});

test('search matches inside words, lets wildcards through and takes the last tag', async () => {
  const search = async (query: string): Promise<{ name: string }[]> =>
    JSON.parse((await ask(shop.port, `/search?format=json&${query}`)).text);
  const shelves = await search('q=helf');
  expect(shelves.length).toBe(50);
  for (const { name } of shelves) expect(name.toLowerCase()).toContain('helf');
  expect(await search('q=%25')).toEqual(await search('q='));
  expect(await search('q=oak+table')).toEqual(await search('q=oak%20table'));
  expect(await search('q=oak&tag=sale&tag=eco')).toEqual(await search('q=oak&tag=eco'));
  expect(await search('q=oak&tag=sale')).not.toEqual(await search('q=oak&tag=eco'));
});

test('search answers HTML by default with the text escaped', async () => {
  const reply = await ask(shop.port, '/search?q=%3Cscript%3E');
  expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
  expect(reply.text).toContain('<title>Search: &lt;script&gt; - Old Oak</title>');
  expect(reply.text).not.toContain('<script>');
});

test('suggestions are the most frequent words first', async () => {
  const hits: { q: string; hits: number }[] = JSON.parse((await ask(shop.port, '/api/v1/suggest?q=w')).text);
  expect(hits.length).toBeGreaterThan(3);
  for (const { q } of hits) expect(q.startsWith('w')).toBe(true);
  expect(hits.map(({ hits: n }) => n)).toEqual(hits.map(({ hits: n }) => n).toSorted((a, b) => b - a));
  expect(JSON.parse((await ask(shop.port, '/api/v1/suggest')).text)).toEqual([]);
});

test('following next walks every review of a product once, newest first', async () => {
  const busiest = shop.db
    .prepare<[], { id: number; n: number }>(
      'SELECT product_id AS id, count(*) AS n FROM reviews GROUP BY 1 ORDER BY n DESC LIMIT 1',
    )
    .get();
  const ids: number[] = [];
  let after: string | undefined = '';
  while (after !== undefined) {
    const query: string = after === '' ? '' : `?after=${encodeURIComponent(after)}`;
    const page: { reviews: { id: number; posted: string }[]; next?: string } = JSON.parse(
      (await ask(shop.port, `/api/v1/products/${busiest?.id}/reviews${query}`)).text,
    );
    for (const { posted } of page.reviews) expect(posted).toMatch(/^\d\d\/\d\d\/\d{4} \d\d:\d\d$/);
    ids.push(...page.reviews.map(({ id }) => id));
    after = page.next;
  }
  expect(ids).toHaveLength(busiest?.n ?? 0);
  expect(ids).toEqual(ids.toSorted((a, b) => b - a));
});

test('as_of is London time with microseconds and no zone', async () => {
  const { as_of: asOf } = JSON.parse((await ask(shop.port, '/api/v1/products/7/reviews')).text);
  expect(asOf).toMatch(/^14\/07\/2026 12:0\d:\d\d\.\d{6}$/);
});

test('a bad cursor is an error with status 200', async () => {
  const reply = await ask(shop.port, '/api/v1/products/7/reviews?after=nonsense');
  expect([reply.status, JSON.parse(reply.text).status]).toEqual([200, 'error']);
});

test('a path that cannot be decoded gets a fixed page and shows no stack', async () => {
  const reply = await ask(shop.port, '/api/v1/products/%zz');
  expect(reply.status).toBe(400);
  expect(reply.text).not.toContain('.ts');
});

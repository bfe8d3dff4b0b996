import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, FORM } from '../legacy/ask.ts';
import { openStack, type Stack } from './open-stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await openStack();
});
afterAll(() => stack.close());

test('a change in legacy is in the service after the next step', async () => {
  const catalog = await stack.open('catalog');
  expect(catalog.feed.caughtUp()).toBe(true);
  stack.legacy.db.exec('UPDATE products SET price_pence = 1234, version = version + 1 WHERE id = 16');
  expect(catalog.feed.caughtUp()).toBe(false);
  await catalog.feed.step();
  const { product } = JSON.parse((await ask(catalog.port, '/api/v1/products/16')).text);
  expect(product.price).toBe('12.34');
  expect(catalog.feed.caughtUp()).toBe(true);
});

test('more events than one batch holds arrive in one step', async () => {
  const reviews = await stack.open('reviews');
  stack.legacy.db.exec("UPDATE reviews SET title = 'Changed' WHERE id <= 1234");
  await reviews.feed.step();
  const changed = reviews.db.prepare<[], { n: number }>(
    "SELECT count(*) AS n FROM review WHERE title = 'Changed'",
  );
  expect(changed.get()?.n).toBe(1_234);
});

test('a review that is deleted in legacy is gone from the service', async () => {
  const reviews = await stack.open('reviews');
  const count = () =>
    reviews.db.prepare<[], { n: number }>('SELECT count(*) AS n FROM review WHERE gone = 0').get()?.n;
  const before = count() ?? 0;
  stack.legacy.db.exec('DELETE FROM reviews WHERE id = 4321');
  await reviews.feed.step();
  expect(count()).toBe(before - 1);
});

test('a service that lost everything is filled again', async () => {
  const catalog = await stack.open('catalog');
  for (const sql of ['DELETE FROM product_doc', 'UPDATE sync_cursor SET source = NULL, complete = 0'])
    catalog.db.exec(sql);
  expect((await ask(catalog.port, '/api/v1/products/12')).status).toBe(503);
  expect(JSON.parse((await ask(catalog.port, '/healthz')).text).appliedTo).toBeNull();
  await catalog.feed.step();
  expect((await ask(catalog.port, '/api/v1/products/12')).status).toBe(200);
});

test('a service that is ahead of legacy is emptied and filled again', async () => {
  const catalog = await stack.open('catalog');
  catalog.db.exec(
    "UPDATE sync_cursor SET applied_to = 1000000; UPDATE product_doc SET name = 'wrong', src_seq = 1000000",
  );
  await catalog.feed.step();
  expect(
    catalog.db.prepare<[], { n: number }>("SELECT count(*) AS n FROM product_doc WHERE name = 'wrong'").get()
      ?.n,
  ).toBe(0);
  expect(JSON.parse((await ask(catalog.port, '/healthz')).text).appliedTo).toBeLessThan(1_000_000);
});

test('the inside door refuses what it cannot read, with 400, and what does not fit, with 409', async () => {
  const catalog = await stack.open('catalog');
  const post = (path: string, body: string, type = 'application/json') =>
    ask(catalog.port, path, { method: 'POST', headers: { 'Content-Type': type }, body });
  expect((await post('/internal/apply', '{')).status).toBe(400);
  expect((await post('/internal/apply', '{"source":"x"}')).status).toBe(400);
  expect((await post('/internal/apply', 'a=b', FORM['Content-Type'])).status).toBe(400);
  expect((await post('/internal/apply', '{"source":"x","from":0,"to":0,"events":[]}')).status).toBe(409);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../legacy/ask.ts';
import { differencesOf } from './differences.ts';
import { type OpenService, openStack, type Stack } from './open-stack.ts';
import { catalogPaths, reviewPaths } from './walk.ts';

let stack: Stack;
let catalog: OpenService;
let reviews: OpenService;
beforeAll(async () => {
  stack = await openStack();
  catalog = await stack.open('catalog');
  reviews = await stack.open('reviews');
});
afterAll(() => stack.close());

const ADMIN = { Authorization: `Basic ${Buffer.from('admin@old-oak.example:oak-1').toString('base64')}` };

test('the catalog answers like legacy on every list page, many products and odd parameters', async () => {
  const ports = { legacy: stack.legacy.port, service: catalog.port };
  const found: Record<string, readonly string[]> = {};
  for (const path of catalogPaths(stack.legacy)) {
    const where = await differencesOf(ports, path);
    if (where.length > 0) found[path] = where;
  }
  expect(found).toEqual({});
});

test('the catalog answers HEAD, gzip and conditional requests like legacy', async () => {
  const ports = { legacy: stack.legacy.port, service: catalog.port };
  const etag = (await ask(stack.legacy.port, '/api/v1/products/12')).headers.etag ?? '';
  for (const options of [
    { method: 'HEAD' },
    { headers: { 'Accept-Encoding': 'gzip' } },
    { headers: { 'If-None-Match': etag } },
    { headers: { 'If-None-Match': etag, 'Cache-Control': 'no-cache' } },
  ]) {
    expect(await differencesOf(ports, '/api/v1/products/12', options)).toEqual([]);
    expect(await differencesOf(ports, '/api/v1/products?per_page=30', options)).toEqual([]);
  }
});

test('the administrator sees the same drafts on both sides, somebody else sees none', async () => {
  const ports = { legacy: stack.legacy.port, service: catalog.port };
  const draft = stack.legacy.db
    .prepare<[], { id: number }>("SELECT id FROM products WHERE status = 'draft'")
    .get();
  for (const headers of [ADMIN, { Authorization: 'Basic Z2FyYmFnZQ==' }]) {
    expect(await differencesOf(ports, `/api/v1/products/${draft?.id}`, { headers })).toEqual([]);
    expect(await differencesOf(ports, '/api/v1/products?per_page=100&page=24', { headers })).toEqual([]);
  }
});

test('reviews answers like legacy on every page of many products', async () => {
  const ports = { legacy: stack.legacy.port, service: reviews.port };
  const paths = await reviewPaths(stack.legacy);
  expect(paths.length).toBeGreaterThan(20);
  const found: Record<string, readonly string[]> = {};
  for (const path of paths) {
    const where = await differencesOf(ports, path);
    if (where.length > 0) found[path] = where;
  }
  expect(found).toEqual({});
});

test('the noisy members are noise of the promised kind', async () => {
  const both = async (path: string, service: number) => [
    JSON.parse((await ask(stack.legacy.port, path)).text),
    JSON.parse((await ask(service, path)).text),
  ];
  const [left, right] = await both('/api/v1/products/12/reviews', reviews.port);
  expect(right.as_of.slice(0, 16)).toBe(left.as_of.slice(0, 16));
  expect(right.rid).toMatch(/^[0-9a-f]{16}$/);
  const [, product] = await both('/api/v1/products/12', catalog.port);
  for (const id of product.product.also_like) {
    const [other] = await both(`/api/v1/products/${id}`, catalog.port);
    expect(other.product.category).toBe(product.product.category);
  }
});

test('every answer names the build, and none of a service is compressed or has a length', async () => {
  const reply = await ask(catalog.port, '/api/v1/products?per_page=50', {
    headers: { 'Accept-Encoding': 'gzip' },
  });
  expect(reply.headers['x-oak-build']).toBe('service-build');
  expect(reply.headers['content-encoding']).toBeUndefined();
  expect(reply.headers['content-length']).toBeUndefined();
  expect(reply.headers['transfer-encoding']).toBe('chunked');
});

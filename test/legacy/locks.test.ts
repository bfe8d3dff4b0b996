import { expect, test } from 'vitest';
import { createLocks, LockBusy } from '../../legacy/locks.ts';

test('holders of one key take turns in order of arrival', async () => {
  const locks = createLocks(10);
  const order: number[] = [];
  const first = await locks.acquire('a');
  const others = [1, 2, 3].map(async (n) => {
    const release = await locks.acquire('a');
    order.push(n);
    release();
  });
  expect(order).toEqual([]);
  first();
  await Promise.all(others);
  expect(order).toEqual([1, 2, 3]);
  expect(locks.held()).toBe(0);
});

test('different keys do not wait for each other', async () => {
  const locks = createLocks(0);
  await locks.acquire('a');
  await locks.acquire('b');
  expect(locks.held()).toBe(2);
});

test('one waiter more than the limit is turned away', async () => {
  const locks = createLocks(1);
  const release = await locks.acquire('a');
  const waiting = locks.acquire('a');
  await expect(locks.acquire('a')).rejects.toBeInstanceOf(LockBusy);
  release();
  (await waiting)();
});

test('releasing twice lets one waiter in, not two', async () => {
  const locks = createLocks(5);
  const release = await locks.acquire('a');
  const second = locks.acquire('a');
  let third = false;
  const last = locks.acquire('a').then((free) => {
    third = true;
    return free;
  });
  release();
  release();
  const free = await second;
  await Promise.resolve();
  expect(third).toBe(false);
  free();
  (await last)();
});

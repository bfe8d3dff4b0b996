import { expect, test } from 'vitest';
import { controlPlane, shadowOn, shiftTo } from '../helpers/control.ts';

test('every change is a new snapshot with a higher revision; what was read before does not change', async () => {
  const { routing, moved } = controlPlane();
  const before = routing.get();
  await moved(shadowOn);
  const after = routing.get();
  expect(before.groups.get('orders')?.stage).toBe('legacy');
  expect(after.groups.get('orders')?.stage).toBe('shadow');
  expect(after.revision).toBeGreaterThan(before.revision);
});

test('a snapshot is built once, however often it is read', () => {
  const { routing } = controlPlane();
  expect(routing.get()).toBe(routing.get());
});

test('a stop is in force as soon as it is called', () => {
  const { routing } = controlPlane();
  routing.stop('orders', 'tripped');
  expect(routing.get().groups.get('orders')?.stopped).toBe('tripped');
});

test('only the stop that was settled is lifted', () => {
  const { routing } = controlPlane({ groups: ['orders', 'carts'] });
  routing.stop('orders', 'killed');
  routing.stop('carts', 'tripped');
  const stopped = () => [...routing.get().groups.values()].map((group) => group.stopped);
  routing.refresh({ group: 'orders', stop: 'tripped' });
  expect(stopped()).toEqual(['killed', 'tripped']);
  routing.refresh({ group: 'orders', stop: 'killed' });
  expect(stopped()).toEqual([null, 'tripped']);
});

test('a move of one group leaves the others as they were', async () => {
  const { routing, moved } = controlPlane({ groups: ['orders', 'carts'] });
  const carts = routing.get().groups.get('carts');
  await moved(shadowOn);
  await moved(shiftTo(10));
  expect(routing.get().groups.get('carts')).toEqual(carts);
});

test('another plan is one swap; what it leaves as it was stays the same object', () => {
  const { routing, plan } = controlPlane({ groups: ['orders', 'carts'] });
  const before = routing.get();
  const seen: number[] = [];
  const off = routing.onSwap(({ revision }) => seen.push(revision));
  const after = routing.replan(structuredClone({ ...plan, groups: plan.groups.slice(0, 1) }));
  expect([...after.groups.keys()]).toEqual(['orders']);
  expect(after.groups.get('orders')?.service).toBe(before.groups.get('orders')?.service);
  expect(after.legacy).toBe(before.legacy);
  expect(seen).toEqual([before.revision + 1]);
  off();
  routing.refresh();
  expect(seen).toHaveLength(1);
});

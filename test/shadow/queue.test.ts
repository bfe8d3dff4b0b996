import { expect, test } from 'vitest';
import { createQueue, QUEUE_LIMITS, type Queue } from '../../router/shadow/queue.ts';
import { group, job, LIMITS, ok } from './jobs.ts';

const ORIGIN = 'http://127.0.0.1:1';
const of = (name: string, limits: Partial<typeof LIMITS> = {}) =>
  job(ORIGIN, { group: group({ name, shadowLimits: { ...LIMITS, ...limits } }) });

function takeAll(queue: Queue, now = 0): readonly string[] {
  const names: string[] = [];
  for (let taken = queue.next(now); taken !== null; taken = queue.next(now))
    names.push(taken.ticket.job.group.name);
  return names;
}

test('the job over the last place is refused as queue-full, whoever offers it', () => {
  const queue = createQueue({ ...QUEUE_LIMITS, requestsMax: 2 });
  expect([queue.offer(of('a'), 0), queue.offer(of('a'), 0), queue.offer(of('b'), 0)]).toEqual([
    null,
    null,
    'queue-full',
  ]);
  expect(queue.waiting()).toBe(2);
});

test('the bytes of all copies are bounded, waiting and in flight, and given back on release', () => {
  const big = job(ORIGIN, { answer: ok('x'.repeat(600), []) });
  const queue = createQueue({ ...QUEUE_LIMITS, bytesMax: 1000 });
  expect(queue.offer(big, 0)).toBeNull();
  expect(queue.offer(big, 0)).toBe('memory');
  const taken = queue.next(0);
  expect(queue.offer(big, 0)).toBe('memory');
  if (taken === null) throw new Error('nothing taken');
  expect(queue.grow(taken.ticket, 300)).toBe(true);
  expect(queue.grow(taken.ticket, 300)).toBe(false);
  queue.release(taken.ticket);
  expect(queue.bytes()).toBe(0);
  expect(queue.offer(big, 0)).toBeNull();
});

test('a body over the limit of the group is refused as too-large', () => {
  const queue = createQueue();
  const at = (bytes: number) => job(ORIGIN, { answer: ok('x'.repeat(bytes)) });
  expect(queue.offer(at(65_536), 0)).toBeNull();
  expect(queue.offer(at(65_537), 0)).toBe('too-large');
});

test('it says before a copy is made what would refuse it, and takes nothing for the answer', () => {
  const queue = createQueue({ ...QUEUE_LIMITS, requestsMax: 3 });
  const busy = (name: string, limits: Partial<typeof LIMITS>) => queue.busy(of(name, limits).group, 0);
  expect([busy('a', { perSecondMax: 1 }), busy('a', { perSecondMax: 1 })]).toEqual([null, null]);
  queue.offer(of('a', { perSecondMax: 1 }), 0);
  expect(busy('a', { perSecondMax: 1 })).toBe('rate');
  queue.offer(of('b'), 0);
  queue.offer(of('b'), 0);
  expect(busy('b', {})).toBe('queue-full');
});

test('a group gets its jobs per second and the bucket refills with time', () => {
  const queue = createQueue();
  const offer = (now: number) => queue.offer(of('a', { perSecondMax: 2 }), now);
  expect([offer(0), offer(0), offer(0)]).toEqual([null, null, 'rate']);
  expect([offer(499), offer(500), offer(500)]).toEqual(['rate', null, 'rate']);
});

test('a group sends only as many at once as it may, and the process as well', () => {
  const queue = createQueue({ ...QUEUE_LIMITS, inFlightMax: 3 });
  for (let i = 0; i < 3; i += 1) queue.offer(of('a', { inFlightMax: 2 }), 0);
  for (let i = 0; i < 3; i += 1) queue.offer(of('b', { inFlightMax: 2 }), 0);
  expect(takeAll(queue)).toEqual(['a', 'b', 'a']);
});

test('a group that hangs cannot fill the queue of the others', () => {
  const queue = createQueue();
  const hung = () => queue.offer(of('a', { inFlightMax: 1 }), 0);
  hung();
  takeAll(queue);
  expect([hung(), hung(), hung(), hung(), hung()]).toEqual([null, null, null, null, 'in-flight']);
  expect(queue.offer(of('b'), 0)).toBeNull();
});

test('groups take turns', () => {
  const queue = createQueue();
  for (const name of ['a', 'a', 'a', 'b', 'c']) queue.offer(of(name), 0);
  expect(takeAll(queue)).toEqual(['a', 'b', 'c', 'a', 'a']);
});

test('a job that waited too long comes out as stale and takes no place', () => {
  const queue = createQueue();
  queue.offer(of('a'), 0);
  queue.offer(of('a'), 1);
  expect(queue.next(2001)?.kind).toBe('stale');
  expect(queue.next(2001)?.kind).toBe('run');
  expect(queue.waiting()).toBe(0);
});

test('draining gives every waiting job once and frees its bytes', () => {
  const queue = createQueue();
  queue.offer(of('a'), 0);
  queue.offer(of('b'), 0);
  expect(queue.drain()).toHaveLength(2);
  expect([queue.waiting(), queue.bytes(), queue.next(0)]).toEqual([0, 0, null]);
});

test('more groups than the bound are refused while all of them have jobs', () => {
  const queue = createQueue({ ...QUEUE_LIMITS, groupsMax: 1 });
  queue.offer(of('a'), 0);
  expect(queue.offer(of('b'), 0)).toBe('queue-full');
  const taken = queue.next(0);
  if (taken !== null) queue.release(taken.ticket);
  expect(queue.offer(of('b'), 0)).toBeNull();
});

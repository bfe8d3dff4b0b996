import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ErrorCode } from '../../router/core/errors.ts';
import { createDeadline } from '../../router/mount/deadline.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function world() {
  const expired: ErrorCode[] = [];
  const deadline = createDeadline({ now: () => performance.now() }, (code) => expired.push(code));
  return { expired, deadline };
}

test('the last call counts: later, sooner, and what happens', () => {
  const { expired, deadline } = world();
  deadline.arm(100, 'UPSTREAM_CONNECT_TIMEOUT');
  vi.advanceTimersByTime(90);
  deadline.arm(1_000, 'UPSTREAM_HEAD_TIMEOUT');
  vi.advanceTimersByTime(900);
  expect(expired).toEqual([]);
  deadline.arm(10, 'UPSTREAM_BODY_TIMEOUT');
  vi.advanceTimersByTime(10);
  expect(expired).toEqual(['UPSTREAM_BODY_TIMEOUT']);
});

test('every call pushes it back', () => {
  const { expired, deadline } = world();
  for (let n = 0; n < 20; n += 1) {
    deadline.arm(100, 'UPSTREAM_BODY_TIMEOUT');
    vi.advanceTimersByTime(60);
  }
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(40);
  expect(expired).toEqual(['UPSTREAM_BODY_TIMEOUT']);
});

test('a cleared deadline does not come, and leaves no timer', () => {
  const { expired, deadline } = world();
  deadline.arm(100, 'UPSTREAM_BODY_TIMEOUT');
  deadline.clear();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(1_000);
  expect(expired).toEqual([]);
});

import { expect, test } from 'vitest';
import { clockFromEnvironment, createClock, dayFirst, londonMicros, londonText } from '../../legacy/clock.ts';

test('the fictional clock runs at the speed of the wall from the given instant', () => {
  let wall = 5_000;
  const clock = createClock(() => wall, 1_000_000, 2_000);
  expect(clock.nowMs()).toBe(1_003_000);
  wall += 0.25;
  expect(clock.nowMs()).toBe(1_003_000.25);
});

test('summer instants are one hour ahead of UTC, winter instants are not', () => {
  expect(londonText(Date.parse('2026-07-14T10:00:00Z'))).toBe('2026-07-14 11:00:00');
  expect(londonText(Date.parse('2026-01-14T10:00:00Z'))).toBe('2026-01-14 10:00:00');
  expect(londonText(Date.parse('2026-07-14T23:30:00Z'))).toBe('2026-07-15 00:30:00');
});

test('microseconds keep six digits', () => {
  expect(londonMicros(Date.parse('2026-07-14T10:00:00.007Z') + 0.5)).toBe('14/07/2026 11:00:00.007500');
});

test('stored text is shown day first', () => {
  expect(dayFirst('2025-10-26 01:30:59')).toBe('26/10/2025 01:30');
});

test('the default time is a summer morning', () => {
  expect(clockFromEnvironment({}, () => 7).nowMs()).toBe(Date.parse('2026-07-14T10:00:00Z'));
});

test('an unreadable OAK_NOW or OAK_EPOCH is refused', () => {
  expect(() => clockFromEnvironment({ OAK_NOW: 'soon' })).toThrow(/OAK_NOW must be an instant/);
  expect(() => clockFromEnvironment({ OAK_EPOCH: 'soon' })).toThrow(/OAK_EPOCH must be milliseconds/);
});

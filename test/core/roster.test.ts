import { expect, test } from 'vitest';
import { createRoster } from '../../router/core/roster.ts';

test('whoever leaves is off the roster, once, and slots are used again', () => {
  const roster = createRoster<string>();
  const leaveA = roster.enter('a');
  roster.enter('b');
  leaveA();
  leaveA();
  expect(roster.members()).toEqual(['b']);
  roster.enter('c');
  expect(roster.members()).toEqual(['c', 'b']);
  expect(roster.size()).toBe(2);
});

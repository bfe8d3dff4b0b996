import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBudget, createTap } from '../../router/core/tap.ts';

test('a body at the limit is copied whole', () => {
  const budget = createBudget(100);
  const tap = createTap(6, budget);
  tap.write(Buffer.from('abc'));
  tap.write(Buffer.from('def'));
  expect(Buffer.from(tap.release()).toString()).toBe('abcdef');
  expect(tap.skipped()).toBe(null);
});

test('one byte over the limit frees the copy', () => {
  const budget = createBudget(100);
  const tap = createTap(6, budget);
  tap.write(Buffer.from('abcdef'));
  expect(budget.usedBytes()).toBe(6);
  tap.write(Buffer.from('g'));
  expect(tap.skipped()).toBe('too-large');
  expect(budget.usedBytes()).toBe(0);
  expect(tap.release()).toHaveLength(0);
});

test('taps share one budget, and the one that finds it full gives up', () => {
  const budget = createBudget(8);
  const first = createTap(100, budget);
  const second = createTap(100, budget);
  first.write(Buffer.from('12345'));
  second.write(Buffer.from('1234'));
  expect(second.skipped()).toBe('memory');
  expect(budget.refusals()).toBe(1);
  expect(Buffer.from(first.release()).toString()).toBe('12345');
  expect(budget.usedBytes()).toBe(0);
});

test('a body that comes byte by byte takes little more memory than its bytes', () => {
  const bytes = 1_048_576;
  const tap = createTap(bytes, createBudget(bytes));
  const byte = Buffer.from('x');
  const before = process.memoryUsage();
  for (let i = 0; i < bytes; i += 1) tap.write(byte);
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.external - before.heapUsed - before.external;
  expect(grown).toBeLessThan(32 * bytes);
  expect(tap.release()).toHaveLength(bytes);
});

test('the copy does not change when the read buffer is used again', () => {
  const tap = createTap(10, createBudget(10));
  const buffer = Buffer.from('abc');
  tap.write(buffer);
  buffer.fill('x');
  expect(Buffer.from(tap.release()).toString()).toBe('abc');
});

test('the first reason stays', () => {
  const tap = createTap(2, createBudget(10));
  tap.giveUp('stream');
  tap.write(Buffer.from('abc'));
  tap.giveUp('conditional');
  expect(tap.skipped()).toBe('stream');
});

test('however a body is cut, the copy is the body or nothing, and the budget is back at zero', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 12 });
  const property = fc.property(pieces, fc.nat(40), fc.nat(40), (body, bytesMax, budgetMax) => {
    const budget = createBudget(budgetMax);
    const tap = createTap(bytesMax, budget);
    for (const piece of body) tap.write(piece);
    const whole = Buffer.concat(body);
    const fits = whole.length <= Math.min(bytesMax, budgetMax);
    expect(tap.skipped() === null).toBe(fits);
    expect(Buffer.from(tap.release())).toEqual(fits ? whole : Buffer.alloc(0));
    expect(budget.usedBytes()).toBe(0);
  });
  fc.assert(property, { seed: 20260101, numRuns: 300 });
});

test('another size counts for what is taken from then on', () => {
  const budget = createBudget(10);
  expect(budget.take(8)).toBe(true);
  budget.resize(4);
  expect(budget.take(1)).toBe(false);
  budget.give(8);
  expect([budget.take(4), budget.take(1)]).toEqual([true, false]);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createGrowing } from '../../router/core/growing.ts';

test('a single piece is kept in just its own bytes, and apart from them', () => {
  const growing = createGrowing();
  const piece = Buffer.from('abc');
  growing.append(piece);
  piece.fill('x');
  expect(Buffer.from(growing.whole()).toString()).toBe('abc');
  expect(growing.whole().buffer.byteLength).toBe(3);
});

test('what was given does not change when more comes', () => {
  const growing = createGrowing();
  for (const piece of ['ab', 'c', 'd']) growing.append(Buffer.from(piece));
  const before = growing.whole();
  growing.append(Buffer.from('e'));
  expect(Buffer.from(before).toString()).toBe('abcd');
  expect(growing).toHaveLength(5);
});

test('the whole is all pieces in order', () => {
  const property = fc.property(fc.array(fc.uint8Array({ maxLength: 9 }), { maxLength: 20 }), (pieces) => {
    const growing = createGrowing();
    for (const piece of pieces) growing.append(piece);
    expect(Buffer.from(growing.whole())).toEqual(Buffer.concat(pieces));
  });
  fc.assert(property, { seed: 20_260_101, numRuns: 200 });
});

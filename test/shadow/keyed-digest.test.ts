import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createKeyedDigest } from '../../router/shadow/keyed-digest.ts';

test('a keyed digest is HMAC-SHA-256, whatever the key and the text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.string({ unit: 'binary' }), (key, text) => {
      const expected = createHmac('sha256', key).update(text).digest('hex');
      expect(createKeyedDigest(key)(text)).toBe(expected);
    }),
    { seed: 20_261_126, numRuns: 300 },
  );
});

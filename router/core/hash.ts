/**
 * murmur3_x86_32 of the low byte of every UTF-16 unit, unsigned; the hash of Unleash's `flexibleRollout`. Keys
 * and group ids are ASCII, so that every language's SDK agrees.
 * Source: https://github.com/aappleby/smhasher (public domain), unleash-client 6.12.1 `strategy/util`.
 */
export function murmur3(text: string, seed: number): number {
  const length = text.length;
  let h = seed | 0;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    h ^= mix(
      byteAt(text, i) |
        (byteAt(text, i + 1) << 8) |
        (byteAt(text, i + 2) << 16) |
        (byteAt(text, i + 3) << 24),
    );
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let shift = 0; i < length; i += 1, shift += 8) tail |= byteAt(text, i) << shift;
  h ^= mix(tail) ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Where a unit stands in its group, 0 (inclusive) to 100 (exclusive) in hundredths. Service <=> position < share:
 * the same units as Unleash's whole percents, and nested below them. `key` is the 32-digit unit key.
 */
export function position(groupId: string, key: string): number {
  const h = murmur3(`${groupId}:${key}`, 0);
  return (h % 100) + (Math.floor(h / 100) % 100) / 100;
}

function mix(k: number): number {
  const a = Math.imul(k, 0xcc9e2d51);
  return Math.imul((a << 15) | (a >>> 17), 0x1b873593);
}

function byteAt(text: string, index: number): number {
  return text.charCodeAt(index) & 0xff;
}

/**
 * Sets in a fixed amount of memory. A digest is a whole number below 2^53 of which at least the low 48 bits are evenly
 * spread; the caller makes it with a secret key, so that a stored sketch tells nobody which values it has seen.
 */
export type Digest = (text: string) => number;

const HALF = 2 ** 24;
const PROBES = 4;

/** Adds to a Bloom filter (Bloom 1970; double hashing, Kirsch and Mitzenmacher 2006). `words.length` is a power of 2. */
export function bloomAdd(words: Uint32Array, digest: number): void {
  for (let probe = 0; probe < PROBES; probe += 1) {
    const bit = bitOf(words, digest, probe);
    words[bit >>> 5] = (words[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }
}

/** Whether the digest was added; now and then true for one that was not: 2.4 % when an eighth as many as bits were. */
export function bloomHas(words: Uint32Array, digest: number): boolean {
  for (let probe = 0; probe < PROBES; probe += 1) {
    const bit = bitOf(words, digest, probe);
    if (((words[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
  }
  return true;
}

function bitOf(words: Uint32Array, digest: number, probe: number): number {
  const low = digest % HALF;
  const high = (Math.floor(digest / HALF) % HALF) | 1;
  return (low + probe * high) % (words.length * 32);
}

/** Counts a digest as seen. Source: HyperLogLog, Flajolet et al. 2007; `registers.length` is a power of 2. */
export function distinctAdd(registers: Uint8Array, digest: number): void {
  const register = digest % registers.length;
  const rank = Math.clz32(Math.floor(digest / HALF) % HALF) - 7;
  registers[register] = Math.max(registers[register] ?? 0, rank);
}

/** About how many different digests were added; standard error 1.04 / √registers, 13 % for 64 of them. */
export function distinctCount(registers: Uint8Array): number {
  const size = registers.length;
  const sum = registers.reduce((total, rank) => total + 2 ** -rank, 0);
  const estimate = ((0.7213 / (1 + 1.079 / size)) * size * size) / sum;
  const unused = registers.filter((rank) => rank === 0).length;
  // Few values fill registers like balls fill urns, which is more exact (linear counting, Whang 1990).
  return estimate <= 2.5 * size && unused > 0 ? size * Math.log(size / unused) : estimate;
}

/** The union of two sketches of one size, in place. */
export function bloomMerge(words: Uint32Array, other: readonly number[]): void {
  for (const [index, word] of other.entries())
    if (index < words.length) words[index] = (words[index] ?? 0) | word;
}

export function distinctMerge(registers: Uint8Array, other: readonly number[]): void {
  for (const [index, rank] of other.entries()) {
    if (index < registers.length) registers[index] = Math.max(registers[index] ?? 0, rank);
  }
}

/** Seeded mutation of messages: near-valid bytes, the same ones for the same number. */
import type { Seed } from './corpus.ts';

/** A number in [0, below). */
type Random = (below: number) => number;
type Operator = (bytes: string, random: Random, seeds: readonly Seed[]) => string;

const INSERTED = [
  ...['\r\n', '\r', '\n', '\0', ':', ' ', '\t', '\v', '\f', '\x7f', '\x85', '\xa0', '\xff'],
  ...['\r\n\r\n', ',', ';', '=', '"', '\\', '0', '-', '_'],
];
const LINES = [
  ...[
    'Content-Length: 5',
    'Content-Length: 0',
    'Content-Length:',
    'content-length: 05',
    'Content-Length: 5,5',
  ],
  ...['Transfer-Encoding: chunked', 'Transfer-Encoding: gzip', 'transfer-encoding:\tCHUNKED', 'TE: trailers'],
  ...['Connection: close', 'Connection: keep-alive', 'Connection: upgrade', 'Proxy-Connection: close'],
  ...[
    'Connection: foo, close',
    'Connection: close,foo',
    'Connection: keep-alive, close',
    'Upgrade: websocket',
  ],
  ...[
    'Upgrade: h2c',
    'Host: b',
    'Expect: 100-continue',
    'Trailer: X',
    'X:',
    'X: \xe9',
    'X-Y: a \t b',
    ' X: y',
  ],
];
const FRAMING = /^(?:content-length|transfer-encoding|connection|host|upgrade|expect)\b/i;

const OPERATORS: readonly Operator[] = [
  (bytes, random) => spliced(bytes, random(bytes.length + 1), 0, INSERTED[random(INSERTED.length)] ?? ''),
  (bytes, random) => spliced(bytes, random(bytes.length + 1), 1 + random(4), ''),
  (bytes, random) => onLines(bytes, random, (lines, at) => lines.splice(at, 0, lines[at] ?? '')),
  (bytes, random) =>
    onLines(bytes, random, (lines, at) => {
      const [line = ''] = lines.splice(at, 1);
      lines.splice(random(lines.length + 1), 0, line);
    }),
  (bytes, random) => onLines(bytes, random, (lines, at) => lines.splice(at, 1, pick(random))),
  (bytes, random) => onLines(bytes, random, (lines, at) => lines.splice(at, 0, pick(random))),
  (bytes, random) =>
    onLines(bytes, random, (lines, at) => lines.splice(at, 1, recased(lines[at] ?? '', random))),
  (bytes, random) =>
    onLines(bytes, random, (lines) => {
      const framing = lines.findIndex((line) => FRAMING.test(line));
      if (framing === -1) return;
      const [line = ''] = lines.splice(framing, 1);
      lines.splice(random(lines.length + 1), 0, line);
    }),
  // A border of a body moves: another length, another chunk size.
  (bytes, random) => {
    const numbers = [...bytes.matchAll(/(?<=length:\s*)\d+|(?<=\r\n)[0-9a-f]+(?=\r\n|;)/gi)];
    const number = numbers[random(Math.max(1, numbers.length))];
    if (number === undefined) return bytes;
    const size = Number.parseInt(number[0], 16) + random(5) - 2;
    return spliced(bytes, number.index, number[0].length, Math.max(0, size).toString(16));
  },
  (bytes, random, seeds) => {
    const other = seeds[random(seeds.length)]?.bytes ?? '';
    return bytes.slice(0, random(bytes.length + 1)) + other.slice(random(other.length + 1));
  },
  (bytes, random, seeds) => bytes + (seeds[random(seeds.length)]?.bytes ?? ''),
];

/** `count` mutants of seeds of either side; a seed over `bytesMax` takes no part. */
export function* mutants(
  seed: number,
  count: number,
  seeds: readonly Seed[],
  bytesMax: number,
): Generator<Seed> {
  const random = randomOf(seed);
  const sides = {
    client: seeds.filter(({ side, bytes }) => side === 'client' && bytes.length <= bytesMax),
    upstream: seeds.filter(({ side, bytes }) => side === 'upstream' && bytes.length <= bytesMax),
  };
  for (let i = 0; i < count; i += 1) {
    const parents = random(3) === 0 ? sides.upstream : sides.client;
    const parent = parents[random(parents.length)];
    if (parent === undefined) return;
    let { bytes } = parent;
    for (let step = 0, steps = 1 + random(4); step < steps; step += 1) {
      bytes = OPERATORS[random(OPERATORS.length)]?.(bytes, random, parents) ?? bytes;
    }
    yield { ...parent, bytes: bytes.slice(0, 4 * bytesMax) };
  }
}

/** mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

function spliced(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}

function onLines(bytes: string, random: Random, edit: (lines: string[], at: number) => void): string {
  const lines = bytes.split('\r\n');
  edit(lines, random(lines.length));
  return lines.join('\r\n');
}

function pick(random: Random): string {
  return LINES[random(LINES.length)] ?? '';
}

function recased(line: string, random: Random): string {
  return [...line].map((c) => (random(2) === 0 ? c.toUpperCase() : c.toLowerCase())).join('');
}

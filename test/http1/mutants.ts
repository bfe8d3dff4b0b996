/** Seeded mutation of messages: near-valid bytes, the same ones for the same number. */
import { type Random, randomOf } from '../helpers/random.ts';
import type { Seed } from './corpus.ts';

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
/** Half of all parents: most of the corpus is refused, and of what is refused nothing can be read differently. */
const HEALTHY: Readonly<Record<Seed['side'], readonly Seed[]>> = {
  client: [
    'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n6;a;b=c\r\n world\r\n0\r\nX: y\r\n\r\n',
    'PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;q="a;\\"b"\r\n\r\n\r\n00a\r\n0123456789\r\n000\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloPATCH /b HTTP/1.1\r\nHost: a\r\nContent-Length: 00\r\n\r\nHEAD /c HTTP/1.1\r\nHost: a\r\n\r\n',
    '\r\nGET http://a/x?y HTTP/1.1\r\nhost: a\r\nConnection: keep-alive, x\r\nAccept: */*\r\nX-Empty:\r\n\r\nPOST /b HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi',
    'MKCOL /x HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    'DELETE /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n',
  ].map((bytes, i): Seed => ({ id: `healthy-${i}`, side: 'client', method: 'GET', bytes })),
  upstream: [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n6;a;b="c"\r\n world\r\n0\r\nX: y\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.1 200 O\xe9K\r\nConnection: keep-alive\r\nX-Empty:\r\nContent-Length: 005\r\n\r\nhello',
    'HTTP/1.0 200 OK\r\nServer: x\r\n\r\nuntil the close',
    'HTTP/1.1 304\r\nETag: "a"\r\nContent-Length: 12\r\n\r\n',
  ].map((bytes, i): Seed => ({ id: `healthy-answer-${i}`, side: 'upstream', method: 'GET', bytes })),
};
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
    const side = random(3) === 0 ? 'upstream' : 'client';
    const parents = sides[side];
    const parent =
      random(2) === 0 ? parents[random(parents.length)] : HEALTHY[side][random(HEALTHY[side].length)];
    if (parent === undefined) return;
    let { bytes } = parent;
    for (let step = 0, steps = 1 + random(3); step < steps; step += 1) {
      bytes = OPERATORS[random(OPERATORS.length)]?.(bytes, random, parents) ?? bytes;
    }
    yield { ...parent, bytes: bytes.slice(0, 4 * bytesMax) };
  }
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

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { corpusSeeds, foundSeeds, type Seed } from './corpus.ts';
import { differences, minimised } from './differ.ts';
import { mutants } from './mutants.ts';
import { readRequests } from './reading.ts';

const SEED = 20_260_101;
/** More of them: `npm run fuzz`. */
const MUTANTS = 20_000;
const SEED_BYTES_MAX = 2_048;

/** Never more lenient than the strict parser of `node:http`, never another message, never longer open. */
async function check(seeds: readonly Seed[]): Promise<void> {
  const [first] = await differences(seeds);
  const least = first === undefined ? null : await minimised(first);
  expect(least, 'add it to test/conformance/found.json').toBeNull();
}

const seeds = [...corpusSeeds(), ...foundSeeds()];

test('the corpus and every find so far are read as the oracle reads them', async () => {
  await check(seeds);
});

const end = fc.oneof(
  { weight: 30, arbitrary: fc.constant('\r\n') },
  fc.constantFrom('\n', '\r', '\r\r\n', ' \r\n'),
);
const space = fc.oneof(
  { weight: 12, arbitrary: fc.constant(' ') },
  fc.constantFrom('', '  ', '\t', '\v', '\xa0'),
);
const line = fc.constantFrom(
  ...['Content-Length:|3', 'content-length:|03', 'Content-Length:|3, 3', 'Transfer-Encoding:|chunked'],
  ...[
    'transfer-encoding:|Chunked|',
    'Transfer-Encoding:|gzip',
    'Connection:|close',
    'Connection:|x,|close|,',
  ],
  ...['Connection:|keep-alive', 'Connection:|upgrade', 'Proxy-Connection:|close', 'Upgrade:|websocket'],
  ...[
    'Upgrade:|h2c',
    'Expect:|100-continue',
    'TE:|trailers',
    'Trailer:|X',
    'X:|',
    'X-Y:|a|b|',
    'X:|\xe9',
    'X|:|y',
  ],
);
const startLine = fc.constantFrom(
  ...['GET|/x|HTTP/1.1', 'POST|/x|HTTP/1.1', 'POST|/x|HTTP/1.1', 'PURGE|/x|HTTP/1.1', 'HEAD|/x|HTTP/1.1'],
  ...[
    'POST|/x|HTTP/1.0',
    'POST|http://a/x|HTTP/1.1',
    'OPTIONS|*|HTTP/1.1',
    'GET|/x|HTTP/1.2',
    'get|/x|HTTP/1.1',
  ],
);
const statusLine = fc.constantFrom(
  ...['HTTP/1.1|200|OK', 'HTTP/1.1|200', 'HTTP/1.0|200|OK', 'HTTP/1.1|204|No', 'HTTP/1.1|304|Not'],
  ...['HTTP/1.1|100|Go', 'HTTP/1.1|103|\xe9', 'HTTP/1.1|101|Switch', 'HTTP/1.1|999|', 'HTTP/1.1|099|'],
);
const body = fc.constantFrom(
  ...['', '', 'abc', '3@abc@0@@', '3@abc@0@@', '3;a@abc@0;b="c"@X:|y@@', '03@abc@00@@', '3|;|a@abc@0@@'],
  ...['3@abcd@0@@', '3@abc@0@Content-Length: 5@@', '3@abc@0@Connection: close@@', '0@@', '3@ab', '@'],
);

/** `|` becomes white space and `@` a line end, both hardly ever odd. */
function message(start: fc.Arbitrary<string>, host: string): fc.Arbitrary<string> {
  const parts = fc.tuple(start, fc.array(line, { maxLength: 4 }), body);
  return fc
    .tuple(parts, fc.infiniteStream(space), fc.infiniteStream(end))
    .map(([[first, lines, rest], spaces, ends]) =>
      `${[first, ...(host === '' ? [] : [host]), ...lines].join('@')}@@${rest}`
        .replaceAll('|', () => spaces.next().value)
        .replaceAll('@', () => ends.next().value),
    );
}

test('what a grammar of near-valid messages makes is read as the oracle reads it', async () => {
  const client = fc
    .array(message(startLine, 'Host: a'), { minLength: 1, maxLength: 3 })
    .map((texts): Seed => ({ id: '', side: 'client', method: 'GET', bytes: texts.join('') }));
  const upstream = fc
    .tuple(fc.constantFrom('GET', 'HEAD'), fc.array(message(statusLine, ''), { minLength: 1, maxLength: 2 }))
    .map(([method, texts]): Seed => ({ id: '', side: 'upstream', method, bytes: texts.join('') }));
  await check(fc.sample(fc.oneof(client, upstream), { seed: SEED, numRuns: 8_000 }));
});

test('mutants of the corpus are read as the oracle reads them', async () => {
  const all = [...mutants(SEED, MUTANTS, seeds, SEED_BYTES_MAX)];
  const accepted = all.filter(
    ({ side, bytes }) =>
      side === 'client' &&
      readRequests([Buffer.from(bytes, 'latin1')]).messages.some(({ complete }) => complete),
  );
  // Bytes that are all refused would prove nothing.
  expect(accepted.length).toBeGreaterThan(all.length / 6);
  await check(all);
}, 60_000);

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { knownName } from '../../router/core/names.ts';
import {
  answerText,
  chunkLine,
  lastChunk,
  requestText,
  SerialiseError,
} from '../../router/http1/serialise.ts';
import { type OracleReading, oracleAnswers, oracleRequests } from './oracle.ts';
import { answerReader, type Message, readRequests } from './reading.ts';

const RUNS = { seed: 20_260_101, numRuns: 500 };

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/);
const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'QUERY', 'PROPFIND');
const target = fc.stringMatching(/^\/[\x21\x22\x24-\x7e]{0,30}$/).filter((text) => !text.includes('%00'));
const text = fc
  .array(
    fc.oneof(fc.constant(0x09), fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff })),
  )
  .map((codes) => String.fromCharCode(...codes));
/** What stands between the white space of a line. */
const value = text.map((all) => all.replace(/^[ \t]+|[ \t]+$/g, ''));
const fields = fc
  .array(fc.tuple(token, value), { maxLength: 5 })
  .map((pairs) => pairs.filter(([name]) => knownName(name) === null).flat());
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1'));
const chunks = fc.array(
  bytes.filter((data) => data !== ''),
  { maxLength: 4 },
);
/** Framing fields, the body as sent, the body as meant, trailers. */
const body = fc.oneof(
  bytes.map((data) => ({ framing: ['Content-Length', String(data.length)], sent: data, data, trailers: [] })),
  fc.tuple(chunks, fields).map(([parts, trailers]) => ({
    framing: ['Transfer-Encoding', 'chunked'],
    sent: parts.map((data) => `${chunkLine(data.length)}${data}\r\n`).join('') + lastChunk(trailers),
    data: parts.join(''),
    trailers,
  })),
);

interface Meant {
  readonly start: string;
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
}

function check(meant: Meant, ours: readonly Message[], oracle: OracleReading | undefined): void {
  for (const messages of [ours, oracle?.messages ?? []]) {
    expect(messages).toMatchObject([{ ...meant, version: '1.1', complete: true }]);
  }
}

describe('what is written is read again, by us and by the oracle', () => {
  test('requests', async () => {
    const written = fc.sample(fc.tuple(method, target, fields, body), RUNS).map((parts) => {
      const [name, start, more, { framing, sent, data, trailers }] = parts;
      const all = ['Host', 'app.test', ...more, ...framing];
      return {
        text: requestText(name, start, all) + sent,
        meant: { start, fields: all, body: data, trailers },
      };
    });
    const oracle = await oracleRequests(written.map((message) => [message.text]));
    for (const [i, { text: sent, meant }] of written.entries()) {
      check(meant, readRequests([Buffer.from(sent, 'latin1')]).messages, oracle[i]);
    }
  });

  test('answers', async () => {
    const status = fc.integer({ min: 200, max: 999 }).filter((code) => code !== 204 && code !== 304);
    const written = fc.sample(fc.tuple(status, text, fields, body), RUNS).map((parts) => {
      const [code, reason, more, { framing, sent, data, trailers }] = parts;
      const all = [...more, ...framing];
      const meant = { start: String(code), fields: all, body: data, trailers };
      return { bytes: answerText(code, reason, all) + sent, method: 'GET', meant };
    });
    const oracle = await oracleAnswers(written);
    for (const [i, { bytes: sent, meant }] of written.entries()) {
      check(meant, answerReader('GET', false)([Buffer.from(sent, 'latin1')]).messages, oracle[i]);
    }
  });
});

describe('is not written:', () => {
  const control = fc.constantFrom(
    '\r',
    '\n',
    '\r\n',
    '\r\nX: y',
    '\0',
    '\v',
    '\x1f',
    '\x7f',
    '\u0100',
    '\u{1f333}',
  );
  const spoiled = (clean: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.tuple(clean, control, fc.nat()).map(([all, insert, place]) => {
      const at = place % (all.length + 1);
      return all.slice(0, at) + insert + all.slice(at);
    });

  test.each<[string, fc.Arbitrary<() => string>]>([
    ['a method', spoiled(method).map((bad) => () => requestText(bad, '/', []))],
    ['a target', spoiled(target).map((bad) => () => requestText('GET', bad, []))],
    ['a reason', spoiled(text).map((bad) => () => answerText(200, bad, []))],
    ['a name', spoiled(token).map((bad) => () => answerText(200, 'OK', ['A', '1', bad, 'x']))],
    ['a value', spoiled(text).map((bad) => () => requestText('GET', '/', ['A', bad, 'B', '2']))],
    ['a trailer', spoiled(text).map((bad) => () => lastChunk(['A', bad]))],
  ])('%s with a control byte or more than a byte', (_, arbitrary) => {
    const property = fc.property(arbitrary, (write) => {
      expect(write).toThrow(SerialiseError);
    });
    fc.assert(property, RUNS);
  });

  const LENGTH = ['content-length', '1'];
  const CODING = ['TRANSFER-ENCODING', 'chunked'];
  test.each<[string, () => string]>([
    ['two lengths', () => requestText('POST', '/', [...LENGTH, 'A', '1', ...LENGTH])],
    ['two codings', () => answerText(200, 'OK', [...CODING, ...CODING])],
    ['a length and a coding', () => answerText(200, 'OK', [...LENGTH, ...CODING])],
    ['a length as a trailer', () => lastChunk(LENGTH)],
    ['a coding as a trailer', () => lastChunk(['A', '1', ...CODING])],
    ['no method', () => requestText('', '/', [])],
    ['two words as a method', () => requestText('GET /', '/', [])],
    ['no target', () => requestText('GET', '', [])],
    ['a target with a space', () => requestText('GET', '/ HTTP/1.1', [])],
    ['no name', () => requestText('GET', '/', ['', 'x'])],
    ['a name with a colon', () => requestText('GET', '/', ['A:b', 'x'])],
    ['a name with a space', () => requestText('GET', '/', ['A ', 'x'])],
    ['a name without a value', () => requestText('GET', '/', ['A'])],
    ['status 99', () => answerText(99, 'Odd', [])],
    ['status 1000', () => answerText(1_000, 'Odd', [])],
    ['half a status', () => answerText(200.5, 'Odd', [])],
    ['an empty chunk', () => chunkLine(0)],
    ['half a chunk', () => chunkLine(1.5)],
  ])('%s', (_, write) => {
    expect(write).toThrow(SerialiseError);
  });
});

test('the bytes are these', () => {
  expect(requestText('GET', '/x', ['Host', 'a', 'X', ''])).toBe('GET /x HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n');
  expect(answerText(200, '', [])).toBe('HTTP/1.1 200 \r\n\r\n');
  expect(chunkLine(255)).toBe('ff\r\n');
  expect(lastChunk([])).toBe('0\r\n\r\n');
  expect(lastChunk(['X', '1'])).toBe('0\r\nX: 1\r\n\r\n');
});

import { describe, expect, test } from 'vitest';
import { chunkLine, lastChunk } from '../../router/http1/serialise.ts';
import { answerReader, readRequests } from '../http1/reading.ts';

// CVE-2025-55315 (Kestrel), CVE-2025-22871 (Go): a chunk line was ended by LF, or went on behind one, in an extension
// above all. What a proxy took for an extension was data and the next request to the server behind it.
const BODIES = [
  ['LF behind a size', '5\nhello\r\n0\r\n\r\n'],
  ['LF in an extension', '2;\nxx\r\n45\r\n0\r\n\r\nGET /secret HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\n'],
  ['LF behind an extension', '2;a\nxx\r\n0\r\n\r\n'],
  ['CR in an extension', '2;a\rxx\r\nyy\r\n0\r\n\r\n'],
  ['LF in a quoted extension', '2;a="\n"\r\nxx\r\n0\r\n\r\n'],
  ['LF behind the data', '5\r\nhello\n0\r\n\r\n'],
  ['CR behind the data', '5\r\nhello\r0\r\n\r\n'],
  ['LF for the last line', '5\r\nhello\r\n0\n\n'],
  ['LF behind a trailer', '0\r\nX: y\n\r\n'],
] as const;

describe('a chunked body is refused for', () => {
  test.each(BODIES)('%s, from a client', (_, body) => {
    const bytes = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
    const refusal = { code: 'CLIENT_BODY_SYNTAX' };
    expect(readRequests([bytes])).toMatchObject({ messages: [{ complete: false }], refusal });
  });

  test.each(BODIES)('%s, from an upstream', (_, body) => {
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
    const refusal = { code: 'UPSTREAM_BODY_SYNTAX' };
    expect(answerReader('GET', true)([bytes])).toMatchObject({ messages: [{ complete: false }], refusal });
  });
});

test('of what is accepted neither extension nor spelling is sent on', () => {
  const body = '005;a=b;c="\\"d"\r\nhello\r\n0;e\r\n\r\n';
  const bytes = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
  const [message] = readRequests([bytes]).messages;
  const data = message?.body ?? '';
  expect(`${chunkLine(data.length)}${data}\r\n${lastChunk([])}`).toBe('5\r\nhello\r\n0\r\n\r\n');
});

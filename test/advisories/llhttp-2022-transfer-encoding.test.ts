import { expect, test } from 'vitest';
import type { ErrorCode } from '../../router/core/errors.ts';
import { readRequests } from '../http1/reading.ts';

// CVE-2022-32213, CVE-2022-32215 and CVE-2022-32214 (llhttp): a coding that merely begins or ends like `chunked`, one
// that goes on in a folded line, and fields ended by one of CR and LF were accepted; what was a body to one reader was a
// request to the next.
const HIDDEN = 'GET /secret HTTP/1.1\r\nHost: a\r\n\r\n';

test.each<[string, string, ErrorCode]>([
  ['chunked twice in a word', 'Transfer-Encoding: chunkedchunked', 'CLIENT_CODING'],
  ['chunked with more behind it', 'Transfer-Encoding: chunked, identity', 'CLIENT_FRAMING'],
  ['chunked behind a comma', 'Transfer-Encoding: ,chunked', 'CLIENT_FRAMING'],
  ['chunked in quotes', 'Transfer-Encoding: "chunked"', 'CLIENT_FRAMING'],
  ['a coding that goes on in the next line', 'Transfer-Encoding: chunked\r\n , identity', 'CLIENT_SYNTAX'],
  ['a coding that begins in the next line', 'Transfer-Encoding:\r\n chunked', 'CLIENT_SYNTAX'],
  ['two lines of it', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', 'CLIENT_FRAMING'],
  ['a field ended by LF', 'X: y\nTransfer-Encoding: chunked', 'CLIENT_SYNTAX'],
  ['a field ended by CR', 'X: y\rTransfer-Encoding: chunked', 'CLIENT_SYNTAX'],
  ['a name broken by LF', 'Transfer-Encoding\n: chunked', 'CLIENT_SYNTAX'],
])('%s hides no request', (_, lines, code) => {
  const bytes = Buffer.from(`POST /x HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n0\r\n\r\n${HIDDEN}`, 'latin1');
  expect(readRequests([bytes])).toMatchObject({ messages: [], refusal: { code } });
});

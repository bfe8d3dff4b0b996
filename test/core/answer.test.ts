import { describe, expect, test } from 'vitest';
import { isBodyless, isRelayable, switchesToWebSocket, upstreamFault } from '../../router/core/answer.ts';

function relayable(status: number, fields: readonly string[] = [], reason = 'OK', bodyless = false): boolean {
  return isRelayable({ status, reason, fields }, bodyless, 4);
}

describe('an answer is relayed', () => {
  test.each([
    ['with an unknown status', relayable(299)],
    ['with an empty reason', relayable(200, [], '')],
    ['with obs-text in the reason', relayable(200, [], 'caf\xe9')],
    ['with a length', relayable(200, ['Content-Length', '7'])],
    ['with one chunked coding', relayable(200, ['Transfer-Encoding', 'Chunked'])],
    ['with as many lines as allowed', relayable(200, Array(8).fill('a'))],
    ['without a body whatever it says about one', relayable(304, ['Content-Length', '1, 2'], 'OK', true)],
  ])('%s', (_, result) => {
    expect(result).toBe(true);
  });
});

describe('an answer is refused', () => {
  test.each([
    ['with status 099', relayable(99)],
    ['with an interim status', relayable(100)],
    ['with a control byte in the reason', relayable(200, [], 'a\x01')],
    ['with a control byte in a value', relayable(200, ['A', '\x00'])],
    ['with a name that is no token', relayable(200, ['A B', '1'])],
    ['with one line too many', relayable(200, Array(10).fill('a'))],
    ['with length and coding', relayable(200, ['Content-Length', '7', 'Transfer-Encoding', 'chunked'])],
    ['with two lengths', relayable(200, ['Content-Length', '7', 'Content-Length', '7'])],
    ['with a length that is none', relayable(200, ['Content-Length', '-7'])],
    ['with an unknown coding', relayable(200, ['Transfer-Encoding', 'foo'])],
    ['with two codings', relayable(200, ['Transfer-Encoding', 'gzip, chunked'])],
  ])('%s', (_, result) => {
    expect(result).toBe(false);
  });
});

test.each([
  ['HEAD', 200, true],
  ['GET', 204, true],
  ['GET', 304, true],
  ['GET', 205, false],
  ['GET', 200, false],
])('%s %i ends with its head: %s', (method, status, expected) => {
  expect(isBodyless(method, status)).toBe(expected);
});

test.each([
  [101, ['Upgrade', 'WebSocket', 'Connection', 'x, upgrade'], true],
  [101, ['Upgrade', 'h2c', 'Connection', 'upgrade'], false],
  [101, ['Upgrade', 'websocket'], false],
  [101, ['Connection', 'upgrade'], false],
  [200, ['Upgrade', 'websocket', 'Connection', 'upgrade'], false],
])('%i with %j is the WebSocket asked for: %s', (status, fields, expected) => {
  expect(switchesToWebSocket({ status, reason: '', fields })).toBe(expected);
});

test.each([
  ['ECONNREFUSED', 'UPSTREAM_REFUSED'],
  ['EHOSTUNREACH', 'UPSTREAM_REFUSED'],
  ['ENOTFOUND', 'UPSTREAM_NAME'],
  ['EAI_AGAIN', 'UPSTREAM_NAME'],
  ['ETIMEDOUT', 'UPSTREAM_CONNECT_TIMEOUT'],
  ['ECONNRESET', 'UPSTREAM_RESET'],
  ['EPIPE', 'UPSTREAM_RESET'],
  ['HPE_INVALID_CONSTANT', 'UPSTREAM_SYNTAX'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'UPSTREAM_TLS'],
  ['CERT_HAS_EXPIRED', 'UPSTREAM_TLS'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'UPSTREAM_TLS'],
  ['', 'UPSTREAM_RESET'],
])('%s is %s', (code, expected) => {
  expect(upstreamFault(code)).toBe(expected);
});

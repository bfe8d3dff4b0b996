import { describe, expect, test } from 'vitest';
import { FIG_FIELD, knownName } from '../../router/core/names.ts';

describe('a known name', () => {
  test.each([
    ['Connection', { name: 'connection', hopByHop: true, forwarding: false, nominable: true, twin: false }],
    ['cOnNeCtIoN', { name: 'connection', hopByHop: true }],
    ['te', { name: 'te', hopByHop: true }],
    ['HTTP2-Settings', { name: 'http2-settings', hopByHop: true }],
    ['proxy-authentication-info', { name: 'proxy-authentication-info', hopByHop: true }],
    ['Forwarded', { name: 'forwarded', forwarding: true, hopByHop: false }],
    ['X-REAL-IP', { name: 'x-real-ip', forwarding: true }],
    ['Host', { name: 'host', nominable: false, hopByHop: false }],
    ['Transfer-Encoding', { name: 'transfer-encoding', nominable: false, hopByHop: true }],
    ['set-cookie', { name: 'set-cookie', nominable: false }],
    ['X-Request-Id', { name: 'x-request-id', nominable: true, twin: false }],
  ])('%s is %j', (name, known) => {
    expect(knownName(name)).toMatchObject(known);
  });
});

describe('a twin with underscores', () => {
  test.each([
    ['Transfer_Encoding', { name: 'transfer_encoding', hopByHop: false, twin: true }],
    ['content_length', { name: 'content_length', nominable: true, twin: true }],
    ['X_Forwarded-For', { name: 'x_forwarded_for', forwarding: true, twin: true }],
    ['x-forwarded_for', { name: 'x_forwarded_for', forwarding: true, twin: true }],
  ])('%s is %j', (name, known) => {
    expect(knownName(name)).toMatchObject(known);
  });
});

test.each(['Fig-Shadow', 'fig-', 'FIG_Side', 'fIg-x_y'])('%s is one of ours', (name) => {
  expect(knownName(name)?.name).toBe(FIG_FIELD);
});

test.each([
  ...['', 'X', 'Hos', 'Hosts', 'Figs', 'fig', 'figaro-x', '__proto__', 'constructor', 'toString'],
  ...['Connectio\xf2', 'Content Length', 'X_Y', 'h\xefst', '\x48ost ', '(ost'],
])('no rule is about %j', (name) => {
  expect(knownName(name)).toBeNull();
});

test('names are told apart although they have one length and one first letter', () => {
  for (const name of [
    'Content-Length',
    'Content-Type',
    'Cache-Control',
    'Connection',
    'Cookie',
    'Content-Range',
  ]) {
    expect(knownName(name)?.name).toBe(name.toLowerCase());
  }
});

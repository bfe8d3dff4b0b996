import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import request from 'supertest';
import { beforeEach, expect, test } from 'vitest';
import { startWorld, type World, webServer } from '../helpers/world.ts';

let world: World;
let admin: ReturnType<typeof request>;

beforeEach(async () => {
  const upstream = await webServer((_req, res) => res.end('{}'));
  world = await startWorld({ legacy: upstream.origin, service: upstream.origin });
  admin = request(world.running.admin ?? '');
});

const MOVES = '/api/v1/groups/catalog/moves';

test('without a token nothing is answered', async () => {
  const { status, body, headers } = await admin.get('/api/v1/status');
  expect([status, body.code, headers['www-authenticate']]).toEqual([401, 'NOT_AUTHENTICATED', 'Bearer']);
});

test('a wrong token is refused, and the eleventh in a minute is not even looked at', async () => {
  const codes: number[] = [];
  for (let i = 0; i < 11; i += 1)
    codes.push((await admin.get('/api/v1/status').set('Authorization', 'Bearer wrong')).status);
  expect(codes).toEqual([...Array(10).fill(401), 429]);
});

test('the right token works while wrong ones are locked out', async () => {
  for (let i = 0; i < 11; i += 1) await admin.get('/api/v1/status').set('Authorization', 'Bearer wrong');
  expect((await world.admin('GET', '/api/v1/status')).status).toBe(200);
});

test('a foreign Host is refused before the token is asked for', async () => {
  const { status, body } = await admin.get('/api/v1/status').set('Host', 'evil.test');
  expect([status, body.code]).toEqual([421, 'HOST_UNKNOWN']);
});

test.each([
  ['a foreign origin', { origin: 'http://evil.test' }],
  ['another site', { 'sec-fetch-site': 'cross-site' }],
])('a page of %s is refused even with the token', async (_, headers) => {
  expect(await world.admin('GET', '/api/v1/status', undefined, headers)).toMatchObject({
    status: 403,
    body: { code: 'ORIGIN_FOREIGN' },
  });
});

test('the token file is readable by its owner only', () => {
  expect(statSync(join(world.folder, '.fig/admin.token')).mode & 0o777).toBe(0o600);
});

test('health checks need no token', async () => {
  expect((await admin.get('/livez')).status).toBe(200);
  expect((await admin.get('/readyz')).status).toBe(200);
});

test.each<[string, unknown]>([
  ['an unknown kind', { kind: 'explode' }],
  ['a share above 100', { kind: 'shift', share: 101 }],
  ['a share finer than hundredths', { kind: 'shift', share: 0.001 }],
  ['a sample that is no whole percent', { kind: 'shadow', sample: 0.5 }],
  ['an unknown member', { kind: 'rollback', force: true }],
  ['a reason that is too long', { kind: 'rollback', reason: 'x'.repeat(1_001) }],
])('%s is 400 with the place of the fault, and nothing happens', async (_, body) => {
  const answer = await world.admin('POST', MOVES, body, { 'if-match': '*' });
  expect(answer).toMatchObject({
    status: 400,
    body: { code: 'INVALID', errors: [{ pointer: expect.any(String) }] },
  });
  expect((await world.group()).rev).toBe(1);
});

test('a body that is no JSON is 400', async () => {
  const answer = await fetch(`${world.running.admin}${MOVES}`, {
    method: 'POST',
    body: '{',
    headers: { authorization: token(), 'content-type': 'application/json' },
  });
  expect(answer.status).toBe(400);
  expect(await answer.text()).not.toContain('.ts');
});

test('a body above the limit is 413', async () => {
  const answer = await world.admin('POST', MOVES, { kind: 'rollback', reason: 'x'.repeat(300_000) });
  expect([answer.status, answer.body.code]).toEqual([413, 'BODY_LARGE']);
});

test.each([
  ['without If-Match', {}, 428],
  ['with a malformed one', { 'if-match': '41' }, 400],
  ['with an old rev', { 'if-match': '"0"' }, 412],
  ['with a rev that does not exist yet', { 'if-match': '"99"' }, 412],
  ['with the present rev', { 'if-match': '"1"' }, 200],
])('a move %s', async (_, headers, status) => {
  expect((await world.admin('POST', MOVES, { kind: 'shadow', sample: 10 }, headers)).status).toBe(status);
});

test('a rollback needs no If-Match', async () => {
  expect(await world.admin('POST', MOVES, { kind: 'rollback', reason: 'x' })).toMatchObject({
    status: 200,
    body: { data: { status: 'already-there' } },
  });
});

test('a move that is illegal now is 409 with the command that helps', async () => {
  const answer = await world.admin('POST', MOVES, { kind: 'shift', share: 10 }, { 'if-match': '*' });
  expect(answer).toMatchObject({
    status: 409,
    body: { code: 'MOVE_ILLEGAL', next: 'fig shadow catalog on' },
  });
});

test('an unknown group is 404 with the known ones', async () => {
  const answer = await world.admin('POST', '/api/v1/groups/nope/moves', { kind: 'rollback' });
  expect(answer).toMatchObject({
    status: 404,
    body: { code: 'GROUP_UNKNOWN', detail: expect.stringContaining('catalog') },
  });
});

test('an unknown resource is 404', async () => {
  expect((await world.admin('GET', '/api/v1/nothing')).status).toBe(404);
});

test('a group answers with its rev as ETag', async () => {
  const answer = await fetch(`${world.running.admin}/api/v1/groups/catalog`, {
    headers: { authorization: token() },
  });
  expect(answer.headers.get('etag')).toBe('"1"');
});

test('explain says what the data plane would do', async () => {
  await world.move({ kind: 'shadow', sample: 100 });
  await world.move({ kind: 'shift', share: 100 });
  const ask = (target: string, headers: [string, string][] = []) =>
    world.admin('POST', '/api/v1/explain', { method: 'GET', target, headers });
  expect(await ask('/api/x', [['Cookie', 'sid=ana']])).toMatchObject({
    body: { data: { answer: { side: 'service', reason: 'flag' }, shadow: 'copied to the other side' } },
  });
  expect(await ask('/api/x')).toMatchObject({
    body: { data: { unit: null, answer: { side: 'legacy', reason: 'flag-unknown' } } },
  });
  expect(await ask('/elsewhere')).toMatchObject({
    body: { data: { route: null, answer: { side: 'legacy', reason: 'no-route' } } },
  });
  expect(await ask('/api/../x')).toMatchObject({
    body: { data: { refused: { code: 'CLIENT_PATH_AMBIGUOUS' } } },
  });
});

function token(): string {
  return `Bearer ${readFileSync(join(world.folder, '.fig/admin.token'), 'utf8').trim()}`;
}

import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { fig } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const JSON_TYPE = 'Content-Type: application/json';

function files(contents: Readonly<Record<string, string | Buffer>>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(folder, name), content);
  return folder;
}

const message = (body: string, ...lines: readonly string[]) =>
  ['HTTP/1.1 200 OK', ...lines, '', body].join('\r\n');
const saved = (body: string, more: object = {}) =>
  JSON.stringify({ status: 200, headers: { 'Content-Type': 'application/json' }, body, ...more });

async function listening(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  onTestFinished(() => void server.closeAllConnections());
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

test('a raw message and a JSON file that mean the same end with 0', async () => {
  const cwd = files({ a: message('{"a":1.0}', JSON_TYPE), b: saved('{ "a": 1 }') });
  expect(await fig(['compare', 'a', 'b'], { cwd })).toMatchObject({ exit: 0, stdout: 'same\n' });
});

test('a difference is told with path, kind and both values, and ends with 1', async () => {
  const cwd = files({ a: saved('{"a":"x"}'), b: saved('{"a":"y\\u001b[31m"}') });
  const { exit, stdout } = await fig(['compare', 'a', 'b'], { cwd });
  expect(exit).toBe(1);
  expect(stdout).toMatch(/^\/body\/a +value +medium +"x" +"y\\u001b\[31m"$/m);
  expect(stdout).toMatch(/different: 1 difference\n$/);
});

test('what rules ignore is counted by rule and ends with 0', async () => {
  const rules = '[{"path":"/body/a","action":"ignore"}]';
  const cwd = files({ a: saved('{"a":1}'), b: saved('{"a":2}'), rules });
  const { exit, stdout } = await fig(['compare', 'a', 'b', '--rules', 'rules'], { cwd });
  expect(exit).toBe(0);
  expect(stdout).toBe('ignored by rule 1 (ignore at /body/a): 1\nsame under the rules: 1 ignored\n');
});

test('--json gives templates, severities and counts', async () => {
  const cwd = files({ a: saved('[{"a":1}]'), b: saved('[{"a":null}]') });
  const { exit, stdout } = await fig(['compare', 'a', 'b', '--json'], { cwd });
  expect(exit).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    outcome: 'different',
    count: 1,
    differences: [
      { path: '/body/0/a', template: '/body/*/a', kind: 'type', severity: 'high', service: 'null' },
    ],
  });
});

test.each<[what: string, content: string, said: string]>([
  ['a file that is no answer', 'hello', 'neither an HTTP response'],
  ['a head without an end', 'HTTP/1.1 200 OK\r\nA: 1\r\n', 'no empty line'],
  ['a status line that is none', 'HTTP/1.1 OK\r\n\r\n', 'no status line'],
  ['a line that is no header', 'HTTP/1.1 200 OK\r\nno header\r\n\r\n', 'no header line'],
  ['JSON that is broken', '{"status":', 'JSON'],
  ['JSON without a status', '{"body":""}', 'has no "status"'],
  ['a header that is a number', '{"status":200,"headers":{"A":1}}', 'a header "A" that is no text'],
])('%s ends with 2 and its reason', async (_what, content, said) => {
  const cwd = files({ a: content, b: saved('{}') });
  const { exit, stdout, stderr } = await fig(['compare', 'a', 'b'], { cwd });
  expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
  expect(stderr).toContain(said);
});

test('every fault of the rules is told, selectors too, and ends with 2', async () => {
  const rules = JSON.stringify([
    { path: '/body', action: 'html', ignore: [{ selector: 'p:first-child' }] },
    { path: 'body', action: 'ignore' },
  ]);
  const cwd = files({ a: saved('{}'), b: saved('{}'), rules });
  const { exit, stderr } = await fig(['compare', 'a', 'b', '--rules', 'rules'], { cwd });
  expect(exit).toBe(2);
  expect(stderr).toContain('rules[1].path');
  expect(stderr).toContain('rules[0].ignore[0].selector: :first-child is not supported');
});

test('a recording with chunks is taken apart, one of curl is taken as it is', async () => {
  const chunked = 'Transfer-Encoding: chunked';
  const cwd = files({
    recorded: message('3\r\n{"a\r\n4;x=y\r\n":1}\r\n0\r\n\r\n', JSON_TYPE, chunked),
    curl: message('{"a":1}', JSON_TYPE, chunked),
  });
  expect(await fig(['compare', 'recorded', 'curl'], { cwd })).toMatchObject({ exit: 0 });
});

test('a body that is shorter than it says is truncated', async () => {
  const cwd = files({ a: saved('{}'), b: message('{}', JSON_TYPE, 'Content-Length: 3') });
  const { exit, stdout } = await fig(['compare', 'a', 'b'], { cwd });
  expect(exit).toBe(1);
  expect(stdout).toMatch(/^\/body +truncated/m);
});

test('URLs are asked with GET and their codings undone; a redirect is an answer', async () => {
  const asked: (string | undefined)[] = [];
  const origin = await listening((request, answer) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url === '/moved') answer.writeHead(302, { location: '/json' }).end();
    else
      answer
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync('{"a":1}'));
  });
  const cwd = files({ a: saved('{"a":1}') });
  expect(await fig(['compare', 'a', `${origin}/json`], { cwd })).toMatchObject({ exit: 0 });
  const { exit, stdout } = await fig(['compare', 'a', `${origin}/moved`], { cwd });
  expect(exit).toBe(1);
  expect(stdout).toMatch(/^\/status +status +high +200 +302$/m);
  expect(asked).toEqual(['GET /json', 'GET /moved']);
});

test('a URL that nobody answers ends with 2', async () => {
  const cwd = files({ a: saved('{}') });
  const { exit, stderr } = await fig(['compare', 'a', 'http://127.0.0.1:1/'], { cwd });
  expect(exit).toBe(2);
  expect(stderr).toContain('http://127.0.0.1:1/');
});

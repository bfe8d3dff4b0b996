import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { curlLine } from '../../router/core/curl.ts';
import type { ShownRequest } from '../../router/core/ports.ts';

function shown(more: Partial<ShownRequest> = {}): ShownRequest {
  return { method: 'GET', target: '/api/products/17', fields: [], hasBody: false, bytes: 1, ...more };
}

test('a request without secrets is a line that runs as it is', () => {
  expect(curlLine(shown({ fields: [['accept', '*/*']] }), 'http://127.0.0.1:3000')).toBe(
    "curl -sS -i -H 'accept: */*' 'http://127.0.0.1:3000/api/products/17'",
  );
});

test('HEAD asks for the head, and a body comes from a file', () => {
  expect(curlLine(shown({ method: 'HEAD' }), 'http://a')).toBe(
    "curl -sS -i --head 'http://a/api/products/17'",
  );
  expect(curlLine(shown({ method: 'POST', hasBody: true }), 'http://a')).toBe(
    "curl -sS -i -X POST --data-binary @body 'http://a/api/products/17'",
  );
});

const OPEN = shown({
  target: '/api/users/{user}?q={q}',
  fields: [
    ['cookie', null],
    ['x-user', null],
  ],
});

test('a shell refuses what is not known, and names it', () => {
  expect(() => execFileSync('sh', ['-c', curlLine(OPEN, 'http://127.0.0.1:1')], { stdio: 'pipe' })).toThrow(
    /cookie/,
  );
});

test('with its variables set the line asks what was asked', async () => {
  const asked: unknown[] = [];
  const server = createServer((request, response) => {
    asked.push([request.method, request.url, request.headers.cookie, request.headers['x-user']]);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const child = spawn('sh', ['-c', curlLine(OPEN, `http://127.0.0.1:${port}`)], {
    env: { ...process.env, user: 'ana', q: 'oak', cookie: 'sid=1', x_user: 'u1' },
  });
  await new Promise((resolve) => child.once('close', resolve));
  expect(asked).toEqual([['GET', '/api/users/ana?q=oak', 'sid=1', 'u1']]);
});

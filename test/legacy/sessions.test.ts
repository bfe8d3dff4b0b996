import { once } from 'node:events';
import { createServer } from 'node:http';
import Database from 'better-sqlite3';
import express, { type Response } from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { createTables } from '../../legacy/schema.ts';
import { createSessions } from '../../legacy/sessions.ts';
import { ask } from './ask.ts';

/** A server whose one page holds a session and is answered by hand. */
async function opened() {
  const db = new Database(':memory:');
  createTables(db);
  let tokens = 0;
  const newToken = () => String(tokens++).padStart(32, '0');
  const sessions = createSessions({ db, clock: { nowMs: () => 1_000 }, newToken, sessionsMax: 100 });
  const started: { id: string; res: Response }[] = [];
  const waiting: (() => void)[] = [];
  const app = express();
  app.get(
    '/',
    sessions.hold((_req, res, session) => {
      started.push({ id: session.id, res });
      waiting.shift()?.();
    }),
  );
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    db.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  const next = () => new Promise<void>((resolve) => waiting.push(resolve));
  const visit = (cookie: string) => ask(port, '/', cookie === '' ? {} : { headers: { Cookie: cookie } });
  return { started, next, visit, server };
}

test('a request of a session starts only when the answer before it is out; another session does not wait', async () => {
  const { started, next, visit } = await opened();
  let begun = next();
  const first = visit('');
  await begun;
  started[0]?.res.end();
  const cookie = String((await first).headers['set-cookie']?.[0]).split(';')[0] ?? '';

  begun = next();
  const second = visit(cookie);
  await begun;
  const third = visit(cookie);
  begun = next();
  const stranger = visit('');
  await begun;
  expect(started).toHaveLength(3);
  expect(started[2]?.id).not.toBe(started[1]?.id);
  begun = next();
  started[1]?.res.end();
  await second;
  await begun;
  expect(started[3]?.id).toBe(started[1]?.id);
  for (const { res } of started) res.end();
  await Promise.all([third, stranger]);
});

test('a visitor who leaves lets the next request of the session in', async () => {
  const { started, next, visit, server } = await opened();
  let begun = next();
  const first = visit('');
  await begun;
  started[0]?.res.end();
  const cookie = String((await first).headers['set-cookie']?.[0]).split(';')[0] ?? '';
  begun = next();
  const gone = visit(cookie);
  await begun;
  begun = next();
  server.closeAllConnections();
  await expect(gone).rejects.toThrow();
  const again = visit(cookie);
  await begun;
  started.at(-1)?.res.end('served');
  expect((await again).text).toBe('served');
});

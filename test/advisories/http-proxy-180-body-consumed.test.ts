import express from 'express';
import supertest from 'supertest';
import { expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { mounted } from '../helpers/mount.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

async function world() {
  const upstream = await rawUpstream(ok('fine'));
  const { mount, observed } = await mounted({ snapshot: snapshotOf(upstream.origin) });
  const app = express();
  app.use(express.json());
  app.use(mount.handle);
  return { upstream, app, observed };
}

// http-party/node-http-proxy#180, http-proxy-middleware#40: a body parser has read the body, and the POST hangs
// for ever at the upstream. The same holes as CVE-2025-32996 and CVE-2025-32997, which came
// with writing the parsed body out again: here it is never written again, only refused.
test('a POST whose body a parser has read is an error that says what to do', async () => {
  const { upstream, app, observed } = await world();
  const answer = await supertest(app).post('/x').send({ a: 1 });
  expect(answer.status).toBe(500);
  expect(answer.text).toContain('mount the router before body parsers');
  expect(upstream.heard).toHaveLength(0);
  expect(observed).toMatchObject([{ outcome: 'MOUNT_BODY_CONSUMED' }]);
});

test('a GET behind a body parser is served', async () => {
  const { app } = await world();
  expect((await supertest(app).get('/x')).text).toBe('fine');
});

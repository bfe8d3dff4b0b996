import express from 'express';
import supertest from 'supertest';
import { expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { mounted } from '../helpers/mount.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

async function world() {
  const upstream = await rawUpstream(ok('from upstream'));
  const { mount, observed } = await mounted({ snapshot: snapshotOf(upstream.origin) });
  const app = express();
  return { upstream, mount, observed, app };
}

test('as a middleware it forwards what the client sent, mount path included', async () => {
  const { upstream, mount, app } = await world();
  app.use('/shop', mount.handle);
  const answer = await supertest(app).get('/shop/a?b=c').expect(200);
  expect(answer.text).toBe('from upstream');
  expect(upstream.heard[0]?.start).toBe('GET /shop/a?b=c HTTP/1.1');
});

test('routes of the application in front of it stay its own', async () => {
  const { upstream, mount, app } = await world();
  app.get('/own', (_req, res) => {
    res.send('own');
  });
  app.use(mount.handle);
  expect((await supertest(app).get('/own')).text).toBe('own');
  expect((await supertest(app).post('/x').send({ a: 1 })).text).toBe('from upstream');
  expect(upstream.heard[0]?.body).toBe('{"a":1}');
});

test('header lines that middleware has set are in the answer', async () => {
  const { mount, app } = await world();
  app.use((_req, res, next) => {
    res.setHeader('X-Frame-Options', 'DENY');
    next();
  });
  app.use(mount.handle);
  const answer = await supertest(app).get('/x').expect(200);
  expect(answer.headers['x-frame-options']).toBe('DENY');
});

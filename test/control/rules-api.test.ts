import express from 'express';
import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { problem, replier } from '../../router/control/reply.ts';
import { createRuleRoutes } from '../../router/control/rules-api.ts';
import { controlPlane } from '../helpers/control.ts';
import { rulesOf } from '../helpers/rules.ts';

const RULES = '/api/v1/groups/orders/rules';
const RULE = {
  path: '/body/rid',
  action: 'ignore-value',
  owner: 'team-orders',
  reason: 'random',
  expires: '2026-02-01',
};
const FORCE = { reason: 'tonight', second: 'bob' };

function api() {
  const plane = controlPlane();
  const { rules } = rulesOf(plane);
  const app = express();
  app.use(express.json());
  const unknown = (response: express.Response) => problem(response, 404, 'GROUP_UNKNOWN', 'no such group');
  app.use(createRuleRoutes(rules, replier(plane.clock), unknown));
  return { app, ...plane };
}

describe('POST rules', () => {
  test.each<[what: string, path: string, body: object, status: number, code: string]>([
    ['of a group that is not there', '/api/v1/groups/x/rules', { rules: [RULE] }, 404, 'GROUP_UNKNOWN'],
    [
      'for a cause that is not there',
      RULES,
      { cause: { id: '0'.repeat(16), owner: 'a', reason: 'b', expires: '2026-02-01' } },
      404,
      'NOT_FOUND',
    ],
    ['without rules', RULES, { rules: [] }, 400, 'INVALID'],
    ['with something else beside', RULES, { rules: [RULE], sure: true }, 400, 'INVALID'],
    ['that would drive a terminal', RULES, { rules: [{ ...RULE, owner: '\u001b[2J' }] }, 400, 'INVALID'],
    ['with a faulty rule', RULES, { rules: [{ ...RULE, path: 'rid' }] }, 400, 'INVALID'],
    ['that nothing is known of', RULES, { rules: [RULE] }, 409, 'TOO_FEW'],
    ['of nobody', RULES, { rules: [{ ...RULE, owner: '' }] }, 409, 'UNOWNED'],
  ])('%s', async (_what, path, body, status, code) => {
    const answer = await request(api().app).post(path).send(body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test('every fault is told with a pointer', async () => {
    const body = { rules: [RULE, { ...RULE, action: 'number', abs: -1, tolerance: 2 }] };
    const { body: fault } = await request(api().app).post(RULES).send(body);
    expect(fault.errors).toEqual([
      { pointer: '/rules/1/abs', detail: 'must be a number from 0' },
      { pointer: '/rules/1/tolerance', detail: expect.stringContaining('known: abs, rel, path, action') },
    ]);
  });

  test('a forced rule is in the list, and goes with DELETE, once', async () => {
    const { app } = api();
    const added = await request(app)
      .post(RULES)
      .set('fig-operator', 'ana')
      .send({ rules: [RULE], force: FORCE });
    expect(added.body).toMatchObject({
      schema: 'fig.rules-added/1',
      data: { saved: true, rules: [{ name: 'r1' }] },
    });
    const { body: list } = await request(app).get(RULES);
    expect(list).toMatchObject({
      schema: 'fig.rules/1',
      data: { rules: [{ name: 'r1', rule: RULE, forced: { by: 'ana', second: 'bob' } }] },
    });
    expect((await request(app).delete(`${RULES}/r1`).send({ reason: 'fixed' })).body.schema).toBe(
      'fig.rule-removed/1',
    );
    expect((await request(app).delete(`${RULES}/r1`)).status).toBe(404);
    expect((await request(app).get(RULES)).body.data.rules).toEqual([]);
  });
});

test('a rule of the configuration is not taken back here', async () => {
  const answer = await request(api().app).delete(`${RULES}/rules%5B0%5D`);
  expect([answer.status, answer.body.code]).toEqual([409, 'RULE_CONFIGURED']);
});

test('rules of a group that is not there are no list', async () => {
  const { app } = api();
  expect((await request(app).get('/api/v1/groups/x/rules')).status).toBe(404);
  expect((await request(app).delete('/api/v1/groups/x/rules/r1')).status).toBe(404);
});

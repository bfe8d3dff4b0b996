import request from 'supertest';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createReaderCatalog } from '../../flags/reader-catalog.ts';
import { type AdminDeps, createAdminApi } from '../../router/control/admin-api.ts';
import { createCauses } from '../../router/control/causes.ts';
import { explain } from '../../router/control/explain.ts';
import { createFlags } from '../../router/control/flags.ts';
import { groupStatus } from '../../router/control/status.ts';
import { MOUNT_DEFAULTS } from '../../router/mount/options.ts';
import { createComparisonStore } from '../../router/store/comparisons.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';
import { type ControlPlane, controlPlane, quiet, shadowOn, shiftTo } from '../helpers/control.ts';
import { keyOf } from '../helpers/neighbours.ts';
import { rulesOf } from '../helpers/rules.ts';

const TOKEN = 'fig_a_test';
const MOVES = '/api/v1/groups/orders/moves';
const NOTHING = { eligible: 0, same: 0, ignored: 0, different: 0, skipped: {}, causes: 0 };

function adminApi(given: Partial<AdminDeps> = {}) {
  const plane = controlPlane();
  const app = createAdminApi({ ...depsOf(plane), ...given });
  const send = (method: 'get' | 'post', path: string) =>
    request(app)[method](path).set('Authorization', `Bearer ${TOKEN}`);
  return {
    ...plane,
    app,
    get: (path: string) => send('get', path),
    post: (path: string) => send('post', path),
  };
}

function depsOf(plane: ControlPlane): AdminDeps {
  const { actions, ledger, clock, routing, flags, traffic, converge } = plane;
  const { reader } = flags;
  const { rules } = rulesOf(plane);
  const statusDeps = {
    ledger,
    reader,
    traffic,
    comparisons: () => NOTHING,
    findings: rules.findings,
    noise: () => null,
    causes: () => [],
    trouble: converge.trouble,
  };
  return {
    token: TOKEN,
    actions,
    ledger,
    clock,
    log: quiet,
    status: () => ({
      snapshot: routing.get().revision,
      traffic: 'http://127.0.0.1:8080',
      ungrouped: 0,
      flags: { ...reader.status(), source: 'embedded', writable: true },
      ledger: { events: ledger.state().seq },
      workers: [],
      reload: null,
      groups: [...routing.get().groups.values()].map((group) => groupStatus(group, statusDeps)),
    }),
    explain: (asked) =>
      explain(routing.get(), asked, {
        flags: reader,
        keyOf,
        policy: { ...MOUNT_DEFAULTS, peerTrusted: false, defaultHost: 'shop.test', hosts: [], strict: false },
        folding: { caseFold: false, trailingDots: false },
      }),
    causes: createCauses({
      store: createComparisonStore(database()),
      ledger,
      groups: () => ['orders'],
      origins: () => ({ legacy: 'http://127.0.0.1:1', service: 'http://127.0.0.1:2' }),
      flush: () => undefined,
      noise: () => null,
      findings: () => [],
      log: quiet,
    }),
    evidence: () => null,
    selfTest: () => null,
    flags: createFlags({
      source: 'embedded',
      server: 'embedded',
      environment: 'production',
      catalog: createReaderCatalog(() => null, { environment: 'production', seedOf: () => null }),
      admin: null,
      requests: { keep: () => undefined, find: () => null },
      ledger,
      reader,
      effective: () => null,
      log: quiet,
    }),
    rules,
    release: () => undefined,
    reload: async () => ({
      kind: 'reloaded',
      reloaded: { snapshot: 2, planes: { running: 1, confirmed: 1 }, added: [], removed: [] },
    }),
    metrics: async () => '# EOF\n',
    lastTurnAt: () => clock.now(),
    checks: () => [],
  };
}

describe('who may ask', () => {
  test('without a token the answer is 401 and says where the token is', async () => {
    const answer = await request(adminApi().app).get('/api/v1/status').expect(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(JSON.parse(answer.text)).toMatchObject({
      code: 'NOT_AUTHENTICATED',
      next: expect.stringContaining('admin.token'),
    });
  });

  test('a wrong token is told apart from a missing one', async () => {
    const answer = await request(adminApi().app)
      .get('/api/v1/status')
      .set('Authorization', 'Bearer fig_a_tesT')
      .expect(401);
    expect(JSON.parse(answer.text)).toMatchObject({ detail: 'the token is wrong' });
  });

  test('the eleventh wrong token of a minute is 429, and a minute later 401 again', async () => {
    const { app, clock } = adminApi();
    const wrong = () => request(app).get('/api/v1/status').set('Authorization', 'Bearer no');
    for (let i = 0; i < 10; i += 1) await wrong().expect(401);
    const answer = await wrong().expect(429);
    expect(answer.headers['retry-after']).toBe('60');
    clock.advance(60_000);
    await wrong().expect(401);
  });

  test('the right token still works after too many wrong ones', async () => {
    const { app, get } = adminApi();
    for (let i = 0; i < 11; i += 1) await request(app).get('/api/v1/status');
    await get('/api/v1/status').expect(200);
  });

  test('a foreign Host is refused before anybody asks for the token', async () => {
    const answer = await request(adminApi().app).get('/api/v1/status').set('Host', 'evil.test').expect(421);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'HOST_UNKNOWN' });
  });

  test.each(['127.0.0.1.evil.test', 'localhost.evil.test:80', '127.0.0.1:1@evil.test'])(
    'the Host %s only looks like loopback',
    async (host) => {
      await adminApi().get('/api/v1/status').set('Host', host).expect(421);
    },
  );

  test('a foreign Origin is refused even with the token', async () => {
    const answer = await adminApi().get('/api/v1/status').set('Origin', 'http://evil.test').expect(403);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'ORIGIN_FOREIGN' });
  });

  test.each(['cross-site', 'same-site'])(
    'Sec-Fetch-Site: %s is refused even with the token',
    async (site) => {
      await adminApi().get('/api/v1/status').set('Sec-Fetch-Site', site).expect(403);
    },
  );

  test('the own page is let in', async () => {
    await adminApi()
      .get('/api/v1/status')
      .set('Host', 'localhost:8081')
      .set('Origin', 'http://localhost:8081')
      .set('Sec-Fetch-Site', 'same-origin')
      .expect(200);
  });

  test('health checks need no token', async () => {
    const { app } = adminApi();
    await request(app).get('/livez').expect(200, 'ok\n');
    await request(app).get('/readyz').expect(200, 'ok\n');
  });

  test('not being ready is 503 and says what is missing', async () => {
    const { app } = adminApi({
      checks: () => [
        { name: 'config', problem: null },
        { name: 'snapshot', problem: 'no flag was read yet' },
      ],
    });
    await request(app).get('/readyz').expect(503, 'no flag was read yet\n');
    await request(app)
      .get('/readyz?verbose')
      .expect(503, '[+]config ok\n[-]snapshot failed: no flag was read yet\nreadyz check failed\n');
  });

  test('who asks for more is told every check', async () => {
    const { app } = adminApi({
      checks: () => [
        { name: 'config', problem: null },
        { name: 'draining', problem: null },
      ],
    });
    await request(app)
      .get('/readyz?verbose')
      .expect(200, '[+]config ok\n[+]draining ok\nreadyz check passed\n');
  });

  test('an event loop that has not turned for more than five seconds is not alive', async () => {
    const { app, clock } = adminApi({ lastTurnAt: () => 0 });
    clock.advance(5_000);
    await request(app).get('/livez').expect(200);
    clock.advance(1);
    await request(app).get('/livez').expect(503);
  });

  test('metrics need no token, and have the type of the text format to the letter', async () => {
    const { app } = adminApi({ metrics: async () => 'up 1\n' });
    const answer = await request(app).get('/metrics').expect(200, 'up 1\n');
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  test('metrics are not for a foreign Host', async () => {
    await request(adminApi().app).get('/metrics').set('Host', 'evil.test').expect(421);
  });
});

describe('what a move must look like', () => {
  test('a body beyond the limit is 413', async () => {
    const reason = 'x'.repeat(262_144);
    await adminApi().post(MOVES).set('If-Match', '*').send({ kind: 'kill', reason }).expect(413);
  });

  test('a body that is no JSON is 400 and quotes nothing of it', async () => {
    const answer = await adminApi()
      .post(MOVES)
      .set('Content-Type', 'application/json')
      .send('{secret')
      .expect(400);
    expect(answer.text).not.toContain('secret');
  });

  test('a move without a body is 400', async () => {
    await adminApi().post(MOVES).set('If-Match', '*').expect(400);
  });

  test('every fault of a move is listed with its pointer', async () => {
    const answer = await adminApi()
      .post(MOVES)
      .set('If-Match', '*')
      .send({ kind: 'shift', share: 101, reason: 7 })
      .expect(400);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    const { errors } = JSON.parse(answer.text);
    expect(errors.map((error: { pointer: string }) => error.pointer).sort()).toEqual(['/reason', '/share']);
  });

  test('a reason with control characters, which would reach terminals, is 400', async () => {
    await adminApi().post(MOVES).send({ kind: 'rollback', reason: 'evil\u001b[31m' }).expect(400);
  });

  test.each([[0.001], [-1], ['25']])('a share of %j is 400', async (share) => {
    await adminApi().post(MOVES).set('If-Match', '*').send({ kind: 'shift', share }).expect(400);
  });

  test('a group nobody configured is 404 and the known ones are named', async () => {
    const answer = await adminApi()
      .post('/api/v1/groups/ordres/moves')
      .set('If-Match', '*')
      .send({ kind: 'kill' })
      .expect(404);
    expect(JSON.parse(answer.text)).toMatchObject({
      code: 'GROUP_UNKNOWN',
      detail: expect.stringContaining('orders'),
    });
  });

  test('a move without If-Match is 428', async () => {
    await adminApi().post(MOVES).send({ kind: 'shadow', sample: 100 }).expect(428);
  });

  test.each(['1', 'W/"1"', '"one"', '"1", "2"'])('If-Match %s is 400', async (rev) => {
    await adminApi().post(MOVES).set('If-Match', rev).send({ kind: 'shadow', sample: 100 }).expect(400);
  });

  test('a stale If-Match is 412, names the rev found and moves nothing', async () => {
    const { post, moved, ledger } = adminApi();
    await moved(shadowOn);
    const answer = await post(MOVES).set('If-Match', '"1"').send({ kind: 'shift', share: 5 }).expect(412);
    expect(JSON.parse(answer.text)).toMatchObject({
      code: 'REV_MOVED',
      detail: expect.stringContaining('operator:ana'),
    });
    expect(ledger.state().groups.get('orders')?.stage).toBe('shadow');
  });

  test('the rev that a group shows as its ETag is accepted', async () => {
    const { get, post } = adminApi();
    const shown = await get('/api/v1/groups/orders').expect(200);
    await post(MOVES)
      .set('If-Match', String(shown.headers['etag']))
      .send({ kind: 'shadow', sample: 100 })
      .expect(200);
  });

  test('an illegal move is 409 with the command that helps', async () => {
    const answer = await adminApi()
      .post(MOVES)
      .set('If-Match', '*')
      .send({ kind: 'shift', share: 5 })
      .expect(409);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'MOVE_ILLEGAL', next: 'fig shadow orders on' });
  });

  test.each(['rollback', 'kill'])('a %s needs no If-Match', async (kind) => {
    await adminApi().post(MOVES).send({ kind }).expect(200);
  });

  test('a rollback with a stale If-Match is carried out: back is always legal', async () => {
    const { post, moved, ledger } = adminApi();
    await moved(shadowOn);
    await moved(shiftTo(25));
    await post(MOVES).set('If-Match', '"1"').send({ kind: 'rollback' }).expect(200);
    expect(ledger.state().groups.get('orders')?.share).toBe(0);
  });
});

describe('what is answered', () => {
  test('a receipt says who, from where to where, and that the flag was read back', async () => {
    const { post, moved } = adminApi();
    await moved(shadowOn);
    const answer = await post(MOVES)
      .set('If-Match', '*')
      .set('Fig-Operator', 'ben')
      .send({ kind: 'shift', share: 12.5, reason: 'looks good' })
      .expect(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.body).toMatchObject({
      schema: 'fig.receipt/1',
      at: '2026-01-01T00:00:00.000Z',
      data: {
        group: 'orders',
        kind: 'shift',
        status: 'moved',
        actor: { kind: 'operator', id: 'ben' },
        reason: 'looks good',
        from: { stage: 'shadow', share: 0, stopped: null },
        to: { stage: 'canary', share: 12.5, stopped: null },
        recordedMs: 0,
        service: { lastStartedMs: null, inFlight: 0 },
        flag: { state: 'verified' },
        unsafeByService: 0,
      },
    });
  });

  test('the same move again is already there and changes no rev', async () => {
    const { post, moved, ledger } = adminApi();
    await moved(shadowOn);
    const before = ledger.state().seq;
    const answer = await post(MOVES).set('If-Match', '*').send({ kind: 'shadow', sample: 100 }).expect(200);
    expect(answer.body.data).toMatchObject({ status: 'already-there', flag: { state: 'none' } });
    expect(ledger.state().seq).toBe(before);
  });

  test('an operator name that is none becomes unknown', async () => {
    const answer = await adminApi().post(MOVES).set('Fig-Operator', 'a b').send({ kind: 'kill' }).expect(200);
    expect(answer.body.data.actor).toEqual({ kind: 'operator', id: 'unknown' });
  });

  test('history is newest first and can be one group', async () => {
    const { get, moved } = adminApi();
    await moved(shadowOn);
    const answer = await get('/api/v1/ledger?group=orders&limit=2').expect(200);
    expect(answer.body.data.events.map((event: { seq: number }) => event.seq)).toEqual([4, 3]);
  });

  test.each(['0', '1001', 'many'])('a history of %s events is 400', async (limit) => {
    await adminApi().get(`/api/v1/ledger?limit=${limit}`).expect(400);
  });

  test('explain answers for a request that is never sent', async () => {
    const answer = await adminApi()
      .post('/api/v1/explain')
      .send({ method: 'GET', target: '/orders/7', headers: [['X-User', 'u1']] })
      .expect(200);
    expect(answer.body.data).toMatchObject({
      route: { label: 'GET /orders/:id', group: 'orders' },
      answer: { side: 'legacy', reason: 'stage' },
    });
  });

  test('causes of an unknown group, an unknown cause and an unknown path are 404', async () => {
    const { get } = adminApi();
    await get('/api/v1/groups/nope/causes').expect(404);
    await get('/api/v1/groups/orders/causes/0123').expect(404);
    await get('/api/v1/nothing').expect(404);
  });

  test('a reload that was refused is 400 with every fault and its place', async () => {
    const faults = [
      { path: 'groups.orders.unitt', text: 'unknown key', hint: 'did you mean "unit"?' },
      { path: 'listen', text: 'a change of it needs a restart', hint: null },
    ];
    const { post } = adminApi({ reload: async () => ({ kind: 'refused', faults }) });
    const answer = await post('/api/v1/reload').expect(400);
    expect(JSON.parse(answer.text)).toMatchObject({
      code: 'CONFIG_REFUSED',
      detail: 'nothing was changed: 2 faults in the configuration',
      errors: [
        { pointer: 'groups.orders.unitt', detail: 'unknown key; did you mean "unit"?' },
        { pointer: 'listen', detail: 'a change of it needs a restart' },
      ],
    });
  });

  test('a reload says what changed', async () => {
    const answer = await adminApi().post('/api/v1/reload').expect(200);
    expect(answer.body).toMatchObject({ schema: 'fig.reload/1', data: { snapshot: 2, added: [] } });
  });

  test('a reload needs the token', async () => {
    await request(adminApi().app).post('/api/v1/reload').expect(401);
  });

  test.each([
    ['/api/v1/flags/a%2Fb', '/'],
    ['/api/v1/flags/%2E%2E', '/'],
    ['/api/v1/flags?environment=a%20b', '/environment'],
    ['/api/v1/flags?archived=maybe', '/archived'],
    ['/api/v1/flags-history?limit=0', '/limit'],
    ['/api/v1/flags-history?flag=a%2Fb', '/flag'],
  ])('what is no question about flags is 400 and names the place: %s', async (path, pointer) => {
    const answer = await adminApi().get(path).expect(400);
    expect(JSON.parse(answer.text).errors).toMatchObject([{ pointer }]);
  });

  test.each([
    [{ kind: 'set' }, '/percent'],
    [{ kind: 'set', percent: 2.5 }, '/percent'],
    [{ kind: 'on', percent: 2 }, '/'],
    [{ kind: 'on', reason: 'a\u0007' }, '/reason'],
  ])('what is no change of a flag is 400 and names the place: %j', async (body, pointer) => {
    const answer = await adminApi().post('/api/v1/flags/banner/changes').send(body).expect(400);
    expect(JSON.parse(answer.text).errors).toMatchObject([{ pointer }]);
  });

  test('without an admin token for the flag server a flag is not changed', async () => {
    const answer = await adminApi().post('/api/v1/flags/banner/changes').send({ kind: 'on' }).expect(403);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'FLAGS_READ_ONLY' });
  });

  test('a failure inside is 500 without a word of its stack', async () => {
    const { get } = adminApi({
      status: () => {
        throw new Error('secret place');
      },
    });
    const answer = await get('/api/v1/status').expect(500);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'FIG_INTERNAL' });
    expect(answer.text).not.toMatch(/secret|\.ts|at /);
  });

  test('a path that cannot be decoded is 400 and shows no stack', async () => {
    const answer = await adminApi().get('/api/v1/groups/%E0%A4%A').expect(400);
    expect(answer.text).not.toMatch(/node_modules|URIError|\.ts|\.js/);
  });

  test('a group whose name is a word of the language is as unknown as any other', async () => {
    const { get } = adminApi();
    await get('/api/v1/groups/__proto__').expect(404);
    await get('/api/v1/groups/constructor').expect(404);
  });
});

function database() {
  const db = openDatabase(':memory:', MIGRATIONS);
  onTestFinished(() => void db.close());
  return db;
}

import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { ask, cookieFrom, FORM, type Reply } from './ask.ts';
import { type OpenShop, openShop } from './open-shop.ts';

let shop: OpenShop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

function csrfIn(reply: Reply): string {
  return /name="csrf" value="([0-9a-f]+)"/.exec(reply.text)?.[1] ?? '';
}

async function visit(): Promise<string> {
  return cookieFrom(await ask(shop.port, '/'), 'OAKSESS');
}

async function login(user: number): Promise<{ before: string; cookie: string; csrf: string; reply: Reply }> {
  const form = await ask(shop.port, '/login');
  const csrf = csrfIn(form);
  const reply = await ask(shop.port, '/login', {
    method: 'POST',
    headers: { ...FORM, Cookie: cookieFrom(form, 'OAKSESS') },
    body: `csrf=${csrf}&email=user${user}%40old-oak.example&password=oak-${user}`,
  });
  return { before: cookieFrom(form, 'OAKSESS'), cookie: cookieFrom(reply, 'OAKSESS'), csrf, reply };
}

test.each(['/', '/c/tables', '/p/7-x', '/cart/add?sku=OAK-00001', '/login'])(
  '%s hands a session to a visitor without one, and none to a visitor who has one',
  async (path) => {
    const first = await ask(shop.port, path);
    expect(first.headers['set-cookie']?.[0]).toMatch(/^OAKSESS=[0-9a-f]{32}; Path=\/; HttpOnly$/);
    const again = await ask(shop.port, path, { headers: { Cookie: cookieFrom(first, 'OAKSESS') } });
    expect(again.headers['set-cookie']).toBeUndefined();
  },
);

test('an API answer loads no session', async () => {
  expect((await ask(shop.port, '/api/v1/products/7')).headers['set-cookie']).toBeUndefined();
});

test('the home page shows random products, the time and the build', async () => {
  const first = await ask(shop.port, '/');
  const second = await ask(shop.port, '/');
  expect(first.headers['x-oak-build']).toBe('test-build');
  expect(first.text).toMatch(/14\/07\/2026 12:\d\d:\d\d build test-build<\/small>/);
  const products = (reply: Reply) => reply.text.match(/href="\/p\/\d+/g)?.join(' ');
  expect(products(first)).not.toBe(products(second));
});

test('page 0 of a category is page 1, page -1 is the fixed error page, an unknown category is 404', async () => {
  const list = (reply: Reply) => /<ul>[\s\S]*<\/ul>/.exec(reply.text)?.[0];
  expect(list(await ask(shop.port, '/c/tables?page=0'))).toBe(list(await ask(shop.port, '/c/tables?page=1')));
  const error = await ask(shop.port, '/c/tables?page=-1');
  expect(error.status).toBe(500);
  expect(error.text).not.toContain('.ts');
  expect((await ask(shop.port, '/c/nothing')).status).toBe(404);
});

test('a wrong slug redirects absolutely to the internal port, and still counts a view', async () => {
  const views = () =>
    shop.db.prepare<[], { views: number }>('SELECT views FROM products WHERE id = 12').get()?.views;
  const before = views() ?? 0;
  const reply = await ask(shop.port, '/p/12-wrong');
  expect(reply.status).toBe(301);
  expect(reply.headers.location).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${shop.port}/p/12-`));
  expect(reply.text).not.toContain('127.0.0.1');
  expect(views()).toBe(before + 1);
});

test('adding to the cart again on refresh adds again, and goes back to the Referer', async () => {
  const cookie = await visit();
  const headers = { Cookie: cookie, Referer: 'http://shop.example/c/tables' };
  const reply = await ask(shop.port, '/cart/add?sku=OAK-00003&qty=2', { headers });
  await ask(shop.port, '/cart/add?sku=OAK-00003&qty=2', { headers });
  expect([reply.status, reply.headers.location]).toEqual([302, 'http://shop.example/c/tables']);
  const row = shop.db
    .prepare<[string], { cart_json: string }>('SELECT cart_json FROM sessions WHERE id = ?')
    .get(cookie.slice('OAKSESS='.length));
  expect(row?.cart_json).toBe('{"OAK-00003":4}');
});

test('a message is shown once', async () => {
  const cookie = await visit();
  await ask(shop.port, '/cart/add?sku=OAK-00003', { headers: { Cookie: cookie } });
  expect((await ask(shop.port, '/', { headers: { Cookie: cookie } })).text).toContain('Added to your cart.');
  expect((await ask(shop.port, '/', { headers: { Cookie: cookie } })).text).not.toContain(
    'Added to your cart.',
  );
});

test('requests of one session take turns, so no addition is lost', async () => {
  const cookie = await visit();
  const add = () => ask(shop.port, '/cart/add?sku=OAK-00004', { headers: { Cookie: cookie } });
  await Promise.all(Array.from({ length: 20 }, add));
  const row = shop.db
    .prepare<[string], { cart_json: string }>('SELECT cart_json FROM sessions WHERE id = ?')
    .get(cookie.slice('OAKSESS='.length));
  expect(row?.cart_json).toBe('{"OAK-00004":20}');
});

test('a login rotates the session id, makes the old one worthless and sets two cookies', async () => {
  const { before, cookie, reply } = await login(17);
  expect(reply.status).toBe(302);
  expect(reply.headers['set-cookie']).toHaveLength(2);
  expect(reply.headers['set-cookie']?.[1]).toMatch(/^oak_seen=2026-07-14%2012%3A\d\d%3A\d\d; Path=\/$/);
  expect(cookie).not.toBe(before);
  const stale = await ask(shop.port, '/', { headers: { Cookie: before } });
  expect(cookieFrom(stale, 'OAKSESS')).toMatch(/^OAKSESS=[0-9a-f]{32}$/);
});

test('a wrong password is 200 with the form again, a wrong CSRF token is 403', async () => {
  const form = await ask(shop.port, '/login');
  const headers = { ...FORM, Cookie: cookieFrom(form, 'OAKSESS') };
  const wrong = await ask(shop.port, '/login', {
    method: 'POST',
    headers,
    body: `csrf=${csrfIn(form)}&email=user17%40old-oak.example&password=nope`,
  });
  expect(wrong.status).toBe(200);
  expect(wrong.text).toContain('wrong password');
  const forged = await ask(shop.port, '/login', {
    method: 'POST',
    headers,
    body: 'csrf=00&email=a&password=b',
  });
  expect(forged.status).toBe(403);
});

test('a review is stripped of HTML, stored in London text and thanked for', async () => {
  const { cookie, csrf } = await login(18);
  const page = await ask(shop.port, '/p/14-x', { headers: { Cookie: cookie } });
  const path = new URL(page.headers.location ?? '').pathname;
  const reply = await ask(shop.port, `${path}/reviews`, {
    method: 'POST',
    headers: { ...FORM, Cookie: cookie },
    body: `csrf=${csrf}&stars=4&title=Fine&body=${encodeURIComponent('<b>Bold</b> & good')}`,
  });
  expect([reply.status, new URL(reply.headers.location ?? '').pathname]).toEqual([302, path]);
  const { reviews } = JSON.parse((await ask(shop.port, '/api/v1/products/14/reviews')).text);
  expect(reviews[0]).toMatchObject({ stars: 4, title: 'Fine', body_html: 'Bold &amp; good' });
  expect(reviews[0].posted).toMatch(/^14\/07\/2026 12:\d\d$/);
  expect((await ask(shop.port, path, { headers: { Cookie: cookie } })).text).toContain(
    'Thank you for your review.',
  );
});

test('a review with the token of another session is refused', async () => {
  const { cookie } = await login(19);
  const { csrf } = await login(20);
  const reply = await ask(shop.port, '/p/14-x/reviews', {
    method: 'POST',
    headers: { ...FORM, Cookie: cookie },
    body: `csrf=${csrf}&stars=4`,
  });
  expect(reply.status).toBe(403);
});

test('at the limit of sessions the oldest are forgotten', async () => {
  const small = await openShop({ sessionsMax: 5 });
  onTestFinished(() => small.close());
  for (let index = 0; index < 12; index += 1) await ask(small.port, '/');
  const rows = small.db.prepare<[], { n: number }>('SELECT count(*) AS n FROM sessions').get()?.n ?? 0;
  expect(rows).toBeGreaterThan(0);
  expect(rows).toBeLessThanOrEqual(5);
});

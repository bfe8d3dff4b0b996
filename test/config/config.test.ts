import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, findConfig, loadConfig, parseConfig, proxyOnly } from '../../router/config.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const TODAY = '2026-11-24';
const GOOD = {
  legacy: 'http://127.0.0.1:3000',
  services: { orders: 'http://127.0.0.1:4001' },
  groups: { orders: { service: 'orders', routes: ['GET /orders/:id'], unit: [{ cookie: 'sid' }] } },
};
const RULE = {
  path: '/body/rid',
  action: 'ignore-value',
  owner: 'team',
  reason: 'random',
  expires: '2026-12-31',
};

const parse = (input: unknown, env: NodeJS.ProcessEnv = {}) =>
  parseConfig(input, { file: 'fig.config.ts', folder: '/srv/app', env, today: TODAY });

/** `path  text; hint` of every fault. */
function faultsOf(input: unknown, env?: NodeJS.ProcessEnv): string[] {
  try {
    parse(input, env);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.faults.map(
        ({ path, text, hint }) => `${path}  ${text}${hint === null ? '' : `; ${hint}`}`,
      );
    throw error;
  }
  return [];
}

const orders = (more: object) => ({ ...GOOD, groups: { orders: { ...GOOD.groups.orders, ...more } } });

test('a good configuration gets defaults that are safe for legacy', () => {
  expect(parse(GOOD)).toMatchObject({
    listen: { host: '127.0.0.1', port: 8080, named: false },
    admin: { host: '127.0.0.1', port: 8081, named: false },
    data: '/srv/app/.fig',
    flags: { kind: 'embedded', address: { port: 4242, named: false } },
    trustedProxies: [],
    limits: { requestBodyBytesMax: 0 },
    routing: {
      groups: [{ name: 'orders', shadowLimits: { perSecondMax: 50, inFlightMax: 8, bodyBytesMax: 262_144 } }],
    },
  });
});

test.each<[string, unknown, RegExp]>([
  ['a misspelt key', { ...GOOD, lissten: 'x' }, /^lissten {2}unknown key; did you mean "listen"\?$/],
  [
    'a misspelt key of a group',
    orders({ routs: [] }),
    /^groups\.orders\.routs {2}unknown key; did you mean "routes"\?$/,
  ],
  ['legacy with a path', { ...GOOD, legacy: 'http://x/y' }, /^legacy {2}expected http:\/\/HOST:PORT/],
  ['legacy without a scheme', { ...GOOD, legacy: '127.0.0.1:3000' }, /^legacy {2}expected http/],
  ['no legacy', { groups: {} }, /^legacy {2}/],
  [
    'a service that does not exist',
    orders({ service: 'ordrs' }),
    /no such service "ordrs", known: orders; did you mean "orders"\?$/,
  ],
  [
    'a route without a method',
    orders({ routes: ['/orders'] }),
    /^groups\.orders\.routes\[0\] {2}"\/orders" is no route; write METHOD \/path/,
  ],
  [
    'a route twice',
    orders({ routes: ['GET /o/:a', 'GET /o/:b'] }),
    /routes\[1\] {2}"GET \/o\/:b" is the same route as "GET \/o\/:a"/,
  ],
  ['no routes', orders({ routes: [] }), /^groups\.orders\.routes {2}expected at least one route$/],
  [
    'a group name in capitals',
    { ...GOOD, groups: { Orders: GOOD.groups.orders } },
    /^groups\.Orders {2}expected a name/,
  ],
  ['a listen without a port', { ...GOOD, listen: 'localhost' }, /^listen {2}expected HOST:PORT/],
  ['a port that is none', { ...GOOD, listen: '127.0.0.1:70000' }, /^listen {2}expected a port/],
  [
    'admin beyond loopback',
    { ...GOOD, admin: '0.0.0.0:8081' },
    /^admin {2}0\.0\.0\.0 is beyond loopback; bind 127/,
  ],
  [
    'admin on the traffic port',
    { ...GOOD, listen: '127.0.0.1:1', admin: '127.0.0.1:1' },
    /^admin {2}the same address as listen/,
  ],
  ['a negative limit', orders({ shadow: { perSecondMax: 0 } }), /^groups\.orders\.shadow\.perSecondMax {2}/],
  [
    'an unknown action of a rule',
    orders({ compare: { rules: [{ ...RULE, action: 'hide' }] } }),
    /^groups\.orders\.compare\.rules\[0\]\.action {2}unknown action "hide"/,
  ],
  [
    'a rule that lives too long',
    orders({ compare: { rules: [{ ...RULE, expires: '2027-12-31' }] } }),
    /rules\[0\]\.expires {2}must be at most 90 days away/,
  ],
  [
    'a rule without an owner',
    orders({ compare: { rules: [{ ...RULE, owner: undefined }] } }),
    /rules\[0\]\.owner {2}/,
  ],
  ['an unleash that is no URL', { ...GOOD, flags: { unleash: 'x' } }, /^flags\.unleash {2}/],
])('%s', (_, input, expected) => {
  expect(faultsOf(input).join('\n')).toMatch(new RegExp(expected.source, 'm'));
});

test('every fault is listed at once, also between the parts of a misshapen file', () => {
  const input = {
    legacy: 'x',
    lissten: 1,
    services: { a: 'http://127.0.0.1:1' },
    groups: { Bad: { service: 'b', routes: ['nope'] } },
  };
  expect(faultsOf(input).map((fault) => fault.split('  ')[0])).toEqual([
    'legacy',
    'lissten',
    'groups.Bad',
    'groups.Bad.service',
    'groups.Bad.routes[0]',
  ]);
});

test('a token comes from the environment, and its absence is said', () => {
  const flags = { unleash: 'https://flags.test/api/', tokenEnv: 'T', adminTokenEnv: 'A' };
  expect(faultsOf({ ...GOOD, flags })).toEqual([
    'flags.tokenEnv  the environment has no T; set it to a backend token',
    'flags.adminTokenEnv  the environment has no A; set it to an admin token, or leave the key out',
  ]);
  expect(parse({ ...GOOD, flags }, { T: 't', A: 'a' }).flags).toMatchObject({
    clientToken: 't',
    adminToken: 'a',
    refreshMs: 1_000,
  });
});

test('location rewriting keeps its order and loses trailing slashes', () => {
  const legacy = {
    url: 'http://127.0.0.1:3000/',
    rewrite: { location: { 'http://a/': 'public', 'http://b': 'http://c' } },
  };
  expect(parse({ ...GOOD, legacy }).routing.legacy).toMatchObject({
    origin: 'http://127.0.0.1:3000',
    rewriteLocation: [
      ['http://a', 'public'],
      ['http://b', 'http://c'],
    ],
  });
});

test('a proxy needs no file', () => {
  expect(proxyOnly('http://127.0.0.1:3000', '127.0.0.1:0', '/srv').routing).toMatchObject({
    legacy: { origin: 'http://127.0.0.1:3000' },
    groups: [],
  });
  expect(() => proxyOnly('http://x/path', undefined, '/srv')).toThrow(ConfigError);
});

async function load(name: string, text: string): Promise<unknown> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, name), text);
  return loadConfig(join(folder, name), {}, TODAY).catch((error: unknown) =>
    error instanceof ConfigError ? error.faults[0]?.text : error,
  );
}

test('a .ts file is read as it is, also in a package of type commonjs', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}');
  writeFileSync(
    join(folder, 'fig.config.ts'),
    `import { defineConfig } from 'strangler-fig/config';\nconst url: string = 'http://127.0.0.1:3000';\nexport default defineConfig({ legacy: url });\n`,
  );
  expect((await loadConfig(join(folder, 'fig.config.ts'), {}, TODAY)).routing.legacy.origin).toBe(
    'http://127.0.0.1:3000',
  );
});

test('a JSON file may name its schema', async () => {
  expect(await load('fig.config.json', '{"$schema":"x","legacy":"http://127.0.0.1:3000"}')).toMatchObject({
    routing: { groups: [] },
  });
});

test.each<[string, string, RegExp]>([
  ['a function in the file', 'export default { legacy: () => 1 };', /could not be cloned/],
  ['a file without a default export', 'export const a = 1;', /no default export/],
  ['a file that throws', 'throw new Error("no secret here");', /no secret here/],
  ['a file that is no TypeScript', 'export default {', /./],
])('%s is a fault, not a crash', async (_, text, expected) => {
  expect(String(await load('fig.config.ts', text))).toMatch(expected);
});

test('a file that never ends is a fault after its deadline', async () => {
  expect(
    await load('fig.config.mjs', 'await new Promise((r) => setTimeout(r, 60_000)); export default {};'),
  ).toMatch(/did not finish within/);
});

test('JSON that is none says where', async () => {
  expect(await load('fig.config.json', '{')).toMatch(/^not JSON/);
});

test('the configuration is found in a parent, up to the one that holds .git', () => {
  const root = temporaryFolder();
  mkdirSync(join(root, 'repo/.git'), { recursive: true });
  mkdirSync(join(root, 'repo/a/b'), { recursive: true });
  writeFileSync(join(root, 'fig.config.ts'), '');
  expect(findConfig(join(root, 'repo/a/b'))).toBeNull();
  writeFileSync(join(root, 'repo/fig.config.json'), '');
  expect(findConfig(join(root, 'repo/a/b'))).toBe(join(root, 'repo/fig.config.json'));
});

test('two configurations in one folder are refused', () => {
  const folder = temporaryFolder();
  for (const name of ['fig.config.ts', 'fig.config.json']) writeFileSync(join(folder, name), '');
  expect(() => findConfig(folder)).toThrow(ConfigError);
});

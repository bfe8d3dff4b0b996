import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, type Fault, findConfig, loadConfig, parseConfig } from '../../router/config.ts';
import { PROXY_DEFAULTS } from '../../router/proxy/options.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const TODAY = '2026-01-01';
const WRITES = { mode: 'shadow-database', owner: 'team', reason: 'pure', expires: '2026-02-01' };
const ORDERS = { service: 'orders', routes: ['GET /orders'] };
const GOOD = {
  legacy: 'http://127.0.0.1:3000',
  services: { orders: 'http://127.0.0.1:4001' },
  groups: { orders: ORDERS },
};

function parse(input: unknown, env: NodeJS.ProcessEnv = {}) {
  return parseConfig(input, { file: 'fig.config.ts', folder: '/app', env, today: TODAY });
}

function faultsOf(input: unknown, env: NodeJS.ProcessEnv = {}): readonly Fault[] {
  try {
    parse(input, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

async function loadFaults(file: string, evaluateMs?: number): Promise<readonly Fault[]> {
  return loadConfig(file, {}, TODAY, evaluateMs).then(
    () => [],
    (error: unknown) => {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    },
  );
}

function fileWith(name: string, text: string): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, text);
  return file;
}

describe('a fault is told with its path and a hint', () => {
  const CASES: readonly (readonly [what: string, change: object, fault: Partial<Fault>])[] = [
    [
      'an unknown key',
      { lisen: '127.0.0.1:1' },
      { path: 'lisen', text: 'unknown key', hint: 'did you mean "listen"?' },
    ],
    ['a trusted proxy that is no block', { trustedProxies: ['10.0.0.0/99'] }, { path: 'trustedProxies[0]' }],
    [
      'a flag server beyond loopback',
      { flags: { embedded: { listen: '0.0.0.0:4242' } } },
      { path: 'flags.embedded.listen', text: '0.0.0.0 is beyond loopback' },
    ],
    ['an admin address that only looks like loopback', { admin: '127.0.0.999:1' }, { path: 'admin' }],
    ['an origin in an odd spelling', { legacy: 'http:127.0.0.1:3000' }, { path: 'legacy' }],
    [
      'a route whose method is never forwarded',
      { groups: { orders: { ...ORDERS, routes: ['CONNECT /orders'] } } },
      {
        path: 'groups.orders.routes[0]',
        text: '"CONNECT /orders" can never match: CONNECT is not forwarded',
      },
    ],
    [
      'a route that no request can have',
      { groups: { orders: { ...ORDERS, routes: ['GET /orders/../x'] } } },
      { path: 'groups.orders.routes[0]', text: '"GET /orders/../x" is no route' },
    ],
    ['a key like nothing known', { zzzzzzzzz: 1 }, { path: 'zzzzzzzzz', text: 'unknown key', hint: null }],
    [
      'an unknown key of a group',
      { groups: { orders: { ...ORDERS, unitt: [] } } },
      { path: 'groups.orders.unitt', hint: 'did you mean "unit"?' },
    ],
    [
      'an unknown key of the shadow limits',
      { groups: { orders: { ...ORDERS, shadow: { perSecondMx: 1 } } } },
      { path: 'groups.orders.shadow.perSecondMx', hint: 'did you mean "perSecondMax"?' },
    ],
    [
      'a POST that is said to be idempotent',
      {
        groups: {
          orders: { ...ORDERS, routes: [{ match: 'POST /a', writes: { ...WRITES, mode: 'idempotent' } }] },
        },
      },
      { path: 'groups.orders.routes[0].writes', text: 'POST is not idempotent' },
    ],
    [
      'writes to shadow instances that are not there',
      { groups: { orders: { ...ORDERS, routes: [{ match: 'POST /a', writes: WRITES }] } } },
      { path: 'groups.orders.routes[0].writes', text: 'the service has no shadow instances' },
    ],
    [
      'writes that somebody answers for too long',
      {
        groups: {
          orders: {
            ...ORDERS,
            routes: [{ match: 'POST /a', writes: { ...WRITES, mode: 'dry-run', expires: '2030-01-01' } }],
          },
        },
      },
      { path: 'groups.orders.routes[0].writes', text: 'expires more than 90 days from today' },
    ],
    [
      'writes without an owner',
      {
        groups: {
          orders: {
            ...ORDERS,
            routes: [{ match: 'POST /a', writes: { ...WRITES, mode: 'dry-run', owner: '' } }],
          },
        },
      },
      { path: 'groups.orders.routes[0].writes.owner' },
    ],
    [
      'shadow instances that answer for real, however they are spelt',
      { services: { orders: { url: 'http://127.0.0.1:4001', shadow: 'http://localhost:4001/' } } },
      { path: 'services.orders.shadow', text: 'the address of orders' },
    ],
    [
      'shadow instances that are legacy',
      { services: { orders: { url: 'http://127.0.0.1:4001', shadow: 'http://127.0.0.1:3000' } } },
      { path: 'services.orders.shadow', text: 'the address of legacy' },
    ],
    [
      'an origin with a path',
      { legacy: 'http://127.0.0.1:3000/app' },
      { path: 'legacy', text: 'expected http://HOST:PORT or https://HOST:PORT without a path' },
    ],
    ['an origin with a password', { legacy: 'http://a:b@127.0.0.1:3000' }, { path: 'legacy' }],
    ['an origin of another scheme', { services: { orders: 'ftp://127.0.0.1' } }, { path: 'services.orders' }],
    [
      'a port beyond 65535',
      { listen: '127.0.0.1:65536' },
      { path: 'listen', text: 'expected a port from 0 to 65535' },
    ],
    [
      'a service nobody configured',
      { groups: { orders: { ...ORDERS, service: 'order' } } },
      {
        path: 'groups.orders.service',
        text: 'no such service "order", known: orders',
        hint: 'did you mean "orders"?',
      },
    ],
    [
      'a route without a method',
      { groups: { orders: { ...ORDERS, routes: ['/orders'] } } },
      {
        path: 'groups.orders.routes[0]',
        text: '"/orders" is no route',
        hint: expect.stringContaining('METHOD'),
      },
    ],
    [
      'a route with a star in the middle',
      { groups: { orders: { ...ORDERS, routes: ['GET /a', { match: 'GET /*/b' }] } } },
      { path: 'groups.orders.routes[1]', text: '"GET /*/b" is no route' },
    ],
    [
      'a group without routes',
      { groups: { orders: { ...ORDERS, routes: [] } } },
      { path: 'groups.orders.routes' },
    ],
    [
      'a route that belongs to two groups',
      {
        groups: {
          orders: { ...ORDERS, routes: ['GET /a/:x'] },
          carts: { ...ORDERS, routes: ['GET /b', 'GET /a/:y'] },
        },
      },
      {
        path: 'groups.carts.routes[1]',
        text: '"GET /a/:y" is the same route as "GET /a/:x" of group orders',
        hint: 'a route belongs to one group',
      },
    ],
    [
      'a group name that is no name of a flag',
      { groups: { Orders: ORDERS } },
      { path: 'groups.Orders', text: 'expected 1-40 characters of a-z, 0-9 and -' },
    ],
    [
      'a rule with an unknown action',
      { groups: { orders: { ...ORDERS, compare: { rules: [ruleWith({ action: 'look-away' })] } } } },
      { path: 'groups.orders.compare.rules[0].action', text: expect.stringContaining('unknown action') },
    ],
    [
      'a place of values that is no path',
      { groups: { orders: { ...ORDERS, compare: { showValues: ['/body/a', 'body'] } } } },
      {
        path: 'groups.orders.compare.showValues[1]',
        text: 'must be a pointer below /body or /headers, as in a rule',
      },
    ],
    [
      'a rule that lives too long',
      { groups: { orders: { ...ORDERS, compare: { rules: [ruleWith({ expires: '2026-12-31' })] } } } },
      { path: 'groups.orders.compare.rules[0].expires', text: 'must be at most 90 days away' },
    ],
    [
      'a rule with a parameter that its action does not have',
      { groups: { orders: { ...ORDERS, compare: { rules: [ruleWith({ abs: 1 })] } } } },
      {
        path: 'groups.orders.compare.rules[0].abs',
        text: expect.stringContaining(
          'unknown parameter of "ignore-value"; known: path, action, owner, reason, ticket',
        ),
      },
    ],
    [
      'a rule with a selector that is not supported',
      { groups: { orders: { ...ORDERS, compare: { rules: [ruleWith(HTML_RULE)] } } } },
      {
        path: 'groups.orders.compare.rules[0].ignore[0].selector',
        text: ':first-child is not supported',
      },
    ],
    [
      'a rule without an owner',
      { groups: { orders: { ...ORDERS, compare: { rules: [ruleWith({ owner: '' })] } } } },
      { path: 'groups.orders.compare.rules[0].owner', text: 'is required' },
    ],
    [
      'a rule for a route that the group does not have',
      { groups: { orders: { ...ORDERS, compare: { rules: [ruleWith({ routes: ['GET /carts'] })] } } } },
      {
        path: 'groups.orders.compare.rules[0].routes[0]',
        text: expect.stringContaining('no such route "GET /carts", known: "'),
      },
    ],
    [
      'a rule that never applies',
      { groups: { orders: { ...ORDERS, compare: { rules: [ruleWith({}), ruleWith({ action: 'uuid' })] } } } },
      {
        path: 'groups.orders.compare.rules[1]',
        text: expect.stringMatching(/^never applies: ignore-value .* comes first wherever it could$/),
      },
    ],
    [
      'a rule that is none',
      { groups: { orders: { ...ORDERS, compare: { rules: ['ignore'] } } } },
      {
        path: 'groups.orders.compare.rules[0]',
        text: 'expected a rule: path, action, owner, reason and expires',
      },
    ],
    [
      'an admin API beyond loopback',
      { admin: '0.0.0.0:8081' },
      { path: 'admin', hint: expect.stringContaining('bind') },
    ],
    [
      'traffic and admin on one port',
      { listen: '127.0.0.1:9000', admin: '127.0.0.1:9000' },
      { path: 'admin', text: 'the same address as listen' },
    ],
    [
      'a flag token that the environment lacks',
      { flags: { unleash: 'http://127.0.0.1:4242/api/', tokenEnv: 'TOKEN' } },
      { path: 'flags.tokenEnv', text: 'the environment has no TOKEN', hint: 'set it to a backend token' },
    ],
    [
      'an Unleash URL that is not its API',
      { flags: { unleash: 'http://127.0.0.1:4242/', tokenEnv: 'SET' } },
      { path: 'flags.unleash', text: 'expected a URL that ends in /api/' },
    ],
  ];
  test.each(CASES)('%s', (_what, change, fault) => {
    expect(faultsOf({ ...GOOD, ...change }, { SET: 'x' })).toEqual([expect.objectContaining(fault)]);
  });

  test('a plan for writes that has expired is none', () => {
    const writes = { ...WRITES, mode: 'dry-run', expires: '2025-12-31' };
    const routes = [
      { match: 'POST /a', writes },
      { match: 'POST /b', writes: { ...writes, mode: 'off' } },
    ];
    const { routing } = parse({ ...GOOD, groups: { orders: { ...ORDERS, routes } } }, {});
    expect(routing.groups[0]?.routes.map((route) => route.writes)).toEqual([null, null]);
  });

  test('an admin token that was named but is not set', () => {
    const flags = { unleash: 'http://127.0.0.1:1/api', tokenEnv: 'A', adminTokenEnv: 'B' };
    expect(faultsOf({ ...GOOD, flags }, { A: 'a' })).toMatchObject([{ path: 'flags.adminTokenEnv' }]);
  });

  test('all of them at once, of whatever kind', () => {
    const faults = faultsOf({
      legacy: 'nowhere',
      listen: 7,
      admin: '10.0.0.1:80',
      servics: {},
      services: { orders: 'http://127.0.0.1:4001/x' },
      groups: {
        orders: { service: 'orders', routes: ['orders', 'GET /a'] },
        carts: { service: 'cart', routes: ['GET /a'] },
        BAD: ORDERS,
        wishes: { service: 'orders', routes: ['GET /w'], shadow: { inFlightMax: 0 } },
      },
      flags: { unleash: 'http://127.0.0.1:1/api/' },
    });
    expect(faults.map(({ path }) => path).toSorted()).toEqual([
      'admin',
      'flags.tokenEnv',
      'groups.BAD',
      'groups.carts.routes[0]',
      'groups.carts.service',
      'groups.orders.routes[0]',
      'groups.wishes.shadow.inFlightMax',
      'legacy',
      'listen',
      'services.orders',
      'servics',
    ]);
  });

  test.each([[null], ['text'], [[]], [7], [undefined]])('%j instead of a configuration', (input) => {
    expect(faultsOf(input)).not.toEqual([]);
  });
});

describe('what is left out', () => {
  test('has a default that is safe for legacy', () => {
    const settings = parse(GOOD);
    expect(settings).toMatchObject({
      listen: { host: '127.0.0.1', port: 8080, named: false },
      admin: { host: '127.0.0.1', port: 8081, named: false },
      data: '/app/.fig',
      flags: { kind: 'embedded', address: { port: 4242, named: false } },
      workers: 1,
      proxy: PROXY_DEFAULTS,
    });
    expect(settings.routing.groups).toMatchObject([
      {
        name: 'orders',
        unit: [],
        rules: [],
        shadowLimits: { perSecondMax: 50, inFlightMax: 8, bodyBytesMax: 262_144, timeoutMs: 2_000 },
      },
    ]);
  });

  test('an address that is written down is never replaced', () => {
    expect(parse({ ...GOOD, listen: '[::1]:9' }).listen).toEqual({ host: '::1', port: 9, named: true });
  });

  test('a route given as an object keeps its effects, a header of the unit is lower-cased', () => {
    const routes = [{ match: 'GET /logout', effects: true }];
    const { routing } = parse({
      ...GOOD,
      groups: { orders: { ...ORDERS, routes, unit: [{ header: 'X-User' }] } },
    });
    expect(routing.groups).toMatchObject([{ routes: [{ effects: true }], unit: [{ header: 'x-user' }] }]);
  });

  test('an Unleash URL without its last slash is completed', () => {
    const flags = { unleash: 'http://127.0.0.1:1/api', tokenEnv: 'A' };
    expect(parse({ ...GOOD, flags }, { A: 'a' }).flags).toMatchObject({
      url: 'http://127.0.0.1:1/api/',
      clientToken: 'a',
      adminToken: null,
    });
  });
});

describe('a configuration file', () => {
  test('of TypeScript is read in a package of type commonjs', async () => {
    const file = fileWith(
      'fig.config.ts',
      `import { defineConfig } from 'strangler-fig/config';\nconst port: number = 3000;\nexport default defineConfig({ legacy: \`http://127.0.0.1:\${port}\` });\n`,
    );
    writeFileSync(join(file, '../package.json'), '{"type":"commonjs"}');
    expect((await loadConfig(file, {}, TODAY)).routing.legacy.origin).toBe('http://127.0.0.1:3000');
  });

  test('of JSON may name its schema', async () => {
    const file = fileWith('fig.config.json', JSON.stringify({ $schema: './fig.schema.json', ...GOOD }));
    expect((await loadConfig(file, {}, TODAY)).routing.groups).toHaveLength(1);
  });

  test('that is no JSON is a fault', async () => {
    expect(await loadFaults(fileWith('fig.config.json', '{'))).toMatchObject([
      { text: expect.stringContaining('not JSON') },
    ]);
  });

  test('with a function in it is a fault', async () => {
    const file = fileWith('fig.config.mjs', 'export default { legacy: () => 1 }');
    expect(await loadFaults(file)).toMatchObject([{ hint: 'data only: no functions, no class instances' }]);
  });

  test.each([
    ['awaits what never comes', 'await new Promise(() => {}); export default {}'],
    ['ends its process', 'process.exit(0); export default {}'],
  ])('that %s is a fault at once', async (_what, text) => {
    const file = fileWith('fig.config.mjs', text);
    expect(await loadFaults(file)).toMatchObject([{ text: 'it ended without giving a configuration' }]);
  });

  test('that never ends is a fault when its time is over', async () => {
    const file = fileWith('fig.config.mjs', 'for (;;);');
    expect(await loadFaults(file, 200)).toMatchObject([{ text: 'it did not finish within 200 ms' }]);
  });

  test.each([
    ['throws', "throw new Error('no luck')", 'no luck'],
    ['has no default export', 'export const legacy = 1', 'it has no default export'],
    ['does not parse', 'export default {', ''],
  ])('that %s is a fault in words', async (_what, text, said) => {
    const faults = await loadFaults(fileWith('fig.config.mjs', text));
    expect(faults).toMatchObject([{ text: expect.stringContaining(said) }]);
  });

  test('that is not there is a fault', async () => {
    expect(await loadFaults('/nowhere/fig.config.ts')).toMatchObject([{ text: 'there is no such file' }]);
  });
});

describe('looking for the file', () => {
  function tree() {
    const root = temporaryFolder();
    const deep = join(root, 'repository', 'a', 'b');
    mkdirSync(deep, { recursive: true });
    return { root, repository: join(root, 'repository'), deep };
  }

  test('goes up the parents', () => {
    const { repository, deep } = tree();
    writeFileSync(join(repository, 'fig.config.mjs'), '');
    expect(findConfig(deep)).toBe(join(repository, 'fig.config.mjs'));
  });

  test('ends at the folder that holds .git', () => {
    const { root, repository, deep } = tree();
    writeFileSync(join(root, 'fig.config.ts'), '');
    mkdirSync(join(repository, '.git'));
    expect(findConfig(deep)).toBeNull();
  });

  test('two files in one folder are a fault that names both', () => {
    const { deep } = tree();
    writeFileSync(join(deep, 'fig.config.ts'), '');
    writeFileSync(join(deep, 'fig.config.json'), '{}');
    expect(() => findConfig(deep)).toThrow(ConfigError);
  });
});

const HTML_RULE = { path: '/body', action: 'html', ignore: [{ selector: 'p:first-child' }] };

function ruleWith(change: object): object {
  return {
    path: '/body/rid',
    action: 'ignore-value',
    owner: 'team',
    reason: 'random',
    expires: '2026-02-01',
    ...change,
  };
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, type ConfigInput, type Fault, parseConfig, proxyOnly } from '../../router/config.ts';
import { PROXY_DEFAULTS } from '../../router/proxy/options.ts';
import { makeCertificate } from '../helpers/certificates.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const LEGACY = 'http://127.0.0.1:3000';
const ORDERS = { service: 'orders', routes: ['GET /orders'] };

function parse(change: object, folder = '/app') {
  const input = { legacy: LEGACY, services: { orders: 'http://127.0.0.1:4001' }, groups: { orders: ORDERS } };
  return parseConfig(
    { ...input, ...change },
    { file: 'fig.config.ts', folder, env: {}, today: '2026-01-01' },
  );
}

function faultsOf(change: object, folder?: string): readonly Fault[] {
  try {
    parse(change, folder);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('every option of the data plane', () => {
  const given = {
    trustedProxies: ['10.0.0.0/8'],
    hosts: ['Shop.Example', '[::1]'],
    timeouts: {
      clientHeadMs: 101,
      clientIdleMs: 102,
      clientBodyIdleMs: 103,
      clientWriteStallMs: 104,
      lingerMs: 105,
      queueWaitMs: 106,
      connectMs: 107,
      upstreamSendStallMs: 108,
      upstreamHeadMs: 109,
      upstreamBodyIdleMs: 110,
      streamIdleMs: 111,
      tunnelIdleMs: 112,
      tunnelHalfCloseMs: 113,
      totalMs: 114,
    },
    limits: {
      clientConnectionsMax: 201,
      requestsPerConnectionMax: 202,
      targetBytesMax: 256,
      headBytesMax: 2_048,
      fieldsMax: 205,
      requestBodyBytesMax: 206,
      upstreamHeadBytesMax: 2_049,
      upstreamFieldsMax: 207,
      interimAnswersMax: 208,
      lingerBytesMax: 209,
      tunnelsMax: 210,
      shadowBytesMax: 2_097_152,
    },
    upstream: {
      connectionsMax: 301,
      queueMax: 302,
      idleMs: 303,
      ageMs: 3_000,
      unsafeIdleMs: 305,
      retryShare: 0.1,
    },
    headers: { viaName: 'edge', viaResponse: false, forwarded: true, requestId: 'create' },
    paths: { caseFold: true, trailingDots: true },
    upgrade: { closeOnRollback: false, spreadMs: 401 },
    fallback: { enabled: false },
    drain: { leadMs: 501, tunnelMs: 502, deadlineMs: 503 },
    debug: { errorCode: true },
  } satisfies Partial<ConfigInput>;

  test('arrives where it is used', () => {
    const { timeouts, limits, headers, paths } = given;
    expect(parse(given).proxy).toEqual({
      tls: null,
      trustedProxies: ['10.0.0.0/8'],
      hosts: ['shop.example', '[::1]'],
      ...timeouts,
      ...limits,
      ...headers,
      ...paths,
      upstreamConnectionsMax: 301,
      upstreamQueueMax: 302,
      upstreamIdleMs: 303,
      upstreamAgeMs: 3_000,
      unsafeIdleMs: 305,
      retryShare: 0.1,
      errorCode: true,
      closeOnRollback: false,
      tunnelSpreadMs: 401,
      fallback: false,
      drainLeadMs: 501,
      drainTunnelMs: 502,
      drainDeadlineMs: 503,
    });
  });

  test('is tried above with a value that is not its default', () => {
    const { proxy } = parse(given);
    const asDefault = Object.entries(proxy).filter(
      ([name, value]) => value === Reflect.get(PROXY_DEFAULTS, name) && name !== 'tls',
    );
    expect(asDefault).toEqual([]);
  });

  test('has the default of the data plane when its section is empty', () => {
    const sections = [
      'timeouts',
      'limits',
      'upstream',
      'headers',
      'paths',
      'upgrade',
      'fallback',
      'drain',
      'debug',
    ];
    const empty = Object.fromEntries(sections.map((name) => [name, {}]));
    expect(parse(empty).proxy).toEqual(PROXY_DEFAULTS);
  });
});

describe('a key that nobody knows is told with the nearest one', () => {
  test.each([
    ['timeouts', { timeouts: { conectMs: 1 } }, 'timeouts.conectMs', 'connectMs'],
    ['limits', { limits: { fieldMax: 1 } }, 'limits.fieldMax', 'fieldsMax'],
    ['upstream', { upstream: { idelMs: 1 } }, 'upstream.idelMs', 'idleMs'],
    ['headers', { headers: { viaNam: 'x' } }, 'headers.viaNam', 'viaName'],
    ['paths', { paths: { casefold: true } }, 'paths.casefold', 'caseFold'],
    ['upgrade', { upgrade: { spredMs: 1 } }, 'upgrade.spredMs', 'spreadMs'],
    ['fallback', { fallback: { enable: true } }, 'fallback.enable', 'enabled'],
    ['drain', { drain: { leedMs: 1 } }, 'drain.leedMs', 'leadMs'],
    ['debug', { debug: { errorcode: true } }, 'debug.errorcode', 'errorCode'],
    ['the whole', { worker: 2 }, 'worker', 'workers'],
    ['an upstream', { legacy: { url: LEGACY, hots: 'target' } }, 'legacy.hots', 'host'],
    [
      'the rewriting of an upstream',
      { services: { orders: { url: LEGACY, rewrite: { cookieDomian: {} } } } },
      'services.orders.rewrite.cookieDomian',
      'cookieDomain',
    ],
    [
      'the TLS of an upstream',
      { legacy: { url: LEGACY, tls: { cretkey: 'x' } } },
      'legacy.tls.cretkey',
      null,
    ],
    [
      'the timeouts of a group',
      { groups: { orders: { ...ORDERS, timeouts: { totalMS: 1 } } } },
      'groups.orders.timeouts.totalMS',
      'totalMs',
    ],
    [
      'the paths of a group',
      { groups: { orders: { ...ORDERS, paths: { onDisagre: 'legacy' } } } },
      'groups.orders.paths.onDisagre',
      'onDisagree',
    ],
  ])('in %s', (_where, change, path, near) => {
    const hint = near === null ? null : `did you mean "${near}"?`;
    expect(faultsOf(change)).toContainEqual({ path, text: 'unknown key', hint });
  });
});

describe('a value beyond its bounds is a fault', () => {
  test.each([
    ['workers', { workers: 65 }],
    ['workers', { workers: 0 }],
    ['hosts[0]', { hosts: ['shop.example:80'] }],
    ['timeouts.connectMs', { timeouts: { connectMs: 49 } }],
    ['limits.headBytesMax', { limits: { headBytesMax: 100 } }],
    ['upstream.retryShare', { upstream: { retryShare: 1.1 } }],
    ['headers.viaName', { headers: { viaName: 'a b' } }],
    ['headers.requestId', { headers: { requestId: 'none' } }],
    ['drain.leadMs', { drain: { leadMs: 300_001 } }],
    ['legacy.host', { legacy: { url: LEGACY, host: 'http://x' } }],
    [
      'services.orders.rewrite.cookiePath.*',
      { services: { orders: { url: LEGACY, rewrite: { cookiePath: { '*': 'x' } } } } },
    ],
    [
      'groups.orders.paths.onDisagree',
      { groups: { orders: { ...ORDERS, paths: { onDisagree: 'service' } } } },
    ],
    [
      'groups.orders.limits.requestBodyBytesMax',
      { groups: { orders: { ...ORDERS, limits: { requestBodyBytesMax: -1 } } } },
    ],
  ])('%s', (path, change) => {
    expect(faultsOf(change).map((fault) => fault.path)).toEqual([path]);
  });
});

describe('an upstream', () => {
  test.each([
    ['preserve', null],
    ['target', '127.0.0.1:4001'],
    ['shop.internal:8443', 'shop.internal:8443'],
  ])('that is sent the host "%s" gets %j', (host, sent) => {
    const { routing } = parse({ services: { orders: { url: 'http://127.0.0.1:4001', host } } });
    expect(routing.groups[0]?.service.host).toBe(sent);
  });

  test('may rewrite domain and path of cookies', () => {
    const rewrite = { cookieDomain: { '*': '' }, cookiePath: { '/app': '/' } };
    expect(parse({ legacy: { url: LEGACY, rewrite } }).routing.legacy).toMatchObject({
      rewriteCookieDomain: [['*', '']],
      rewriteCookiePath: [['/app', '/']],
      rewriteLocation: [],
      tls: null,
    });
  });

  test('that is plain has no TLS to configure', () => {
    const change = { legacy: { url: LEGACY, tls: {} } };
    expect(faultsOf(change)).toMatchObject([{ path: 'legacy.tls', text: `${LEGACY} is plain` }]);
  });
});

test('a group may be forwarded differently from the rest', () => {
  const change = {
    timeouts: { upstreamHeadMs: 500, totalMs: 0 },
    limits: { requestBodyBytesMax: 10 },
    paths: { onDisagree: 'legacy' },
  };
  expect(parse({ groups: { orders: { ...ORDERS, ...change } } }).routing.groups[0]?.forwarding).toEqual({
    upstreamHeadMs: 500,
    totalMs: 0,
    requestBodyBytesMax: 10,
    onDisagree: 'legacy',
  });
});

describe('PEM files', () => {
  /** A folder with two certificates and a file that holds neither. */
  function pemFiles() {
    const folder = temporaryFolder();
    const front = makeCertificate(folder, 'front');
    makeCertificate(folder, 'other');
    writeFileSync(join(folder, 'empty.pem'), 'nothing');
    return { folder, front };
  }

  test('are read from beside the configuration', () => {
    const { folder, front } = pemFiles();
    const tls = { cert: 'front.crt', key: 'front.key' };
    expect(parse({ tls }, folder).proxy.tls).toEqual(front);
    expect(proxyOnly({ legacy: LEGACY, tls }, folder).proxy.tls).toEqual(front);
  });

  test('of an upstream are its authority and our certificate for it', () => {
    const { folder, front } = pemFiles();
    const tls = { ca: 'other.crt', cert: 'front.crt', key: 'front.key' };
    const { legacy } = parse({ legacy: { url: 'https://127.0.0.1:3000', tls } }, folder).routing;
    expect(legacy.tls).toEqual({ ca: expect.stringContaining('BEGIN CERTIFICATE'), ...front });
  });

  test.each<[string, object, Partial<Fault>]>([
    [
      'a missing file',
      { cert: 'gone.crt', key: 'front.key' },
      { path: 'tls.cert', text: 'there is no file gone.crt' },
    ],
    ['a folder', { cert: 'front.crt', key: '.' }, { path: 'tls.key', text: '. cannot be read (EISDIR)' }],
    [
      'no certificate',
      { cert: 'empty.pem', key: 'front.key' },
      { path: 'tls.cert', text: 'empty.pem holds no certificate' },
    ],
    [
      'no key',
      { cert: 'front.crt', key: 'empty.pem' },
      { path: 'tls.key', text: 'empty.pem holds no key that can be read' },
    ],
    [
      'the key of another',
      { cert: 'front.crt', key: 'other.key' },
      { path: 'tls.key', text: 'other.key is not the key of front.crt' },
    ],
    ['a certificate without key', { cert: 'front.crt' }, { path: 'tls.key' }],
  ])('%s is a fault of the listener', (_what, tls, fault) => {
    expect(faultsOf({ tls }, pemFiles().folder)).toMatchObject([fault]);
  });

  test('a client certificate without its key is a fault of the upstream', () => {
    const change = { legacy: { url: 'https://127.0.0.1:3000', tls: { cert: 'front.crt' } } };
    expect(faultsOf(change, pemFiles().folder)).toMatchObject([{ path: 'legacy.tls.key', text: 'missing' }]);
  });

  test('are told together with every other fault', () => {
    const { folder } = pemFiles();
    const paths = faultsOf({ tls: { cert: 'gone.crt', key: 'gone.key' }, workers: 0, lisen: 1 }, folder);
    expect(paths.map(({ path }) => path).toSorted()).toEqual(['lisen', 'tls.cert', 'tls.key', 'workers']);
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { parseCidr } from './core/address.ts';
import { checkRules } from './core/compare/rules.ts';
import { parsePattern, routeShape } from './core/match.ts';
import { AS_EVERYWHERE, type GroupPlan, PLAIN_TARGET, type RoutingPlan } from './core/snapshot.ts';
import type { Route, Target, UnitSource } from './core/types.ts';

/** What a configuration is read against. */
export interface ConfigOrigin {
  /** Relative paths are relative to it. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** ISO date; a rule that has expired no longer applies, one may live 90 days from it. */
  readonly today: string;
}

/** One thing that is wrong with a configuration. */
export interface Fault {
  /** `groups.orders.routes[0]`; empty for the whole file. */
  readonly path: string;
  /** What was expected and found. */
  readonly text: string;
  readonly hint: string | null;
}

/** The configuration cannot be used; lists every fault at once. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[];

  constructor(file: string, faults: readonly Fault[]) {
    super(`${file}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

export interface Address {
  readonly host: string;
  readonly port: number;
  /** Somebody asked for exactly this port: it is never replaced by another. */
  readonly named: boolean;
}

export type FlagSource =
  | { readonly kind: 'embedded'; readonly address: Address }
  | {
      readonly kind: 'unleash';
      /** Ends in `/api/`. */
      readonly url: string;
      readonly clientToken: string;
      readonly adminToken: string | null;
      readonly environment: string;
      readonly refreshMs: number;
    };

/** Everything the program reads from file, environment and command line, validated and with defaults. */
export interface Settings {
  readonly listen: Address;
  readonly admin: Address;
  /** Absolute path of the data folder. */
  readonly data: string;
  readonly flags: FlagSource;
  readonly routing: RoutingPlan;
  readonly trustedProxies: readonly string[];
  readonly timeouts: {
    readonly connectMs: number;
    readonly upstreamHeadMs: number;
    readonly upstreamBodyIdleMs: number;
  };
  readonly limits: { readonly requestBodyBytesMax: number; readonly shadowBytesMax: number };
}

const GROUP_NAME = /^[a-z0-9-]{1,40}$/;
const METHOD = /^(\*|[A-Z]{1,32})$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

const addressText = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:[\]]+):\d{1,5}$/, {
    error: 'expected HOST:PORT, for example "127.0.0.1:8080"',
    abort: true,
  })
  .refine(
    (text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535,
    'expected a port from 0 to 65535',
  );

const origin = z.string().refine(isOrigin, 'expected http://HOST:PORT or https://HOST:PORT without a path');

const rewrite = z.strictObject({
  location: z
    .record(origin, z.union([z.literal('public'), origin]))
    .describe(
      'Origins in Location and Content-Location of answers, from -> to; "public" is the origin the client used.',
    )
    .default({}),
});

const upstream = z.union([
  origin,
  z.strictObject({
    url: origin.describe('Scheme, host and port; never a path.'),
    rewrite: rewrite.optional(),
    build: z
      .strictObject({ header: z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'expected a header name') })
      .describe('Answer header that names the build; a new build starts its evidence anew.')
      .optional(),
  }),
]);

const routeInput = z.union([
  z.string(),
  z.strictObject({
    match: z.string().describe('METHOD /path with :parameters, or a trailing *.'),
    effects: z.boolean().default(false).describe('A safe method that changes something: never copied.'),
  }),
]);

const unitSource = z.union([
  z.strictObject({ header: z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'expected a header name') }),
  z.strictObject({
    cookie: z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'expected a cookie name'),
  }),
]);

const shadow = z.strictObject({
  perSecondMax: z.int().min(1).max(10_000).default(50).describe('Copies started per second and group.'),
  inFlightMax: z.int().min(1).max(64).default(8).describe('Copies running at once per group.'),
  bodyBytesMax: z
    .int()
    .min(0)
    .max(16_777_216)
    .default(262_144)
    .describe('Bytes of a copied request or answer; above it the copy is skipped.'),
  timeoutMs: z
    .int()
    .min(100)
    .max(30_000)
    .default(2_000)
    .describe('How long a copy may take at least; three times the primary if that is longer.'),
});

const rule = z.looseObject({
  path: z.string().min(1),
  action: z.string().min(1),
  owner: z.string().min(1),
  reason: z.string().min(1),
  expires: z.string().regex(DAY, 'expected a date, YYYY-MM-DD'),
  routes: z.array(z.string()).exactOptional(),
});

const group = z.strictObject({
  service: z.string(),
  routes: z.array(routeInput).min(1, 'expected at least one route'),
  unit: z
    .array(unitSource)
    .max(8)
    .default([])
    .describe(
      'Where the sticky id is read from, first match wins; nothing found: the request stays on legacy.',
    ),
  shadow: shadow.default(() => shadow.parse({})),
  compare: z.strictObject({ rules: z.array(rule).max(200).default([]) }).default({ rules: [] }),
});

const unleash = z.strictObject({
  unleash: z.url().describe('The API of the Unleash server, https://…/api/'),
  tokenEnv: z
    .string()
    .default('UNLEASH_TOKEN')
    .describe('Environment variable with the backend (client) token.'),
  adminTokenEnv: z
    .string()
    .optional()
    .describe('Environment variable with the admin token; without it flags are read but never written.'),
  environment: z.string().default('production'),
  refreshMs: z.int().min(250).max(15_000).default(1_000),
});

const schema = z.strictObject({
  listen: addressText.optional(),
  admin: addressText.optional(),
  data: z.string().min(1).default('.fig').describe('Folder for everything that is written.'),
  legacy: upstream,
  services: z.record(z.string(), upstream).default({}),
  flags: z
    .union([
      z.literal('embedded'),
      z.strictObject({ embedded: z.strictObject({ listen: addressText }) }),
      unleash,
    ])
    .default('embedded'),
  groups: z.record(z.string(), group).default({}),
  trustedProxies: z
    .array(
      z
        .string()
        .refine(
          (text) => parseCidr(text) !== null,
          'expected an address or a CIDR block, for example "10.0.0.0/8"',
        ),
    )
    .max(64)
    .default([])
    .describe('CIDRs of proxies whose X-Forwarded-* is believed.'),
  timeouts: z
    .strictObject({
      connectMs: z.int().min(50).max(60_000).default(2_000),
      upstreamHeadMs: z.int().min(100).max(3_600_000).default(60_000),
      upstreamBodyIdleMs: z.int().min(100).max(3_600_000).default(60_000),
    })
    .prefault({}),
  limits: z
    .strictObject({
      requestBodyBytesMax: z.int().min(0).default(0).describe('0 = no limit.'),
      shadowBytesMax: z
        .int()
        .min(1_048_576)
        .default(67_108_864)
        .describe('Memory for all copies of the process.'),
    })
    .prefault({}),
});

export type ConfigInput = z.input<typeof schema>;
type Config = z.output<typeof schema>;

const FILES = ['fig.config.ts', 'fig.config.mts', 'fig.config.js', 'fig.config.mjs', 'fig.config.json'];
const EVALUATE_MS = 5_000;
/** Stands for an origin that is faulty while the rest is looked at. */
const NOWHERE = 'http://127.0.0.1:0';

/**
 * The configuration file for `start`: there, or in its parents up to the one holding `.git`. Null when there is
 * none. Throws ConfigError when one folder has two.
 */
export function findConfig(start: string): string | null {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const found = FILES.map((name) => join(folder, name)).filter((file) => existsSync(file));
    if (found.length > 1) {
      const hint = 'keep one of them, or name it with --config';
      throw new ConfigError(folder, [
        { path: '', text: `two configuration files: ${found.join(' and ')}`, hint },
      ]);
    }
    if (found[0] !== undefined) return found[0];
    if (existsSync(join(folder, '.git')) || dirname(folder) === folder) return null;
  }
}

/**
 * Reads and validates `file`, which may take `evaluateMs`. Relative paths in it are relative to it. Throws
 * ConfigError with every fault.
 */
export async function loadConfig(
  file: string,
  env: NodeJS.ProcessEnv,
  today: string,
  evaluateMs = EVALUATE_MS,
): Promise<Settings> {
  const path = resolve(file);
  if (!existsSync(path))
    throw new ConfigError(file, [{ path: '', text: 'there is no such file', hint: null }]);
  const input = path.endsWith('.json') ? readJson(path) : await evaluate(path, evaluateMs);
  return parseConfig(input, { file, folder: dirname(path), env, today });
}

/** Validates `input` and fills in defaults. Throws ConfigError with every fault. */
export function parseConfig(input: unknown, from: ConfigOrigin & { readonly file: string }): Settings {
  const parsed = schema.safeParse(input);
  const faults = parsed.success ? [] : parsed.error.issues.flatMap((issue) => toFaults(issue, []));
  const settings = toSettings(parsed.success ? parsed.data : soundParts(input), from, faults);
  if (faults.length > 0) throw new ConfigError(from.file, faults);
  return settings;
}

/** `host:port` to its parts; the text has passed the schema or a command line check. */
function parseAddress(text: string, named: boolean): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)), named };
}

/** What `fig proxy` takes in place of a file; undefined = the default. */
export type ProxyInput = Pick<ConfigInput, 'legacy' | 'listen' | 'timeouts' | 'limits'>;

/** The transparent proxy without a configuration file. Throws ConfigError on a bad URL, address or limit. */
export function proxyOnly(input: ProxyInput, folder: string): Settings {
  return parseConfig(input, { file: 'fig proxy', folder, env: {}, today: '1970-01-01' });
}

function toSettings(config: Config, from: ConfigOrigin, faults: Fault[]): Settings {
  const services = new Map(
    Object.entries(config.services).map(([name, value]) => [name, toTarget(name, value)]),
  );
  const groups = Object.entries(config.groups).map(([name, value]) =>
    toGroup(name, value, services, from.today, faults),
  );
  refuseTwice(groups, faults);
  const listen =
    config.listen === undefined ? parseAddress('127.0.0.1:8080', false) : parseAddress(config.listen, true);
  const admin =
    config.admin === undefined ? parseAddress('127.0.0.1:8081', false) : parseAddress(config.admin, true);
  if (listen.port !== 0 && listen.host === admin.host && listen.port === admin.port) {
    faults.push({
      path: 'admin',
      text: 'the same address as listen',
      hint: 'the admin API never shares the traffic port',
    });
  }
  if (!isLoopback(admin.host)) {
    faults.push({
      path: 'admin',
      text: `${admin.host} is beyond loopback`,
      hint: 'bind 127.0.0.1 and put TLS and access control in front',
    });
  }
  return {
    listen,
    admin,
    data: resolve(from.folder, config.data),
    flags: toFlagSource(config.flags, from.env, faults),
    routing: { legacy: toTarget('legacy', config.legacy), groups },
    trustedProxies: config.trustedProxies,
    timeouts: config.timeouts,
    limits: config.limits,
  };
}

/** What is left of a faulty configuration once its faults are taken out, so that the rest is checked as well. */
function soundParts(input: unknown): Config {
  const given = entriesOf(input);
  const { shape } = schema;
  const anywhere = '127.0.0.1:0';
  const services = Object.entries(entriesOf(given['services']));
  const groups = Object.entries(entriesOf(given['groups'])).flatMap(([name, value]) => {
    const parsed = group.safeParse(value);
    return parsed.success ? [[name, parsed.data] as const] : [];
  });
  return {
    listen: sound(shape.listen, given['listen'], anywhere),
    admin: sound(shape.admin, given['admin'], anywhere),
    data: sound(shape.data, given['data'], '.fig'),
    legacy: sound(upstream, given['legacy'], NOWHERE),
    services: Object.fromEntries(services.map(([name, value]) => [name, sound(upstream, value, NOWHERE)])),
    flags: sound(shape.flags, given['flags'], 'embedded'),
    groups: Object.fromEntries(groups),
    trustedProxies: [],
    timeouts: shape.timeouts.parse(undefined),
    limits: shape.limits.parse(undefined),
  };
}

function sound<T>(type: z.ZodType<T>, value: unknown, otherwise: T): T {
  const parsed = type.safeParse(value);
  return parsed.success ? parsed.data : otherwise;
}

function entriesOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function toTarget(name: string, input: z.output<typeof upstream>): Target {
  if (typeof input === 'string') return { ...PLAIN_TARGET, name, origin: trimmed(input) };
  const pairs = Object.entries(input.rewrite?.location ?? {}).map(
    ([a, b]) => [trimmed(a), trimmed(b)] as const,
  );
  return {
    ...PLAIN_TARGET,
    name,
    origin: trimmed(input.url),
    rewriteLocation: pairs,
    buildHeader: input.build?.header.toLowerCase() ?? null,
  };
}

function toGroup(
  name: string,
  input: z.output<typeof group>,
  services: ReadonlyMap<string, Target>,
  today: string,
  faults: Fault[],
): GroupPlan {
  const path = `groups.${name}`;
  if (!GROUP_NAME.test(name))
    faults.push({ path, text: 'expected 1-40 characters of a-z, 0-9 and -', hint: null });
  const service = services.get(input.service);
  if (service === undefined) {
    const text = `no such service "${input.service}", known: ${[...services.keys()].join(', ') || 'none'}`;
    faults.push({ path: `${path}.service`, text, hint: closest(input.service, [...services.keys()]) });
  }
  const routes = input.routes.flatMap((route, i) => toRoute(name, route, `${path}.routes[${i}]`, faults));
  const rules = input.compare.rules;
  for (const fault of checkRules(rules, today)) {
    faults.push({ path: `${path}.compare.${fault.path}`, text: fault.text, hint: null });
  }
  const unit: UnitSource[] = input.unit.map((s) => ('header' in s ? { header: s.header.toLowerCase() } : s));
  // With a fault the settings are never used, but the routes still count for what the other groups have.
  const target = service ?? toTarget(input.service, NOWHERE);
  return {
    name,
    service: target,
    unit,
    routes,
    shadowLimits: input.shadow,
    forwarding: AS_EVERYWHERE,
    rules,
  };
}

function toRoute(group: string, input: z.output<typeof routeInput>, path: string, faults: Fault[]): Route[] {
  const { match, effects } = typeof input === 'string' ? { match: input, effects: false } : input;
  const [method = '', pattern = '', ...rest] = match.split(' ');
  if (method === 'CONNECT' || method === 'TRACE') {
    faults.push({ path, text: `"${match}" can never match: ${method} is not forwarded`, hint: null });
    return [];
  }
  const segments = rest.length === 0 && METHOD.test(method) ? parsePattern(pattern) : null;
  if (segments === null) {
    const hint = 'write METHOD /path, for example "GET /orders/:id" or "* /orders/*"';
    faults.push({ path, text: `"${match}" is no route`, hint });
    return [];
  }
  return [{ label: match, method, segments, effects, group }];
}

function refuseTwice(groups: readonly GroupPlan[], faults: Fault[]): void {
  const seen = new Map<string, Route>();
  for (const { name, routes } of groups) {
    for (const [index, route] of routes.entries()) {
      const earlier = seen.get(routeShape(route));
      if (earlier !== undefined) {
        const text = `"${route.label}" is the same route as "${earlier.label}" of group ${earlier.group}`;
        faults.push({ path: `groups.${name}.routes[${index}]`, text, hint: 'a route belongs to one group' });
      }
      seen.set(routeShape(route), route);
    }
  }
}

function toFlagSource(flags: Config['flags'], env: NodeJS.ProcessEnv, faults: Fault[]): FlagSource {
  if (flags === 'embedded') return { kind: 'embedded', address: parseAddress('127.0.0.1:4242', false) };
  if ('embedded' in flags) {
    const address = parseAddress(flags.embedded.listen, true);
    if (!isLoopback(address.host))
      faults.push({
        path: 'flags.embedded.listen',
        text: `${address.host} is beyond loopback`,
        hint: 'for other machines run an Unleash server',
      });
    return { kind: 'embedded', address };
  }
  const url = flags.unleash.endsWith('/') ? flags.unleash : `${flags.unleash}/`;
  if (!url.endsWith('/api/'))
    faults.push({ path: 'flags.unleash', text: 'expected a URL that ends in /api/', hint: null });
  const clientToken = env[flags.tokenEnv] ?? '';
  if (clientToken === '')
    faults.push({
      path: 'flags.tokenEnv',
      text: `the environment has no ${flags.tokenEnv}`,
      hint: 'set it to a backend token',
    });
  const adminToken = flags.adminTokenEnv === undefined ? null : (env[flags.adminTokenEnv] ?? '');
  if (adminToken === '')
    faults.push({
      path: 'flags.adminTokenEnv',
      text: `the environment has no ${flags.adminTokenEnv}`,
      hint: 'set it to an admin token, or leave the key out',
    });
  return {
    kind: 'unleash',
    url,
    clientToken,
    adminToken,
    environment: flags.environment,
    refreshMs: flags.refreshMs,
  };
}

/** Of a union the branch that came furthest speaks; strict objects name each unknown key with the closest known one. */
function toFaults(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[]): Fault[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: pathText([...path, key]),
      text: 'unknown key',
      hint: closest(key, knownKeys(path)),
    }));
  }
  if (issue.code === 'invalid_union') {
    const deepest = issue.errors.filter(
      (branch) => !branch.some((inner) => inner.path.length === 0 && inner.code === 'invalid_type'),
    );
    if (deepest[0] !== undefined) return deepest[0].flatMap((inner) => toFaults(inner, path));
  }
  return [{ path: pathText(path), text: lowerFirst(issue.message), hint: null }];
}

const KEYS: readonly (readonly [RegExp, z.ZodObject])[] = [
  [/^$/, schema],
  [/^groups\.[^.]+$/, group],
  [/^groups\.[^.]+\.shadow$/, shadow],
  [/^flags$/, unleash],
];

function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  const text = pathText(path);
  const known = KEYS.find(([pattern]) => pattern.test(text))?.[1];
  return known === undefined
    ? ['url', 'rewrite', 'build', 'match', 'effects', 'header', 'cookie', 'rules', 'location']
    : Object.keys(known.shape);
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`))
    .join('');
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function closest(word: string, known: readonly string[]): string | null {
  const near = known
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return near !== undefined && near.distance <= Math.max(2, word.length / 3)
    ? `did you mean "${near.name}"?`
    : null;
}

/** Levenshtein distance of two short words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function isOrigin(text: string): boolean {
  // Only the plain form: a URL parser would also take "http:h:1" or a trailing "?", which no Location ever equals.
  return /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?\/?$/i.test(text) && URL.canParse(text);
}

function trimmed(originText: string): string {
  return originText.endsWith('/') ? originText.slice(0, -1) : originText;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

function readJson(file: string): unknown {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value === 'object' && value !== null && '$schema' in value) {
      const { $schema: _, ...rest } = value;
      return rest;
    }
    return value;
  } catch (error) {
    throw new ConfigError(file, [
      { path: '', text: `not JSON: ${error instanceof Error ? error.message : String(error)}`, hint: null },
    ]);
  }
}

/** Runs the file in a thread of its own: it can neither block, crash nor change this process. */
function evaluate(file: string, withinMs: number): Promise<unknown> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./config-worker.${extension}`, import.meta.url), {
    workerData: { file },
  });
  const fault = (text: string, hint: string | null = null) =>
    new ConfigError(file, [{ path: '', text, hint }]);
  let deadline: NodeJS.Timeout | undefined;
  return new Promise<unknown>((resolvePromise, reject) => {
    deadline = setTimeout(() => reject(fault(`it did not finish within ${withinMs} ms`)), withinMs);
    worker.once('message', (message: { config?: unknown; error?: string }) => {
      if (message.error === undefined) resolvePromise(message.config);
      else
        reject(
          fault(
            message.error,
            message.error.includes('could not be cloned')
              ? 'data only: no functions, no class instances'
              : null,
          ),
        );
    });
    worker.once('error', (error: Error) => reject(fault(error.message)));
    // After a message this comes too late to matter: it awaits what never comes, or ended its thread itself.
    worker.once('exit', () => reject(fault('it ended without giving a configuration')));
  }).finally(() => {
    clearTimeout(deadline);
    return worker.terminate();
  });
}

/** From a validated input to what the program works with; everything that one look at the shape cannot tell. */
import { isIPv4 } from 'node:net';
import { resolve } from 'node:path';
import type { z } from 'zod';
import { parseRulePath } from '../core/compare/trail.ts';
import { parsePattern, routeShape } from '../core/match.ts';
import { checkRuleList } from '../core/rules/check.ts';
import { type GroupPlan, PLAIN_TARGET, type RoutingPlan } from '../core/snapshot.ts';
import type { GroupForwarding, Pairs, Route, Target, UnitSource, WritePlan } from '../core/types.ts';
import type { ProxyOptions } from '../proxy/options.ts';
import { selectorFaults } from '../shadow/selectors.ts';
import { ConfigError, closest, type Fault, toFaults } from './faults.ts';
import { readPair, readTargetTls } from './pem.ts';
import {
  type Config,
  type ConfigInput,
  type GroupInput,
  group,
  type RouteInput,
  schema,
  type UpstreamInput,
  upstream,
} from './schema.ts';

/** What a configuration is read against. */
export interface ConfigOrigin {
  /** Relative paths are relative to it. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** ISO date; a rule that has expired no longer applies, one may live 90 days from it. */
  readonly today: string;
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
  /** Data-plane processes; 1 = everything in one process. */
  readonly workers: number;
  readonly flags: FlagSource;
  readonly routing: RoutingPlan;
  readonly proxy: ProxyOptions;
  /** How much of comparing is kept, bytes. */
  readonly evidence: { readonly memoryBytesMax: number; readonly fileBytesMax: number };
}

const GROUP_NAME = /^[a-z0-9-]{1,40}$/;
/** A copied answer may be so many times as large as a copied body. */
const ANSWER_FACTOR = 4;
/** Nobody answers for longer than this without looking again. */
const WRITES_DAYS_MAX = 90;
const DAY_MS = 86_400_000;
const METHOD = /^(\*|[A-Z]{1,32})$/;
/** Stands for an origin that is faulty while the rest is looked at. */
const NOWHERE = 'http://127.0.0.1:0';

/** Validates `input`, reads the files it names and fills in defaults. Throws ConfigError with every fault. */
export function parseConfig(input: unknown, from: ConfigOrigin & { readonly file: string }): Settings {
  const parsed = schema.safeParse(input);
  const faults = parsed.success ? [] : parsed.error.issues.flatMap((issue) => toFaults(issue));
  const settings = toSettings(parsed.success ? parsed.data : soundParts(input), from, faults);
  if (faults.length > 0) throw new ConfigError(from.file, faults);
  return settings;
}

/** What `fig proxy` takes in place of a file; undefined = the default. */
export type ProxyInput = Pick<ConfigInput, 'legacy' | 'listen' | 'timeouts' | 'limits' | 'workers' | 'tls'>;

/** The transparent proxy without a configuration file. Throws ConfigError on a bad URL, address, limit or PEM file. */
export function proxyOnly(input: ProxyInput, folder: string): Settings {
  return parseConfig(input, { file: 'fig proxy', folder, env: {}, today: '1970-01-01' });
}

/** `host:port` to its parts; the text has passed the schema or a command line check. */
function parseAddress(text: string, named: boolean): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)), named };
}

function toSettings(config: Config, from: ConfigOrigin, faults: Fault[]): Settings {
  const { folder } = from;
  const toTarget = (name: string, path: string, input: UpstreamInput) =>
    targetOf(name, input, { folder, path, faults });
  const services = new Map(
    Object.entries(config.services).map(([name, value]) => [name, toTarget(name, `services.${name}`, value)]),
  );
  const legacy = toTarget('legacy', 'legacy', config.legacy);
  const shadows = shadowsOf(config.services, services, legacy, faults);
  const groups = Object.entries(config.groups).map(([name, value]) =>
    toGroup(name, value, { services, shadows }, from.today, faults),
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
  const tls = config.tls === undefined ? null : readPair(config.tls, { folder, path: 'tls', faults });
  return {
    listen,
    admin,
    data: resolve(folder, config.data),
    workers: config.workers,
    flags: toFlagSource(config.flags, from.env, faults),
    routing: { legacy, groups },
    proxy: toProxyOptions(config, tls),
    evidence: config.evidence,
  };
}

function toProxyOptions(config: Config, tls: ProxyOptions['tls']): ProxyOptions {
  const { upstream: pool, upgrade, drain } = config;
  return {
    trustedProxies: config.trustedProxies,
    hosts: config.hosts.map((host) => host.toLowerCase()),
    tls,
    ...config.headers,
    ...config.paths,
    ...config.limits,
    ...config.timeouts,
    errorCode: config.debug.errorCode,
    upstreamConnectionsMax: pool.connectionsMax,
    upstreamQueueMax: pool.queueMax,
    upstreamIdleMs: pool.idleMs,
    upstreamAgeMs: pool.ageMs,
    unsafeIdleMs: pool.unsafeIdleMs,
    retryShare: pool.retryShare,
    fallback: config.fallback.enabled,
    closeOnRollback: upgrade.closeOnRollback,
    tunnelSpreadMs: upgrade.spreadMs,
    drainLeadMs: drain.leadMs,
    drainTunnelMs: drain.tunnelMs,
    drainDeadlineMs: drain.deadlineMs,
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
    ...schema.parse({ legacy: NOWHERE }),
    listen: sound(shape.listen, given['listen'], anywhere),
    admin: sound(shape.admin, given['admin'], anywhere),
    data: sound(shape.data, given['data'], '.fig'),
    tls: sound(shape.tls, given['tls'], undefined),
    legacy: sound(upstream, given['legacy'], NOWHERE),
    services: Object.fromEntries(services.map(([name, value]) => [name, sound(upstream, value, NOWHERE)])),
    flags: sound(shape.flags, given['flags'], 'embedded'),
    groups: Object.fromEntries(groups),
  };
}

function sound<T>(type: z.ZodType<T>, value: unknown, otherwise: T): T {
  const parsed = type.safeParse(value);
  return parsed.success ? parsed.data : otherwise;
}

function entriesOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function targetOf(
  name: string,
  input: UpstreamInput,
  { folder, path, faults }: { readonly folder: string; readonly path: string; readonly faults: Fault[] },
): Target {
  if (typeof input === 'string') return { ...PLAIN_TARGET, name, origin: trimmed(input) };
  const origin = trimmed(input.url);
  const { rewrite } = input;
  if (input.tls !== undefined && origin.startsWith('http:'))
    faults.push({ path: `${path}.tls`, text: `${origin} is plain`, hint: 'write https:// or leave tls out' });
  return {
    ...PLAIN_TARGET,
    name,
    origin,
    host: hostOf(input.host, origin),
    tls: input.tls === undefined ? null : readTargetTls(input.tls, { folder, path: `${path}.tls`, faults }),
    rewriteLocation: pairsOf(rewrite?.location).map(([a, b]) => [trimmed(a), trimmed(b)] as const),
    rewriteCookieDomain: pairsOf(rewrite?.cookieDomain),
    rewriteCookiePath: pairsOf(rewrite?.cookiePath),
    buildHeader: input.build?.header.toLowerCase() ?? null,
  };
}

/** Where copies of writes go. Instances that answer for real must not be among them. */
function shadowsOf(
  inputs: Config['services'],
  services: ReadonlyMap<string, Target>,
  legacy: Target,
  faults: Fault[],
): ReadonlyMap<string, Target> {
  const live = [legacy, ...services.values()];
  const shadows = new Map<string, Target>();
  for (const [name, input] of Object.entries(inputs)) {
    const service = services.get(name);
    if (typeof input === 'string' || input.shadow === undefined || service === undefined) continue;
    const origin = trimmed(input.shadow);
    const same = live.find((target) => addressOf(target.origin) === addressOf(origin));
    if (same !== undefined) {
      const hint = 'copies of writes must never reach instances that answer for real';
      faults.push({ path: `services.${name}.shadow`, text: `the address of ${same.name}`, hint });
    }
    shadows.set(name, { ...service, name: `${name} (shadow)`, origin });
  }
  return shadows;
}

/** Scheme and spelling do not make another address. */
function addressOf(origin: string): string {
  const { hostname, port, protocol } = new URL(origin);
  const host = hostname === 'localhost' || hostname === '[::1]' ? '127.0.0.1' : hostname;
  return `${host}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
}

function hostOf(given: string, origin: string): string | null {
  if (given === 'preserve') return null;
  return given === 'target' ? origin.replace(/^https?:\/\//i, '') : given;
}

function pairsOf(record: Readonly<Record<string, string>> = {}): Pairs {
  return Object.entries(record);
}

function toGroup(
  name: string,
  input: GroupInput,
  { services, shadows }: Record<'services' | 'shadows', ReadonlyMap<string, Target>>,
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
  const shadowService = shadows.get(input.service) ?? null;
  const routes = input.routes.flatMap((route, i) =>
    toRoute(name, route, { path: `${path}.routes[${i}]`, today, faults, shadowed: shadowService !== null }),
  );
  const { rules, showValues, build, budget } = input.compare;
  for (const [index, shown] of showValues.entries()) {
    if (parseRulePath(shown) !== null) continue;
    const text = 'must be a pointer below /body or /headers, as in a rule';
    faults.push({ path: `${path}.compare.showValues[${index}]`, text, hint: null });
  }
  const labels = routes.map(({ label }) => label);
  for (const fault of [...checkRuleList(rules, { routes: labels, today }), ...selectorFaults(rules)]) {
    faults.push({ path: `${path}.compare.${fault.path}`, text: fault.text, hint: null });
  }
  const unit: UnitSource[] = input.unit.map((s) => ('header' in s ? { header: s.header.toLowerCase() } : s));
  // With a fault the settings are never used, but the routes still count for what the other groups have.
  const target = service ?? { ...PLAIN_TARGET, name: input.service, origin: NOWHERE };
  return {
    name,
    service: target,
    unit,
    routes,
    ...shadowOf(input),
    shadowService,
    forwarding: forwardingOf(input),
    rules,
    comparing: { showValues, buildsIgnored: build === 'ignore', budget },
  };
}

function shadowOf({ shadow, unit }: GroupInput): Pick<GroupPlan, 'shadowLimits' | 'shadowPolicy'> {
  const { perSecondMax, inFlightMax, bodyBytesMax, timeoutMs, sampleBy, ...policy } = shadow;
  return {
    shadowLimits: { perSecondMax, inFlightMax, bodyBytesMax, timeoutMs },
    shadowPolicy: {
      ...policy,
      answerBytesMax: policy.answerBytesMax ?? ANSWER_FACTOR * bodyBytesMax,
      sampleBy: sampleBy ?? (unit.length > 0 ? 'unit' : 'request'),
      dropHeaders: policy.dropHeaders.map((name) => name.toLowerCase()),
    },
  };
}

function forwardingOf({ timeouts, limits, paths }: GroupInput): GroupForwarding {
  return {
    upstreamHeadMs: timeouts.upstreamHeadMs ?? null,
    totalMs: timeouts.totalMs ?? null,
    requestBodyBytesMax: limits.requestBodyBytesMax ?? null,
    onDisagree: paths.onDisagree,
  };
}

/** What a route is read against. */
interface RouteOrigin {
  readonly path: string;
  readonly today: string;
  /** The service has instances for copies of writes. */
  readonly shadowed: boolean;
  readonly faults: Fault[];
}

function toRoute(group: string, input: RouteInput, from: RouteOrigin): Route[] {
  const { path, faults } = from;
  const { match, effects, writes } =
    typeof input === 'string' ? { match: input, effects: false, writes: undefined } : input;
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
  return [{ label: match, method, segments, effects, writes: writesOf(method, writes, from), group }];
}

/** What has expired no longer applies. */
function writesOf(
  method: string,
  input: Exclude<RouteInput, string>['writes'],
  { path, today, shadowed, faults }: RouteOrigin,
): WritePlan | null {
  if (input === undefined || input.mode === 'off' || input.expires < today) return null;
  const { mode, owner, reason, ticket = null, expires } = input;
  const fault = (text: string, hint: string | null) => faults.push({ path: `${path}.writes`, text, hint });
  if (mode === 'idempotent' && method !== 'PUT' && method !== 'DELETE')
    fault(`${method} is not idempotent`, 'only PUT and DELETE may run twice (RFC 9110 §9.2.2)');
  if (mode === 'shadow-database' && !shadowed)
    fault('the service has no shadow instances', 'set services.<name>.shadow');
  if ((Date.parse(expires) - Date.parse(today)) / DAY_MS > WRITES_DAYS_MAX)
    fault(`expires more than ${WRITES_DAYS_MAX} days from today`, null);
  return { mode, owner, reason, ticket, expires };
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

function trimmed(originText: string): string {
  return originText.endsWith('/') ? originText.slice(0, -1) : originText;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

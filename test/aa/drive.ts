/** Requests of a shop, asked of both sides as fast as it goes and compared as in the router; everything in this process. */
import http from 'node:http';
import { match } from '../../router/core/match.ts';
import { createMeter } from '../../router/core/meter.ts';
import type { CauseDelta, GroupNoise, NoiseRow } from '../../router/core/ports.ts';
import { PLAIN_SHADOW } from '../../router/core/snapshot.ts';
import type { Captured, CompareRule, Group, Route, ShadowJob } from '../../router/core/types.ts';
import { createReplayer } from '../../router/proxy/replayer.ts';
import { groupNoise } from '../../router/shadow/noise-report.ts';
import { createShadow, SHADOW_OPTIONS, type Shadow } from '../../router/shadow/shadow.ts';
import { snapshotOf } from '../helpers/current.ts';

/** The groups of the shop, as in its configuration. */
const GROUPS = [
  {
    name: 'catalog',
    routes: [
      'GET /product.php',
      'GET /api/v1/products',
      'GET /api/v1/products/:id',
      'GET /api/v2/products/:id',
    ],
  },
  { name: 'search', routes: ['GET /search', 'GET /api/v1/suggest'] },
  { name: 'reviews', routes: ['GET /api/v1/products/:id/reviews'] },
] as const;

/** Every copy has a second call, and nothing is held back. */
const LIMITS = { perSecondMax: 1_000_000, inFlightMax: 64, bodyBytesMax: 1_048_576, timeoutMs: 30_000 };
const POLICY = { ...PLAIN_SHADOW, baseline: { first: 1e9, rate: 1, perSecondMax: 1_000_000 } };
const ASKED_AT_ONCE = 12;
const VISIT_EVERY = 4;
const PRODUCT = /^\/api\/v1\/products\/(\d+)$/;

export interface Driven {
  readonly pairs: number;
  readonly seconds: number;
  /** Of all groups. */
  readonly counts: { readonly same: number; readonly ignored: number; readonly different: number };
  readonly skipped: number;
  readonly causes: readonly CauseDelta[];
  readonly noise: readonly GroupNoise[];
}

export interface Drive {
  /** Origins. */
  readonly legacy: string;
  readonly service: string;
  /** Targets, chosen from in random order. */
  readonly paths: readonly string[];
  readonly pairs: number;
  /** By group. */
  readonly rules: (group: string) => readonly CompareRule[];
  /** 0 to below 1. */
  readonly random: () => number;
}

export async function drive({ legacy, service, paths, pairs, rules, random }: Drive): Promise<Driven> {
  const plan = GROUPS.map((group) => ({
    ...group,
    service,
    stage: 'shadow' as const,
    shadowLimits: LIMITS,
    shadowPolicy: POLICY,
    rules: rules(group.name),
    rewriteLocation: [[service, 'public']] as const,
  }));
  const snapshot = snapshotOf(legacy, plan);
  const causes: CauseDelta[] = [];
  const rows = new Map<string, NoiseRow>();
  const clock = { now: () => performance.now(), wall: () => Date.now() };
  const log = { debug: ignore, info: ignore, warn: complain, error: complain };
  const shadow = createShadow(
    {
      clock,
      log,
      store: {
        flush(batch) {
          causes.push(...batch.causes);
          for (const row of batch.noise?.rows ?? []) rows.set(row.group, row);
        },
      },
      meter: createMeter([]),
      key: Buffer.alloc(32, 1),
      plane: 1,
      learned: [],
      random,
      overloaded: () => false,
      replayer: createReplayer({ clock, log }),
    },
    { ...SHADOW_OPTIONS, noiseMs: 1e9, comparer: { ...SHADOW_OPTIONS.comparer, budgetMs: 30_000 } },
  );
  const agent = new http.Agent({ keepAlive: true, maxSockets: ASKED_AT_ONCE });
  const startedAt = performance.now();
  shadow.start();
  let begun = 0;
  const shopper = async () => {
    while (begun < pairs) {
      const path = paths[Math.floor(random() * paths.length)] ?? '/';
      const route = match(snapshot.table, 'GET', path.split('?', 1)[0] ?? '');
      const group = route === null ? undefined : snapshot.groups.get(route.group);
      if (route === null || group === undefined) continue;
      begun += 1;
      const job = await jobFor(path, { route, group, legacy: snapshot.legacy, agent });
      const id = PRODUCT.exec(path)?.[1];
      // Somebody looks at the page meanwhile: its counter moves between one answer and the next.
      if (id !== undefined && begun % VISIT_EVERY === 0) await primary(`${legacy}/p/${id}-x`, agent);
      await offered(shadow, job);
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, shopper));
  await shadow.idle();
  await shadow.stop();
  agent.destroy();
  const counted = GROUPS.map(({ name }) => shadow.counts(name));
  const sum = (of: 'same' | 'ignored' | 'different') => counted.reduce((n, each) => n + each[of], 0);
  const noise = [...rows.values()].flatMap((row) => groupNoise(0, [row]) ?? []);
  return {
    pairs: counted.reduce((n, { eligible }) => n + eligible, 0),
    seconds: (performance.now() - startedAt) / 1_000,
    counts: { same: sum('same'), ignored: sum('ignored'), different: sum('different') },
    skipped: counted.flatMap(({ skipped }) => Object.values(skipped)).reduce((n, each) => n + each, 0),
    causes,
    noise,
  };
}

/** Waits for room, as no request would. */
async function offered(shadow: Shadow, job: ShadowJob): Promise<void> {
  while (shadow.health().waiting > 0 || shadow.offer(job) !== null)
    await new Promise((resolve) => setImmediate(resolve));
}

async function jobFor(
  path: string,
  {
    route,
    group,
    legacy,
    agent,
  }: {
    readonly route: Route;
    readonly group: Group;
    readonly legacy: ShadowJob['target'];
    readonly agent: http.Agent;
  },
): Promise<ShadowJob> {
  const startedAt = performance.now();
  const target = { ...legacy, rewriteLocation: [[legacy.origin, 'public']] as const };
  const answer = await primary(`${legacy.origin}${path}`, agent);
  return {
    group,
    route,
    requestId: 'r',
    unit: null,
    primary: 'legacy',
    target: { ...group.service, buildHeader: 'x-oak-build' },
    primaryTarget: target,
    publicOrigin: 'http://shop.example',
    request: {
      method: 'GET',
      target: path,
      fields: ['Host', 'shop.example', 'Accept-Encoding', 'gzip'],
      body: new Uint8Array(),
    },
    answer: rewritten(answer, legacy.origin),
    durationMs: performance.now() - startedAt,
  };
}

function primary(url: string, agent: http.Agent): Promise<Captured> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'shop.example', 'accept-encoding': 'gzip' };
    http
      .get(url, { agent, headers }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            fields: withoutHop(res.rawHeaders),
            body: Buffer.concat(chunks),
            truncated: false,
          }),
        );
      })
      .on('error', reject);
  });
}

/** As the client behind the router sees it. */
function rewritten(answer: Captured, origin: string): Captured {
  const fields = answer.fields.map((text) => text.replace(origin, 'http://shop.example'));
  return { ...answer, fields };
}

const HOP = /^(?:connection|keep-alive|transfer-encoding)$/i;

function withoutHop(raw: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (!HOP.test(raw[i] ?? '')) kept.push(raw[i] ?? '', raw[i + 1] ?? '');
  return kept;
}

function ignore(): void {}

function complain(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
  console.error(event, fields);
}

/** Jobs, groups and a memory store for the shadow tests. */

import { createMeter } from '../../router/core/meter.ts';
import type { Clock, ComparisonBatch, Log } from '../../router/core/ports.ts';
import {
  AS_EVERYWHERE,
  COMPARED_AS_EVERYWHERE,
  PLAIN_SHADOW,
  PLAIN_TARGET,
} from '../../router/core/snapshot.ts';
import type {
  Captured,
  CompareRule,
  Group,
  Route,
  ShadowJob,
  ShadowLimits,
  ShadowPolicy,
  Target,
} from '../../router/core/types.ts';

import { createReplayer } from '../../router/proxy/replayer.ts';
import type { ShadowDeps } from '../../router/shadow/shadow.ts';

export const LIMITS: ShadowLimits = {
  perSecondMax: 1000,
  inFlightMax: 8,
  bodyBytesMax: 65_536,
  timeoutMs: 15_000,
};
/** For copies that are meant to reach their deadline. */
export const IMPATIENT: ShadowLimits = { ...LIMITS, timeoutMs: 150 };

/** Legacy is not asked a second time. */
export const WITHOUT_BASELINE: ShadowPolicy = {
  ...PLAIN_SHADOW,
  baseline: { first: 0, rate: 0, perSecondMax: 0 },
};

export function target(origin: string, more: Partial<Target> = {}): Target {
  return { ...PLAIN_TARGET, name: 'catalog', origin, ...more };
}

function route(label = 'GET /api/products/:id'): Route {
  return {
    label,
    method: 'GET',
    segments: [
      { kind: 'literal', text: 'api' },
      { kind: 'literal', text: 'products' },
      { kind: 'parameter', name: 'id' },
    ],
    effects: false,
    writes: null,
    group: 'catalog',
  };
}

export function group(more: Partial<Group> = {}): Group {
  return {
    name: 'catalog',
    groupId: 'g1',
    rev: 1,
    epoch: 0,
    stage: 'shadow',
    ceiling: 0,
    stopped: null,
    service: target('http://127.0.0.1:1'),
    unit: [],
    routes: [],
    shadowLimits: LIMITS,
    shadowPolicy: WITHOUT_BASELINE,
    shadowService: null,
    forwarding: AS_EVERYWHERE,
    rules: [],
    comparing: COMPARED_AS_EVERYWHERE,
    ...more,
  };
}

export function ok(body: string, fields: readonly string[] = ['Content-Type', 'application/json']): Captured {
  return { status: 200, fields, body: Buffer.from(body), truncated: false };
}

export function job(origin: string, more: Partial<ShadowJob> = {}): ShadowJob {
  return {
    group: group(),
    route: route(),
    requestId: 'r1',
    unit: null,
    primary: 'legacy',
    target: target(origin),
    primaryTarget: target('http://127.0.0.1:2', { name: 'legacy' }),
    publicOrigin: 'http://shop.example',
    request: {
      method: 'GET',
      target: '/api/products/17',
      fields: ['Host', 'shop.example', 'Accept', '*/*'],
      body: new Uint8Array(),
    },
    answer: ok('{"a":1}'),
    durationMs: 5,
    ...more,
  };
}

export function ignoring(path: string): CompareRule {
  return { path, action: 'ignore', owner: 'team', reason: 'test', expires: '2099-12-31' };
}

export const REAL_CLOCK: Clock = { now: () => performance.now(), wall: () => Date.now() };

export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

export function memoryStore(): { readonly batches: ComparisonBatch[]; flush(batch: ComparisonBatch): void } {
  const batches: ComparisonBatch[] = [];
  return {
    batches,
    flush(batch) {
      batches.push(batch);
    },
  };
}

/** Everything a shadow side needs: a store in memory, real connections, chance that is none. */
export function shadowDeps(): ShadowDeps {
  return {
    clock: REAL_CLOCK,
    store: memoryStore(),
    log: SILENT,
    meter: createMeter([]),
    key: Buffer.alloc(32, 7),
    plane: 1,
    learned: [],
    random: () => 0.5,
    overloaded: () => false,
    replayer: createReplayer({ clock: REAL_CLOCK, log: SILENT }),
  };
}

import fc from 'fast-check';

const ADMIN = '/api/admin';
export const FEATURES = `${ADMIN}/projects/default/features`;
const NAMES = ['a', 'b', 'c'];
export const PARAMETERS = { rollout: '10', stickiness: 'figUnit', groupId: 'g' };

/** One call, made from numbers: which flags, which strategy, which of a few values. */
export interface Step {
  readonly kind: keyof typeof CALLS;
  readonly flag: string;
  readonly other: string;
  readonly pick: number;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

/** What can be asked; `strategy` is the id of one that is there, `segment` of a segment. */
export const CALLS = {
  create: ({ flag }) => ({ method: 'POST', path: FEATURES, body: { name: flag } }),
  clone: ({ flag, other }) => ({ method: 'POST', path: `${FEATURES}/${flag}/clone`, body: { name: other } }),
  edit: ({ flag, pick }) => ({
    method: 'PUT',
    path: `${FEATURES}/${flag}`,
    body: { description: `d${pick % 2}` },
  }),
  stale: ({ flag, pick }) => ({
    method: 'PATCH',
    path: `${FEATURES}/${flag}`,
    body: [{ op: 'replace', path: '/stale', value: pick % 2 === 0 }],
  }),
  archive: ({ flag }) => ({ method: 'DELETE', path: `${FEATURES}/${flag}` }),
  revive: ({ flag }) => ({ method: 'POST', path: `${ADMIN}/archive/revive/${flag}` }),
  remove: ({ flag }) => ({ method: 'DELETE', path: `${ADMIN}/archive/${flag}` }),
  on: ({ flag, pick }) => ({
    method: 'POST',
    path: `${place(flag)}/on${pick % 3 === 0 ? '?shouldActivateDisabledStrategies=true' : ''}`,
  }),
  off: ({ flag }) => ({ method: 'POST', path: `${place(flag)}/off` }),
  addStrategy: ({ flag, pick }, { segment }) => ({
    method: 'POST',
    path: `${place(flag)}/strategies`,
    body: {
      name: 'flexibleRollout',
      parameters: PARAMETERS,
      disabled: pick % 2 === 0,
      segments: pick % 3 === 0 ? [segment] : [],
      variants: variantsOf(pick),
    },
  }),
  putStrategy: ({ flag, pick }, { strategy }) => ({
    method: 'PUT',
    path: `${place(flag)}/strategies/${strategy}`,
    body: { parameters: PARAMETERS, disabled: pick % 2 === 0, variants: variantsOf(pick) },
  }),
  patchStrategy: ({ flag, pick }, { strategy }) => ({
    method: 'PATCH',
    path: `${place(flag)}/strategies/${strategy}`,
    body: [{ op: 'replace', path: '/disabled', value: pick % 2 === 0 }],
  }),
  removeStrategy: ({ flag }, { strategy }) => ({
    method: 'DELETE',
    path: `${place(flag)}/strategies/${strategy}`,
  }),
  sort: ({ flag, pick }, { strategy }) => ({
    method: 'POST',
    path: `${place(flag)}/strategies/set-sort-order`,
    body: [{ id: strategy, sortOrder: pick % 3 }],
  }),
  depend: ({ flag, other, pick }) => ({
    method: 'POST',
    path: `${FEATURES}/${flag}/dependencies`,
    body: { feature: other, enabled: pick % 2 === 0, variants: ['v'] },
  }),
  free: ({ flag }) => ({ method: 'DELETE', path: `${FEATURES}/${flag}/dependencies` }),
  freeOne: ({ flag, other }) => ({ method: 'DELETE', path: `${FEATURES}/${flag}/dependencies/${other}` }),
  tag: ({ flag, pick }) => ({
    method: 'POST',
    path: `${ADMIN}/features/${flag}/tags`,
    body: { type: 'simple', value: `t${pick % 2}` },
  }),
  untag: ({ flag, pick }) => ({
    method: 'DELETE',
    path: `${ADMIN}/features/${flag}/tags/simple/t${pick % 2}`,
  }),
  addSegment: ({ pick }) => ({
    method: 'POST',
    path: `${ADMIN}/segments`,
    body: { name: `s${pick % 3}`, constraints: [] },
  }),
  putSegment: ({ pick }, { segment }) => ({
    method: 'PUT',
    path: `${ADMIN}/segments/${segment}`,
    body: { name: `s${pick % 3}`, description: `d${pick % 2}`, constraints: [] },
  }),
  removeSegment: (_step, { segment }) => ({ method: 'DELETE', path: `${ADMIN}/segments/${segment}` }),
  segments: ({ pick }, { strategy, segment }) => ({
    method: 'POST',
    path: `${ADMIN}/segments/strategies`,
    body: {
      projectId: 'default',
      environmentId: 'production',
      strategyId: strategy,
      segmentIds: pick % 2 === 0 ? [] : [segment],
    },
  }),
} as const satisfies Record<string, (step: Step, has: { strategy: unknown; segment: unknown }) => Asked>;

export function place(flag: string): string {
  return `${FEATURES}/${flag}/environments/production`;
}

function variantsOf(pick: number) {
  return Array.from({ length: pick % 4 }, (_, index) => ({
    name: `v${index}`,
    weight: 1,
    weightType: index === 0 ? 'variable' : pick % 2 === 0 ? 'fix' : 'variable',
    stickiness: 'default',
  }));
}

export const STEP: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...(Object.keys(CALLS) as (keyof typeof CALLS)[])),
  flag: fc.constantFrom(...NAMES),
  other: fc.constantFrom(...NAMES),
  pick: fc.nat(11),
});

/** So that there is something to change: two flags, one on, and a segment. */
export const FIRST: readonly Step[] = [
  { kind: 'create', flag: 'a', other: 'b', pick: 0 },
  { kind: 'create', flag: 'b', other: 'a', pick: 0 },
  { kind: 'addSegment', flag: 'a', other: 'b', pick: 0 },
  { kind: 'addStrategy', flag: 'a', other: 'b', pick: 1 },
  { kind: 'on', flag: 'a', other: 'b', pick: 1 },
];

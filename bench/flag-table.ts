import type { Definition, FlagTable } from '../flags/table.ts';

/** As many as a large estate has, and more in each than the writer would put there. */
const FLAGS = 1_000;
const SEGMENTS = 20;

/** The group whose two flags are as the writer makes them, and the one whose flags have two constraints each. */
export const CANONICAL = 'canonical';
export const CONSTRAINED = 'constrained';

const BOTH = [
  { contextName: 'tenant', operator: 'IN', inverted: false, values: ['acme', 'globex'] },
  { contextName: 'plan', operator: 'STR_ENDS_WITH', inverted: false, values: ['.pro'] },
];
const SHARED: FlagTable['segments'] = received(
  Array.from({ length: SEGMENTS }, (_, id) => ({
    id,
    name: `segment ${id}`,
    constraints: [{ contextName: 'tenant', operator: 'IN', inverted: false, values: ['acme', `t${id}`] }],
  })),
);
const STEADY: readonly Definition[] = received([
  ...['serve', 'shadow'].map((which) => flagOf(CANONICAL, which, 50, [], [])),
  ...['serve', 'shadow'].map((which) => flagOf(CONSTRAINED, which, 50, BOTH, [])),
  ...Array.from({ length: FLAGS - 5 }, (_, n) =>
    flagOf(`group-${n}`, 'serve', n % 101, BOTH, [n % SEGMENTS]),
  ),
]);

/** 1,000 flags; `changes`: how often the one that changes has changed. All others are the same objects every time. */
export function tableAfter(changes: number): FlagTable {
  const changing: Definition = received(flagOf('changing', 'serve', changes % 101, BOTH, [1]));
  return { features: [...STEADY, changing], segments: SHARED };
}

/** As it arrives from a flag server. */
function received(value: unknown) {
  return JSON.parse(JSON.stringify(value));
}

function flagOf(
  group: string,
  which: string,
  share: number,
  constraints: readonly unknown[],
  segments: readonly number[],
): unknown {
  const parameters = { rollout: String(share), stickiness: 'figUnit', groupId: `${group}.${which}` };
  return {
    name: `fig.${group}.${which}`,
    type: 'release',
    enabled: true,
    project: 'default',
    stale: false,
    impressionData: false,
    variants: [],
    strategies: [{ name: 'flexibleRollout', parameters, constraints, variants: [], segments }],
  };
}

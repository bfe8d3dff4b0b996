interface ExportedStrategy {
  readonly id: string;
  readonly name: string;
  readonly featureName: string;
  readonly title: string | null;
  readonly disabled: boolean;
  readonly parameters: object;
  readonly constraints: readonly object[];
  variants: readonly { readonly name: string; readonly payload?: object }[];
  readonly segments: readonly number[];
}

/** An export with everything that decides about a flag, in names that start with `prefix`. */
export function exportedFlags(prefix: string, environments: readonly string[] = ['production']) {
  return {
    schema: 'fig.flags/1',
    exportedAt: '2026-11-24T00:00:00.000Z',
    environments: Object.fromEntries(environments.map((name) => [name, exportedEnvironment(prefix, name)])),
  };
}

function exportedEnvironment(prefix: string, environment: string) {
  const flag = (name: string) => `${prefix}.${name}`;
  const rollout = (percent: number, stickiness = 'figUnit', groupId = prefix) => ({
    rollout: String(percent),
    stickiness,
    groupId,
  });
  const strategy = (
    name: string,
    parameters: object,
    more: Partial<ExportedStrategy> = {},
  ): ExportedStrategy => ({
    id: crypto.randomUUID(),
    name: 'flexibleRollout',
    featureName: flag(name),
    title: null,
    disabled: false,
    parameters,
    constraints: [],
    variants: [],
    segments: [],
    ...more,
  });
  const constraint = (contextName: string, operator: string, more: object) => ({
    contextName,
    operator,
    inverted: false,
    caseInsensitive: false,
    values: [],
    ...more,
  });
  const variant = (name: string, weight: number, payload?: object) => ({
    name,
    weight,
    weightType: 'variable',
    stickiness: 'default',
    ...(payload === undefined ? {} : { payload }),
  });
  const names = ['serve', 'numbers', 'dates', 'versions', 'texts', 'ordered', 'child', 'lots', 'off'];
  return {
    features: names.map((name) => ({
      name: flag(name),
      description: `${name} of the move`,
      type: 'release',
      project: 'default',
      stale: name === 'off',
      impressionData: false,
      archived: false,
    })),
    featureStrategies: [
      strategy('serve', rollout(25)),
      strategy('numbers', rollout(100, 'default'), {
        constraints: [
          constraint('size', 'NUM_GTE', { value: '10' }),
          constraint('size', 'NUM_LT', { value: '20.5' }),
        ],
      }),
      strategy('dates', rollout(50, 'userId'), {
        constraints: [constraint('currentTime', 'DATE_AFTER', { value: '2026-06-01T12:00:00.000Z' })],
      }),
      strategy('versions', rollout(100), {
        constraints: [constraint('version', 'SEMVER_GT', { value: '2.3.4' })],
      }),
      strategy('texts', rollout(100), {
        constraints: [
          constraint('tenant', 'STR_ENDS_WITH', { values: ['.example', '.test'], caseInsensitive: true }),
          constraint('userId', 'NOT_IN', { values: ['user-1', 'user-2'] }),
        ],
      }),
      // The first that is on decides about the variant: their order matters.
      strategy('ordered', rollout(100), {
        segments: [11],
        // By name, as Unleash keeps them.
        variants: [variant('blue', 500), variant('red', 500, { type: 'string', value: 'r' })],
      }),
      strategy('ordered', rollout(60, 'sessionId'), {
        variants: [variant('green', 1000, { type: 'json', value: '{"a":1}' })],
      }),
      strategy('ordered', rollout(100), { segments: [12], variants: [variant('grey', 1000)] }),
      strategy('ordered', rollout(100), { disabled: true }),
      strategy('child', rollout(80)),
      strategy('lots', rollout(50, 'random')),
      strategy('off', rollout(100)),
    ],
    featureEnvironments: names.map((name) => ({
      enabled: name !== 'off',
      featureName: flag(name),
      environment,
      variants: [],
      name: flag(name),
    })),
    contextFields: ['figUnit', 'size', 'version', 'tenant'].map((name) => ({
      name,
      description: null,
      stickiness: name === 'figUnit',
      sortOrder: 10,
      legalValues: [],
    })),
    featureTags: [{ featureName: flag('serve'), tagType: 'simple', tagValue: 'wave1' }],
    segments: [
      {
        id: 11,
        name: `${prefix}-beta`,
        constraints: [constraint('tenant', 'IN', { values: ['a.example', 'b.test'] })],
      },
      { id: 12, name: `${prefix}-small`, constraints: [constraint('size', 'NUM_LT', { value: '3' })] },
    ],
    tagTypes: [{ name: 'simple', description: 'Used to simplify filtering of features', icon: '#' }],
    dependencies: [
      {
        feature: flag('child'),
        dependencies: [{ feature: flag('ordered'), enabled: true, variants: ['red'] }],
      },
    ],
    links: [],
  };
}

import { Problem } from '../problem.ts';
import { ENVIRONMENTS, type Limits, PROJECT } from '../semantics.ts';
import type { Store } from '../store.ts';
import { tagTypesOf } from '../tag-types.ts';
import type { Admin } from './routes.ts';

/** The version of Unleash whose API this is. */
export const VERSION = '7.5.1';

const TYPES = [
  flagType('release', 'Release', 'Release feature toggles are used to release new features.', 40),
  flagType(
    'experiment',
    'Experiment',
    'Experiment feature toggles are used to test and verify multiple different versions of a feature.',
    40,
  ),
  flagType(
    'operational',
    'Operational',
    'Operational feature toggles are used to control aspects of a rollout.',
    7,
  ),
  flagType(
    'kill-switch',
    'Kill switch',
    'Kill switch feature toggles are used to quickly turn on or off critical functionality in your system.',
    null,
  ),
  flagType(
    'permission',
    'Permission',
    'Permission feature toggles are used to control permissions in your system.',
    null,
  ),
];

const STRATEGIES = [
  strategy(
    'flexibleRollout',
    'Gradual rollout',
    'Roll out to a percentage of your userbase, and ensure that the experience is the same for the user on each visit.',
    [
      parameter('rollout', 'percentage', '', false),
      parameter(
        'stickiness',
        'string',
        'Used define stickiness. Possible values: default, userId, sessionId, random',
        true,
      ),
      parameter(
        'groupId',
        'string',
        'Used to define a activation groups, which allows you to correlate across feature toggles.',
        true,
      ),
    ],
  ),
  strategy(
    'default',
    'Standard',
    'This strategy turns on / off for your entire userbase. Prefer using "Gradual rollout" strategy (100%=on, 0%=off).',
    [],
  ),
  strategy('remoteAddress', 'IPs', 'Enable the feature for a specific set of IP addresses.', [
    parameter('IPs', 'list', 'List of IPs to enable the feature toggle for.', true),
  ]),
  strategy('applicationHostname', 'Hosts', 'Enable the feature for a specific set of hostnames.', [
    parameter('hostNames', 'list', 'List of hostnames to enable the feature toggle for.', false),
  ]),
];

/** What cannot be changed here: the project, environments, types of flags and strategies, and the limits. */
export function addFixed({ at, store, rules }: Admin): void {
  at.get('/projects', (_request, response) => {
    response.json({ version: 1, projects: [projectOut(store)] });
  });
  at.get('/projects/:project/overview', (request, response) => {
    const { project } = request.params;
    if (project !== PROJECT) {
      throw new Problem('NotFoundError', `Could not find project with id ${project}`);
    }
    response.json(overviewOut(store));
  });
  at.get('/environments', (_request, response) => {
    response.json({ version: 1, environments: environmentsOut(store) });
  });
  at.get('/feature-types', (_request, response) => {
    response.json({ version: 1, types: TYPES });
  });
  at.get('/strategies', (_request, response) => {
    response.json({ version: 1, strategies: STRATEGIES });
  });
  at.get('/tag-types', (_request, response) => {
    response.json({ version: 1, tagTypes: tagTypesOf(store.tags().map(({ type }) => type)) });
  });
  at.get('/ui-config', (_request, response) => {
    response.json({
      version: VERSION,
      environment: 'Open Source',
      resourceLimits: limitsOut(rules.limits),
    });
  });
}

/** When this server was first started: its first context fields were made then. */
function startedAt(store: Store): string {
  const [first = ''] = store
    .contextFields()
    .map(({ createdAt }) => createdAt)
    .sort();
  return first;
}

function projectOut(store: Store) {
  return {
    name: 'Default',
    id: PROJECT,
    description: 'Default project',
    health: 100,
    technicalDebt: 0,
    featureCount: store.features().length,
    memberCount: 0,
    createdAt: startedAt(store),
    archivedAt: null,
    mode: 'open',
    lastReportedFlagUsage: null,
    lastUpdatedAt: null,
    owners: [{ ownerType: 'system' }],
  };
}

function overviewOut(store: Store) {
  const createdAt = startedAt(store);
  return {
    stats: {
      avgTimeToProdCurrentWindow: 0,
      createdCurrentWindow: 0,
      createdPastWindow: 0,
      archivedCurrentWindow: 0,
      archivedPastWindow: 0,
      projectActivityCurrentWindow: 0,
      projectActivityPastWindow: 0,
      projectMembersAddedCurrentWindow: 0,
    },
    name: 'Default',
    description: 'Default project',
    mode: 'open',
    featureLimit: null,
    featureNaming: { pattern: null, example: null, description: null },
    linkTemplates: [],
    defaultStickiness: 'default',
    health: 100,
    technicalDebt: 0,
    favorite: false,
    updatedAt: createdAt,
    createdAt,
    onboardingStatus: { status: store.featureCount() === 0 ? 'onboarding-started' : 'onboarded' },
    environments: ENVIRONMENTS.map(({ name }) => ({ environment: name })),
    featureTypeCounts: countsByType(store),
    members: 0,
    version: 1,
  };
}

function countsByType(store: Store) {
  const counts = new Map<string, number>();
  for (const { type } of store.features()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, count]) => ({ type, count }));
}

function environmentsOut(store: Store) {
  const features = store.features();
  const tokens = store.tokens();
  return ENVIRONMENTS.map(({ name, type, sortOrder }) => ({
    name,
    type,
    sortOrder,
    enabled: true,
    protected: false,
    requiredApprovals: null,
    projectCount: 1,
    apiTokenCount: tokens.filter(({ environment }) => environment === name).length,
    enabledToggleCount: features.filter((feature) => store.enabled(feature.name, name)).length,
  }));
}

/** Under the names of Unleash; what has no bound of its own here cannot be made at all. */
function limitsOut(limits: Limits) {
  return {
    segmentValues: limits.segmentValuesMax,
    strategySegments: limits.strategySegmentsMax,
    featureEnvironmentStrategies: limits.strategiesMax,
    constraintValues: limits.constraintValuesMax,
    constraints: limits.constraintsMax,
    environments: ENVIRONMENTS.length,
    projects: 1,
    apiTokens: limits.tokensMax,
    segments: limits.segmentsMax,
    featureFlags: limits.featuresMax,
  };
}

function flagType(id: string, name: string, description: string, lifetimeDays: number | null) {
  return { id, name, description, lifetimeDays };
}

function strategy(
  name: string,
  displayName: string,
  description: string,
  parameters: readonly ReturnType<typeof parameter>[],
) {
  return { displayName, name, editable: false, description, parameters, deprecated: false, title: null };
}

function parameter(name: string, type: string, description: string, required: boolean) {
  return { name, type, description, required };
}

import { expect, test } from 'vitest';
import { eventOf } from '../../flags/admin/flag-events.ts';

const AT = '2026-11-22T11:20:39.269Z';
const strategy = {
  id: 'acb8ae44-71fd-4c80-998a-bda3efb130d7',
  name: 'flexibleRollout',
  title: null,
  disabled: false,
  segments: [],
  variants: [],
  sortOrder: 0,
  parameters: { groupId: 'route.orders', rollout: '10', stickiness: 'default' },
  constraints: [{ values: ['acme'], operator: 'IN', contextName: 'tenant' }],
};
const flag = { name: 'route.orders', type: 'release', stale: false, description: 'd', impressionData: false };

// `data` and `preData` as Unleash 7.5.1 leaves them.
test.each([
  ['feature-created', null, flag, 'created, type release'],
  [
    'feature-strategy-add',
    null,
    strategy,
    'strategy added: flexibleRollout 10 % by default if tenant IN [acme]',
  ],
  [
    'feature-strategy-update',
    strategy,
    { ...strategy, parameters: { ...strategy.parameters, rollout: '25' } },
    'rollout 10 % -> 25 %',
  ],
  [
    'feature-strategy-update',
    { ...strategy, segments: undefined },
    { ...strategy, constraints: [], title: 'fig:12' },
    'constraints [tenant IN [acme]] -> none, title none -> "fig:12"',
  ],
  ['feature-strategy-update', strategy, strategy, 'nothing visible'],
  [
    'feature-strategy-remove',
    { ...strategy, constraints: [] },
    null,
    'strategy removed: flexibleRollout 10 % by default',
  ],
  [
    'feature-metadata-updated',
    flag,
    { ...flag, description: 'new', type: 'operational' },
    'type "release" -> "operational", description "d" -> "new"',
  ],
  ['feature-environment-enabled', null, null, 'switched on'],
  ['feature-environment-disabled', null, null, 'switched off'],
  ['feature-stale-on', null, null, 'marked stale'],
  ['feature-tagged', null, { type: 'simple', value: 'wave1' }, 'tagged simple:wave1'],
  [
    'feature-dependency-added',
    null,
    { feature: 'route.orders', enabled: true },
    'depends on route.orders on',
  ],
  ['feature-dependencies-removed', null, null, 'depends on no parent'],
  ['segment-created', null, { id: 1, name: 'beta' }, 'segment beta created'],
  ['feature-archived', null, null, 'archived'],
  ['feature-revived', null, null, 'revived'],
  ['feature-deleted', flag, null, 'deleted for good'],
  ['api-token-created', null, { tokenName: 't1', secret: 'never said' }, 'api token created'],
])('%s in words', (type, preData, data, what) => {
  const event = {
    id: 12,
    type,
    createdBy: 'admin',
    createdAt: AT,
    data,
    preData,
    featureName: 'route.orders',
    environment: 'development',
  };
  expect(eventOf(event)).toEqual({
    id: 12,
    at: AT,
    by: 'admin',
    type,
    flag: 'route.orders',
    environment: 'development',
    what,
  });
});

test('what is no event is none', () => {
  for (const value of [null, 'event', {}, { id: '1', type: 'a', createdAt: AT }])
    expect(eventOf(value)).toBe(null);
});

import { expect, test } from 'vitest';
import { contextOf, PROPERTY_BYTES_MAX } from '../../flags/context.ts';
import { type FlagShape, isGroupName, serveFlag, shadowFlag, shareOf } from '../../flags/names.ts';

const PARAMETERS = { rollout: '25', stickiness: 'figUnit', groupId: 'orders' };
const STRATEGY = { name: 'flexibleRollout', parameters: PARAMETERS, constraints: [], variants: [] };
const CANONICAL: FlagShape = { enabled: true, strategies: [STRATEGY], variants: [], impressionData: false };

function withStrategy(change: object): FlagShape {
  return { ...CANONICAL, strategies: [{ ...STRATEGY, ...change }] };
}

function withParameter(change: object): FlagShape {
  return withStrategy({ parameters: { ...PARAMETERS, ...change } });
}

test('a flag in our shape asks for its rollout', () => {
  expect(shareOf(CANONICAL)).toBe(25);
  expect(shareOf(CANONICAL, 'orders')).toBe(25);
  for (const rollout of ['0', '1', '99', '100']) {
    expect(shareOf(withParameter({ rollout }))).toBe(Number(rollout));
  }
});

test('no flag is missing', () => {
  expect(shareOf(undefined)).toBe('missing');
});

test.each<[string, FlagShape]>([
  ['it is off', { ...CANONICAL, enabled: false }],
  ['it has no strategy', { ...CANONICAL, strategies: [] }],
  ['it has a second strategy', { ...CANONICAL, strategies: [STRATEGY, STRATEGY] }],
  ['its strategy is another one', withStrategy({ name: 'default' })],
  ['its strategy is disabled', withStrategy({ disabled: true })],
  ['it is constrained', withStrategy({ constraints: [{}] })],
  ['it has a segment', withStrategy({ segments: [1] })],
  ['it has strategy variants', withStrategy({ variants: [{}] })],
  ['it has variants', { ...CANONICAL, variants: [{}] }],
  ['it depends on another flag', { ...CANONICAL, dependencies: [{}] }],
  ['it reports impressions', { ...CANONICAL, impressionData: true }],
  ['it is random', withParameter({ stickiness: 'random' })],
  ['it is sticky by default', withParameter({ stickiness: 'default' })],
  ['its share is broken', withParameter({ rollout: '12.5' })],
  ['its share is too high', withParameter({ rollout: '101' })],
  ['its share is a number', withParameter({ rollout: 25 })],
  ['its share has a leading zero', withParameter({ rollout: '025' })],
  ['its hash seed is missing', withParameter({ groupId: undefined })],
  ['its hash seed is empty', withParameter({ groupId: '' })],
])('a flag is custom when %s', (_name, flag) => {
  expect(shareOf(flag)).toBe('custom');
});

test('a flag of another hash seed is custom to who knows the right one', () => {
  expect(shareOf(CANONICAL, 'other')).toBe('custom');
});

test('flags are named after their group', () => {
  expect([serveFlag('orders'), shadowFlag('orders')]).toEqual(['fig.orders.serve', 'fig.orders.shadow']);
  expect(['a', 'a-1', 'x'.repeat(40)].every(isGroupName)).toBe(true);
  expect(['', 'A', 'a.b', 'a/b', 'x'.repeat(41)].some(isGroupName)).toBe(false);
});

test('the context holds the key twice, allowed properties, and nothing else', () => {
  const tenant = 't'.repeat(PROPERTY_BYTES_MAX);
  const raw = { userId: 'u', tenant, plan: 'p', long: `${tenant}t` };
  expect(contextOf('key', raw, ['userId', 'tenant', 'long', 'absent', 'constructor'])).toEqual({
    sessionId: 'key',
    userId: 'u',
    properties: { figUnit: 'key', tenant },
  });
});

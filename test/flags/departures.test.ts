import { expect, test } from 'vitest';
import type { AdminFlag, AdminStrategy } from '../../flags/admin/admin-client.ts';
import { departures } from '../../flags/admin/departures.ts';

const OURS: AdminStrategy = {
  id: '1',
  name: 'flexibleRollout',
  title: 'fig:7',
  disabled: false,
  parameters: { rollout: '10', stickiness: 'figUnit', groupId: 'orders' },
  constraints: [],
  variants: [],
  segments: [],
};
const FLAG: AdminFlag = {
  enabled: true,
  strategies: [OURS],
  variants: [],
  dependencies: [],
};

function withStrategy(change: Partial<AdminStrategy>): AdminFlag {
  return { ...FLAG, strategies: [{ ...OURS, ...change }] };
}

const CASES: readonly (readonly [AdminFlag, string | null])[] = [
  [FLAG, null],
  [{ ...FLAG, enabled: false }, 'switched off'],
  [{ ...FLAG, impressionData: true }, 'impression data is on'],
  [{ ...FLAG, variants: [{ name: 'a' }] }, 'variants of the flag'],
  [{ ...FLAG, dependencies: [{ feature: 'parent', enabled: true }] }, 'depends on parent'],
  [{ ...FLAG, enabled: false, strategies: [] }, 'switched off, no strategy'],
  [withStrategy({ name: 'default', parameters: {} }), 'strategy default'],
  [withStrategy({ disabled: true }), 'its strategy is disabled'],
  [withStrategy({ parameters: { ...OURS.parameters, rollout: '12.5' } }), 'rollout "12.5"'],
  [withStrategy({ parameters: { ...OURS.parameters, stickiness: 'random' } }), 'stickiness random'],
  [withStrategy({ parameters: { ...OURS.parameters, groupId: 'x' } }), 'hash seed "x"'],
  [withStrategy({ constraints: [{ contextName: 'userId' }] }), 'constraint [{"contextName":"userId"}]'],
  [withStrategy({ variants: [{ name: 'a' }] }), 'variants [{"name":"a"}]'],
  [withStrategy({ segments: [3] }), 'segment 3'],
  [
    { ...FLAG, strategies: [OURS, { ...OURS, id: '2', name: 'default', parameters: {}, disabled: true }] },
    '2 strategies (flexibleRollout 10 % by figUnit; default disabled)',
  ],
];

test.each(CASES)('case %#: a flag is said to be %2$s', (flag, text) => {
  expect(departures(flag, 'orders')).toBe(text);
});

test('what somebody typed reaches nobody as control characters, nor endlessly', () => {
  const text = departures(withStrategy({ name: `\u001b[2J\n${'x'.repeat(1_000)}` }), 'orders');
  expect(text).toMatch(/^strategy {2}\[2J x+…$/);
  expect(text).toHaveLength(300);
});

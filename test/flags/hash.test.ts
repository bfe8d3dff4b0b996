import { createHash } from 'node:crypto';
import { Unleash } from 'unleash-client';
import { expect, onTestFinished, test } from 'vitest';
import { createTable, type Definition } from '../../flags/table.ts';
import { murmur3, position } from '../../router/core/hash.ts';

const VARIANT_SEED = 86_028_157;

test.each([
  ['123', 'gr1', 538421172, 73, 4076427795, 796],
  ['user-1', 'route.orders', 3181190659, 60, 3163734680, 681],
  ['42', '', 2558432129, 30, 2686905254, 255],
  ['6d894aa3ee802549d7f340e7c1cf0d1c', 'orders', 2224187633, 34, 253715473, 474],
  ['6d894aa3ee802549d7f340e7c1cf0d1c', 'orders.shadow', 1326844939, 40, 1390937740, 741],
  ['6bea0147015afcbe7867cb289b53dd76', 'orders', 1513482835, 36, 1189420372, 373],
  ['cf2abf0c5be326cb922a70f8163f9107', 'orders', 2317795596, 97, 72803360, 361],
])('the hash of %s in %s is the one of every Unleash SDK', (id, group, hash, bucket, variantHash, target) => {
  expect(murmur3(`${group}:${id}`, 0)).toBe(hash);
  expect((hash % 100) + 1).toBe(bucket);
  expect(Math.floor(position(group, id)) + 1).toBe(bucket);
  expect(murmur3(`${group}:${id}`, VARIANT_SEED)).toBe(variantHash);
  expect((variantHash % 1000) + 1).toBe(target);
});

test('the SDK switches 10,000 keys on exactly where our position is below the share', () => {
  const share = 37;
  const definition: Definition = JSON.parse(
    JSON.stringify({
      name: 'fig.orders.serve',
      enabled: true,
      strategies: [
        {
          name: 'flexibleRollout',
          parameters: { rollout: String(share), stickiness: 'figUnit', groupId: 'orders' },
          constraints: [],
        },
      ],
    }),
  );
  const table = createTable();
  const unleash = new Unleash({
    appName: 'test',
    url: 'http://local.invalid/api/',
    repository: table,
    disableMetrics: true,
    disableAutoStart: true,
    skipInstanceCountWarning: true,
  });
  onTestFinished(() => unleash.destroy());
  table.swap({ features: [definition], segments: [] });
  const differing = Array.from({ length: 10_000 }, (_, i) =>
    createHash('sha256').update(`seed-7-${i}`).digest('hex').slice(0, 32),
  ).filter((figUnit) => {
    const sdk = unleash.isEnabled('fig.orders.serve', { properties: { figUnit } }, false);
    return sdk !== position('orders', figUnit) < share;
  });
  expect(differing).toEqual([]);
});

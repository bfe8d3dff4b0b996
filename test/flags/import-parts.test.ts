import { expect, test } from 'vitest';
import { parseExportFile } from '../../flags/move/export-file.ts';
import { partsOf } from '../../flags/move/import-parts.ts';
import { exportedFlags } from './exported.ts';

/** Unleash's own limit. */
const BODY_BYTES_MAX = 500 * 1024;

function environmentOf(text: string) {
  const [one] = parseExportFile(text);
  if (one === undefined) throw new Error('no environment');
  return one;
}

/** Flags with long constraints; each of the second half has a parent in the first. */
function large(flags: number) {
  const name = (i: number) => `large-${i}`;
  const indices = Array.from({ length: flags }, (_, i) => i);
  const values = Array.from({ length: 20 }, (_, i) => `a-value-of-some-length-${i}`);
  const constraints = [{ contextName: 'tenant', operator: 'IN', values }];
  const body = {
    features: indices.map((i) => ({ name: name(i), type: 'release' })),
    featureStrategies: indices.map((i) => ({
      name: 'default',
      featureName: name(i),
      parameters: {},
      constraints,
    })),
    featureEnvironments: indices.map((i) => ({ featureName: name(i), enabled: true })),
    dependencies: indices
      .slice(flags / 2)
      .map((i) => ({ feature: name(i), dependencies: [{ feature: name(i % 10), enabled: true }] })),
  };
  return environmentOf(JSON.stringify({ schema: 'fig.flags/1', environments: { production: body } }));
}

function featuresIn(part: ReturnType<typeof partsOf>[number]): readonly unknown[] {
  const { features = [] } = part.data;
  return features.map((feature) => (feature as { name: string }).name);
}

test('what fits is one part, and every strategy of a flag has its place', () => {
  const parts = partsOf(environmentOf(JSON.stringify(exportedFlags('q'))), 'default');
  expect(parts).toHaveLength(1);
  const strategies = parts[0]?.data['featureStrategies'] as { featureName: string; sortOrder: number }[];
  const ordered = strategies.filter(({ featureName }) => featureName === 'q.ordered');
  expect(ordered.map(({ sortOrder }) => sortOrder)).toEqual([0, 1, 2, 3]);
});

test('a large environment goes in parts that the server takes, each flag once and with its parent', () => {
  const one = large(2_000);
  const parts = partsOf(one, 'default');
  expect(parts.length).toBeGreaterThan(2);
  for (const part of parts) expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(BODY_BYTES_MAX);
  expect(parts.flatMap(featuresIn).toSorted()).toEqual([...one.names].toSorted());
  for (const part of parts) {
    const here = new Set(featuresIn(part));
    const { dependencies = [] } = part.data;
    for (const { feature, dependencies: parents } of dependencies as Dependency[])
      expect([feature, ...parents.map((parent) => parent.feature)].every((name) => here.has(name))).toBe(
        true,
      );
  }
});

interface Dependency {
  readonly feature: string;
  readonly dependencies: readonly { readonly feature: string }[];
}

test('a family that is too large for any part is refused', () => {
  expect(() => partsOf(large(20_000 / 4 - 2), 'default')).not.toThrow();
  const one = large(1_500);
  const parent = one.names[0];
  const lists = {
    ...one.lists,
    dependencies: one.names.slice(1).map((feature) => ({ feature, dependencies: [{ feature: parent }] })),
  };
  expect(() => partsOf({ ...one, lists }, 'default')).toThrow(/cannot be sent in parts/);
});

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Context, Unleash } from 'unleash-client';
import { expect } from 'vitest';

const require = createRequire(import.meta.url);

type Plain = Readonly<Record<string, unknown>>;
type Feature = Plain & { readonly name: string };
type Segment = Plain & { readonly id: number };

/** What clients are given, as a file of the specification states it. */
export interface State {
  readonly features: readonly Feature[];
  readonly segments: readonly Segment[];
}

interface FlagCase {
  readonly description: string;
  readonly context: Context;
  readonly toggleName: string;
  readonly expectedResult: boolean;
}

interface VariantCase extends Omit<FlagCase, 'expectedResult'> {
  readonly expectedResult: Plain & { readonly feature_enabled?: boolean };
}

type DeltaEvent =
  | {
      readonly type: 'hydration';
      readonly features: readonly Feature[];
      readonly segments: readonly Segment[];
    }
  | { readonly type: 'feature-updated'; readonly feature: Feature }
  | { readonly type: 'feature-removed'; readonly featureName: string }
  | { readonly type: 'segment-updated'; readonly segment: Segment }
  | { readonly type: 'segment-removed'; readonly segmentId: number };

interface Content {
  readonly state: Partial<State> & { readonly events?: readonly DeltaEvent[] };
  readonly tests?: readonly FlagCase[];
  readonly variantTests?: readonly VariantCase[];
}

/** One file of `@unleash/client-specification`. */
export interface SpecificationFile {
  readonly name: string;
  /** One, or for a file of delta events the state after each of them. */
  readonly states: readonly State[];
  readonly tests: readonly FlagCase[];
  readonly variantTests: readonly VariantCase[];
}

const INDEX = require.resolve('@unleash/client-specification/specifications/index.json');

/** All files of the specification. */
export function specification(): SpecificationFile[] {
  return read<string[]>('index.json').map((name) => {
    const { state, tests = [], variantTests = [] } = read<Content>(name);
    return { name, states: statesOf(state), tests, variantTests };
  });
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(dirname(INDEX), name), 'utf8'));
}

function statesOf({ features = [], segments = [], events }: Content['state']): State[] {
  if (events === undefined) return [{ features, segments }];
  let state: State = { features: [], segments: [] };
  return events.map((event) => {
    state = applied(state, event);
    return state;
  });
}

function applied({ features, segments }: State, event: DeltaEvent): State {
  const otherFeatures = (name: string) => features.filter((one) => one.name !== name);
  const otherSegments = (id: number) => segments.filter((one) => one.id !== id);
  switch (event.type) {
    case 'hydration':
      return { features: event.features, segments: event.segments };
    case 'feature-updated':
      return { features: [...otherFeatures(event.feature.name), event.feature], segments };
    case 'feature-removed':
      return { features: otherFeatures(event.featureName), segments };
    case 'segment-updated':
      return { features, segments: [...otherSegments(event.segment.id), event.segment] };
    case 'segment-removed':
      return { features, segments: otherSegments(event.segmentId) };
  }
}

/** Evaluates every case of a file in the SDK; gives how many there were. */
export function evaluate(unleash: Unleash, { tests, variantTests }: SpecificationFile): number {
  for (const { description, context, toggleName, expectedResult } of tests) {
    expect(unleash.isEnabled(toggleName, context), description).toBe(expectedResult);
  }
  for (const { description, context, toggleName, expectedResult } of variantTests) {
    const { featureEnabled: _extra, ...variant } = unleash.getVariant(toggleName, context);
    expect(variant, description).toEqual(expectedResult);
  }
  return tests.length + variantTests.length;
}

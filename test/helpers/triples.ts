/** Triples of answers for tests of noise: one value per field and answer. */
import type { Sample } from '../../router/core/compare/comparison.ts';
import { murmur3 } from '../../router/core/hash.ts';
import {
  createNoiseModel,
  type Finding,
  type NoiseContent,
  type NoiseModel,
  type Triple,
} from '../../router/core/noise/model.ts';
import { NOISE_POLICY, type NoisePolicy } from '../../router/core/noise/path-verdict.ts';

/** A JSON scalar; undefined: absent. */
export type Scalar = string | number | null | undefined;
/** Values of legacy's first answer, its second one, and the service's. */
export type Three = readonly [Scalar, Scalar, Scalar];

export const ROUTE = 'GET /things';

/** 53 bits; without a secret, as befits a test. */
export function digestOf(text: string): number {
  return (murmur3(text, 1) & 0x1fffff) * 2 ** 32 + murmur3(text, 2);
}

export function modelOf(policy: Partial<NoisePolicy> = {}, content: NoiseContent | null = null): NoiseModel {
  const model = createNoiseModel({
    policy: { ...NOISE_POLICY, ...policy },
    digest: digestOf,
    toleranceMs: 1000,
  });
  if (content !== null) model.merge(content);
  return model;
}

/** `fields`: path below `/body` to its three values. Array indexes become `*` in the template. */
export function tripleOf(
  fields: Readonly<Record<string, Three>>,
  { asked = [], calls = null }: { asked?: readonly string[]; calls?: Triple['calls'] } = {},
): Triple {
  const service: Finding[] = [];
  const baseline: Finding[] = [];
  for (const [name, [first, second, third]] of Object.entries(fields)) {
    if (first !== third) service.push(findingOf(name, first, third));
    if (first !== second) baseline.push(findingOf(name, first, second));
  }
  return { route: ROUTE, service, baseline, asked: new Set(asked.map(digestOf)), calls };
}

function findingOf(name: string, legacy: Scalar, other: Scalar): Finding {
  const path = `/body/${name}`;
  const template = path.replaceAll(/\/\d+(?=\/|$)/g, '/*');
  return { template, path, kind: kindOf(legacy, other), legacy: sampleOf(legacy), other: sampleOf(other) };
}

function kindOf(legacy: Scalar, other: Scalar): Finding['kind'] {
  if (other === undefined) return 'missing';
  if (legacy === undefined) return 'extra';
  return legacy === null || other === null || typeof legacy !== typeof other ? 'type' : 'value';
}

function sampleOf(value: Scalar): Sample | null {
  if (value === undefined) return null;
  const text = String(value);
  if (value === null) return { type: 'null', text, length: text.length };
  return { type: typeof value === 'number' ? 'number' : 'string', text, length: text.length };
}

import { badRule } from '../problem.ts';
import { FEATURE_TYPES, type Feature, type Tag } from '../semantics.ts';
import {
  type Body,
  boolean,
  list,
  may,
  need,
  nullable,
  object,
  oneOf,
  requireKnownKeys,
  requireName,
  string,
  text,
  wrong,
} from '../validate.ts';

const TAG_CHARS_MIN = 2;
const TAG_CHARS_MAX = 50;

/** A flag to be created. */
export interface NewFeature {
  readonly name: string;
  readonly type: string;
  readonly description: string | null;
  readonly impressionData: boolean;
  readonly tags: readonly Tag[];
}

/** What of a flag can be changed. */
export type FeatureData = Pick<Feature, 'type' | 'description' | 'impressionData' | 'stale'>;

/** A flag to be created: 400 with the first fault. Names are URL-friendly, 1-100 characters. */
export function parseFeature(body: Body): NewFeature {
  const name = need(body, '/body', 'name', string);
  const rest = {
    type: may(body, '/body', 'type', 'release', oneOf([...FEATURE_TYPES])),
    description: may(body, '/body', 'description', null, nullable(text)),
    impressionData: may(body, '/body', 'impressionData', false, boolean),
    tags: may(body, '/body', 'tags', [], list(parseTag)),
  };
  return { name: requireName(name), ...rest };
}

/** All data of a flag, as PUT and a patched document give it; what is left out gets its first value again. */
export function parseFeatureData(body: Body, path = '/body'): FeatureData {
  return {
    type: may(body, path, 'type', 'release', oneOf([...FEATURE_TYPES])),
    // As Unleash stores it: an empty text is none.
    description: may(body, path, 'description', null, nullable(text)) || null,
    stale: may(body, path, 'stale', false, boolean),
    impressionData: may(body, path, 'impressionData', false, boolean),
  };
}

export interface CloneRequest {
  readonly name: string;
  readonly replaceGroupId: boolean;
}

export function parseClone(body: Body): CloneRequest {
  const name = need(body, '/body', 'name', string);
  const replaceGroupId = may(body, '/body', 'replaceGroupId', true, boolean);
  return { name: requireName(name), replaceGroupId };
}

/** The name in a request that asks whether it can be used. */
export function parseName(body: Body): string {
  const name = need(body, '/body', 'name', string);
  may(body, '/body', 'projectId', null, nullable(string));
  return requireName(name);
}

export function parseTag(value: unknown, path: string): Tag {
  const body = object(value, path);
  const tag = { value: need(body, path, 'value', tagText), type: need(body, path, 'type', tagText) };
  may(body, path, 'color', null, nullable(string));
  requireKnownKeys(body, path, ['value', 'type', 'color']);
  requireName(tag.type, 'type');
  return { type: tag.type, value: tag.value };
}

function tagText(value: unknown, path: string): string {
  const all = string(value, path);
  if (all.length < TAG_CHARS_MIN)
    throw wrong(path, `must NOT have fewer than ${TAG_CHARS_MIN} characters`, all);
  if (all.length > TAG_CHARS_MAX)
    throw wrong(path, `must NOT have more than ${TAG_CHARS_MAX} characters`, all);
  return all;
}

export interface TagUpdate {
  readonly addedTags: readonly Tag[];
  readonly removedTags: readonly Tag[];
}

export function parseTagUpdate(body: Body): TagUpdate {
  return {
    addedTags: need(body, '/body', 'addedTags', list(parseTag)),
    removedTags: need(body, '/body', 'removedTags', list(parseTag)),
  };
}

/** The flag that another one is to depend on, and how. */
export interface DependencyBody {
  readonly feature: string;
  readonly enabled: boolean;
  readonly variants: readonly string[] | undefined;
}

const DEPENDENCY_VARIANTS_MAX = 100;

export function parseDependency(body: Body): DependencyBody {
  const feature = need(body, '/body', 'feature', string);
  const enabled = may(body, '/body', 'enabled', true, boolean);
  const variants = may(body, '/body', 'variants', undefined, list(text));
  if (variants !== undefined && variants.length > DEPENDENCY_VARIANTS_MAX) {
    throw badRule(`A dependency may not have more than ${DEPENDENCY_VARIANTS_MAX} variants`);
  }
  return { feature, enabled, variants };
}

import { badData, type Problem } from '../problem.ts';
import type { ContextField, Tag, Variant } from '../semantics.ts';
import {
  type Body,
  boolean,
  integer,
  list,
  may,
  need,
  nullable,
  object,
  type Parse,
  requireName,
  shown,
  string,
  text,
} from '../validate.ts';
import { parseContextField } from './context.ts';
import { type DependencyBody, type FeatureData, parseDependency, parseFeatureData } from './feature.ts';
import { parseSegment, type SegmentBody } from './segment.ts';
import { parseStrategy, type StrategyBody } from './strategy.ts';
import { parseVariants } from './variant.ts';

/** Which flags are to be exported, and from where. */
export interface ExportRequest {
  readonly environment: string;
  readonly which:
    | { readonly by: 'tag'; readonly value: string }
    | { readonly by: 'features'; readonly names: readonly string[] }
    | { readonly by: 'project'; readonly project: string };
  /** Segments with all they hold, and not only with their names as Unleash has it. */
  readonly segmentDetails: boolean;
}

const SELECTORS = ['features', 'tag', 'project'] as const;

/** 400 without an environment, and one of `features`, `tag` and `project`. */
export function parseExport(body: Body): ExportRequest {
  const given = SELECTORS.find((name) => body[name] !== undefined);
  if (given === undefined || body['environment'] === undefined) throw incomplete(body);
  const environment = need(body, '/body', 'environment', string);
  const segmentDetails = may(body, '/body', 'segmentDetails', false, boolean);
  const features = may(body, '/body', 'features', [], list(string));
  const tag = may(body, '/body', 'tag', null, string);
  const project = may(body, '/body', 'project', null, string);
  // In this order, as in Unleash.
  if (tag !== null) return { environment, segmentDetails, which: { by: 'tag', value: tag } };
  if (project === null || features.length > 0) {
    return { environment, segmentDetails, which: { by: 'features', names: features } };
  }
  return { environment, segmentDetails, which: { by: 'project', project } };
}

/** In the words of a schema of three alternatives, of which none fits. */
function incomplete(body: Body): Problem {
  const missing = SELECTORS.map((name) => (body['environment'] === undefined ? 'environment' : name));
  return badData([
    ...missing.map((name) => ({
      path: `/body/${name}`,
      message: `The \`/body/${name}\` property is required. It was not present on the data you sent.`,
    })),
    {
      path: '/body',
      message: `The \`/body\` property must match a schema in anyOf. You sent ${shown(body)}.`,
    },
  ]);
}

export interface ImportRequest {
  readonly project: string;
  readonly environment: string;
  readonly data: ImportData;
}

export interface ImportData {
  readonly features: readonly (FeatureData & { readonly name: string })[];
  readonly strategies: readonly ImportedStrategy[];
  readonly environments: readonly ImportedEnvironment[];
  readonly contextFields: readonly Omit<ContextField, 'createdAt'>[];
  readonly tags: readonly { readonly feature: string; readonly tag: Tag }[];
  /** Names. */
  readonly tagTypes: readonly string[];
  readonly segments: readonly ImportedSegment[];
  readonly dependencies: readonly {
    readonly feature: string;
    readonly dependencies: readonly DependencyBody[];
  }[];
}

export interface ImportedStrategy {
  readonly feature: string;
  readonly body: StrategyBody;
}

interface ImportedEnvironment {
  readonly feature: string;
  readonly enabled: boolean;
  readonly variants: readonly Variant[];
}

/** A segment by its name, and with `body` what it holds. */
export interface ImportedSegment {
  readonly id: number;
  readonly name: string;
  readonly body: SegmentBody | null;
}

/** What an export holds, of this server or of Unleash. 400 with the first fault; keys that are not known pass. */
export function parseImport(body: Body): ImportRequest {
  return {
    project: need(body, '/body', 'project', string),
    environment: need(body, '/body', 'environment', string),
    data: need(body, '/body', 'data', parseData),
  };
}

function parseData(value: unknown, path: string): ImportData {
  const data = object(value, path);
  const lists = <T>(name: string, each: Parse<T>) => may(data, path, name, [], list(each));
  return {
    features: need(data, path, 'features', list(parseFeature)),
    strategies: need(data, path, 'featureStrategies', list(parseImportedStrategy)),
    environments: lists('featureEnvironments', parseEnvironment),
    contextFields: lists('contextFields', (field, at) => parseContextField(object(field, at))),
    tags: lists('featureTags', parseFeatureTag),
    tagTypes: lists('tagTypes', (type, at) => requireName(need(object(type, at), at, 'name', string))),
    segments: lists('segments', parseImportedSegment),
    dependencies: lists('dependencies', parseDependencies),
  };
}

function parseFeature(value: unknown, path: string) {
  const body = object(value, path);
  return { name: requireName(need(body, path, 'name', string)), ...parseFeatureData(body, path) };
}

function parseImportedStrategy(value: unknown, path: string): ImportedStrategy {
  const body = object(value, path);
  need(body, path, 'name', string);
  return { feature: need(body, path, 'featureName', string), body: parseStrategy(body, path) };
}

function parseEnvironment(value: unknown, path: string): ImportedEnvironment {
  const body = object(value, path);
  const name = need(body, path, 'name', string);
  return {
    feature: may(body, path, 'featureName', name, string),
    enabled: need(body, path, 'enabled', boolean),
    variants: may(body, path, 'variants', [], list(parseFeatureVariant)),
  };
}

/** A variant of a whole flag: like one of a strategy, and for some it can be overridden. */
function parseFeatureVariant(value: unknown, path: string): Variant {
  const { overrides, ...rest } = object(value, path);
  const [variant] = parseVariants([rest], path);
  if (variant === undefined) throw new TypeError('a list of one variant is not empty');
  const named = may({ overrides }, path, 'overrides', [], list(parseOverride));
  return named.length === 0 ? variant : { ...variant, overrides: named };
}

function parseOverride(value: unknown, path: string) {
  const body = object(value, path);
  return {
    contextName: need(body, path, 'contextName', text),
    values: need(body, path, 'values', list(text)),
  };
}

function parseFeatureTag(value: unknown, path: string) {
  const body = object(value, path);
  const tag = { type: need(body, path, 'tagType', text), value: need(body, path, 'tagValue', text) };
  return { feature: need(body, path, 'featureName', string), tag };
}

function parseImportedSegment(value: unknown, path: string): ImportedSegment {
  const body = object(value, path);
  const id = need(body, path, 'id', integer(0, Number.MAX_SAFE_INTEGER));
  const name = need(body, path, 'name', text);
  return { id, name, body: body['constraints'] === undefined ? null : parseSegment(body) };
}

function parseDependencies(value: unknown, path: string) {
  const body = object(value, path);
  const parse: Parse<DependencyBody> = (one, at) => {
    const { variants, ...rest } = object(one, at);
    const named = may({ variants }, at, 'variants', undefined, nullable(list(text)));
    return parseDependency(named === null || named === undefined ? rest : { ...rest, variants: named });
  };
  return {
    feature: need(body, path, 'feature', string),
    dependencies: need(body, path, 'dependencies', list(parse)),
  };
}

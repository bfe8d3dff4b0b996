import { isRecord, type Json } from '../json.ts';
import { type FlagTable, tableOf } from '../table.ts';

/** `schema` of an export file. */
const EXPORT_SCHEMA = 'fig.flags/1';
/** As many flags as Unleash allows in a project. */
const FLAGS_MAX = 5_000;
const NAME_CHARS_MAX = 100;

export interface ExportedSegment {
  readonly id: number;
  readonly name: string;
  readonly description: string | null;
  /** Null: the file only names the segment, as Unleash's own export does. */
  readonly constraints: readonly unknown[] | null;
}

/** One environment of an export, in the shape of Unleash's `features-batch/export`. */
export interface EnvironmentExport {
  readonly environment: string;
  readonly names: readonly string[];
  readonly segments: readonly ExportedSegment[];
  /** The lists of the export by their names; `features` and `featureStrategies` are always there. */
  readonly lists: Readonly<Record<(typeof LISTS)[number], readonly Json[]>>;
}

const LISTS = [
  'features',
  'featureStrategies',
  'featureEnvironments',
  'contextFields',
  'featureTags',
  'tagTypes',
  'dependencies',
  'links',
] as const;

/** `file`: what is to be moved is at fault; `denied`: who asks may not; `refused`: the server would not. */
export type TransferFault = 'file' | 'unreachable' | 'denied' | 'refused';

/** Flags could not be moved. One sentence: what, where, what to do. Carries no secret. */
export class TransferError extends Error {
  readonly fault: TransferFault;

  constructor(fault: TransferFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'TransferError';
    this.fault = fault;
  }
}

/**
 * The environments of an export file: `{"schema":"fig.flags/1","environments":{NAME: Unleash's export}}`. Segments
 * may carry their `constraints`, in an environment or beside `environments`. TransferError for anything else.
 */
export function parseExportFile(text: string): readonly EnvironmentExport[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new TransferError('file', 'the file is not JSON');
  }
  if (!isRecord(file) || file['schema'] !== EXPORT_SCHEMA)
    throw new TransferError('file', `the file is no flag export: its schema is not ${EXPORT_SCHEMA}`);
  const environments = file['environments'];
  if (!isRecord(environments) || Object.keys(environments).length === 0)
    throw new TransferError('file', 'the file names no environments');
  const shared = listOf(file, 'segments', 'the file').map(segmentOf);
  return Object.entries(environments).map(([name, body]) => environmentOf(name, body, shared));
}

/** What the SDK of an application would be given for this environment. `segments`: the constraints in force. */
export function definitionsOf(
  { lists, names }: EnvironmentExport,
  segments: readonly { readonly id: number; readonly constraints: readonly unknown[] }[],
): FlagTable {
  const strategies = Map.groupBy(
    lists.featureStrategies.filter(({ disabled }) => disabled !== true),
    ({ featureName }) => featureName,
  );
  const places = new Map(lists.featureEnvironments.map((place) => [place['featureName'], place]));
  const parents = new Map(lists.dependencies.map(({ feature, dependencies }) => [feature, dependencies]));
  const features = lists.features.map((feature) => {
    const { name, type, project, stale, impressionData } = feature;
    const { enabled = false, variants = [] } = places.get(name) ?? {};
    const dependencies = parents.get(name);
    return {
      ...{ name, type, project, stale, impressionData, enabled, variants },
      strategies: (strategies.get(name) ?? []).map(
        ({ name: strategy, parameters, constraints, ...rest }) => ({
          name: strategy,
          parameters: parameters ?? {},
          constraints: constraints ?? [],
          ...(Array.isArray(rest['segments']) && rest['segments'].length > 0
            ? { segments: rest['segments'] }
            : {}),
          variants: rest['variants'] ?? [],
        }),
      ),
      ...(dependencies === undefined ? {} : { dependencies }),
    };
  });
  const table = tableOf({ features, segments });
  if (table === null)
    throw new TransferError('file', `the definitions of ${names.length} flags cannot be evaluated`);
  return table;
}

function environmentOf(
  environment: string,
  body: unknown,
  shared: readonly ExportedSegment[],
): EnvironmentExport {
  const where = `the environment ${environment.slice(0, NAME_CHARS_MAX)}`;
  if (!isRecord(body)) throw new TransferError('file', `${where} is no export of Unleash`);
  for (const required of ['features', 'featureStrategies'] as const)
    if (!Array.isArray(body[required])) throw new TransferError('file', `${where} has no list ${required}`);
  const list = (name: (typeof LISTS)[number]) => listOf(body, name, where);
  const lists = {
    features: list('features'),
    featureStrategies: list('featureStrategies'),
    featureEnvironments: list('featureEnvironments'),
    contextFields: list('contextFields'),
    featureTags: list('featureTags'),
    tagTypes: list('tagTypes'),
    dependencies: list('dependencies'),
    links: list('links'),
  };
  if (lists.features.length > FLAGS_MAX)
    throw new TransferError('file', `${where} has ${lists.features.length} flags, more than ${FLAGS_MAX}`);
  const names = lists.features.map(({ name }) => nameOf(name, `a flag of ${where}`));
  const known = new Set(names);
  for (const { name, featureName } of lists.featureStrategies) {
    const flag = nameOf(featureName, `the flag of a strategy of ${where}`);
    if (!known.has(flag))
      throw new TransferError('file', `${where} has a strategy of ${flag}, which it does not have`);
    nameOf(name, `a strategy of ${flag}`);
  }
  const segments = listOf(body, 'segments', where).map(segmentOf);
  const complete = segments.map((segment) =>
    segment.constraints === null ? (shared.find(({ name }) => name === segment.name) ?? segment) : segment,
  );
  return {
    environment,
    names,
    // The ids of the environment are the ones its strategies use.
    segments: complete.map((segment, i) => ({ ...segment, id: segments[i]?.id ?? segment.id })),
    lists,
  };
}

function segmentOf(item: Json): ExportedSegment {
  const { id, name, description, constraints } = item;
  if (typeof id !== 'number') throw new TransferError('file', 'a segment has no numeric id');
  return {
    id,
    name: nameOf(name, 'a segment'),
    description: typeof description === 'string' ? description : null,
    constraints: Array.isArray(constraints) ? constraints : null,
  };
}

function nameOf(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.length > NAME_CHARS_MAX)
    throw new TransferError('file', `${what} has no name of 1 to ${NAME_CHARS_MAX} characters`);
  return value;
}

function listOf(body: Json, name: string, where: string): readonly Json[] {
  const list = body[name] ?? [];
  if (!Array.isArray(list) || !list.every(isRecord))
    throw new TransferError('file', `${name} of ${where} is no list of objects`);
  return list;
}

import { isRecord, type Json } from '../json.ts';
import { type EnvironmentExport, TransferError } from './export-file.ts';

/** Unleash takes 500 kB; a larger environment goes in parts. */
const PART_BYTES_MAX = 450_000;

/** What a part adds to an item: its place in the order, the project, a comma. */
const ITEM_BYTES = 200;
/** The lists of an export that belong to flags, and the key that names the flag. */
const FLAG_LISTS = [
  ['features', 'name'],
  ['featureStrategies', 'featureName'],
  ['featureEnvironments', 'featureName'],
  ['featureTags', 'featureName'],
  ['dependencies', 'feature'],
  ['links', 'feature'],
] as const;

/** One import that the server takes. */
export interface Part {
  readonly project: string;
  readonly environment: string;
  readonly data: Readonly<Record<string, readonly unknown[]>>;
}

/** The environment in parts that the server takes. A parent and its children stay together: one needs the other. */
export function partsOf(one: EnvironmentExport, project: string): readonly Part[] {
  const { environment, lists } = one;
  const place = { project, environment };
  const whole = partOf(one, place, new Set(one.names));
  if (bytesOf(whole) <= PART_BYTES_MAX) return [whole];
  const sizes = sizesOf(one);
  const parts: Part[] = [];
  const shared = bytesOf(partOf(one, place, new Set()));
  let names: string[] = [];
  let bytes = shared;
  for (const family of familiesOf(one)) {
    const more = family.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
    if (names.length > 0 && bytes + more > PART_BYTES_MAX) {
      parts.push(partOf(one, place, new Set(names)));
      names = [];
      bytes = shared;
    }
    names.push(...family);
    bytes += more;
  }
  parts.push(partOf(one, place, new Set(names)));
  const tooLarge = parts.find((part) => bytesOf(part) > PART_BYTES_MAX);
  if (tooLarge !== undefined)
    throw new TransferError(
      'file',
      `${lists.features.length} flags of ${environment} cannot be sent in parts of ${PART_BYTES_MAX} bytes: shorten the values of their constraints`,
    );
  return parts;
}

function partOf(
  { lists, segments }: EnvironmentExport,
  place: { readonly project: string; readonly environment: string },
  names: ReadonlySet<string>,
): Part {
  const of = (items: readonly Json[], key: string) =>
    items.filter((item) => {
      const name = item[key];
      return typeof name === 'string' && names.has(name);
    });
  const orders = new Map<unknown, number>();
  return {
    ...place,
    data: {
      features: of(lists.features, 'name').map((feature) => ({ ...feature, project: place.project })),
      // The server creates them all at once: without their places their order would be lost.
      featureStrategies: of(lists.featureStrategies, 'featureName').map((strategy) => {
        const order = orders.get(strategy['featureName']) ?? 0;
        orders.set(strategy['featureName'], order + 1);
        return { ...strategy, sortOrder: order };
      }),
      featureEnvironments: of(lists.featureEnvironments, 'featureName').map((at) => ({
        ...at,
        name: at['featureName'],
        environment: place.environment,
      })),
      featureTags: of(lists.featureTags, 'featureName'),
      dependencies: of(lists.dependencies, 'feature'),
      links: of(lists.links, 'feature'),
      contextFields: lists.contextFields,
      tagTypes: lists.tagTypes,
      segments: segments.map(({ id, name }) => ({ id, name })),
    },
  };
}

/** Flags that depend on each other, together; in the order of the export otherwise. */
function familiesOf({ names, lists }: EnvironmentExport): readonly (readonly string[])[] {
  const families = new Map(names.map((name) => [name, [name]]));
  for (const { feature, dependencies } of lists.dependencies) {
    const child = typeof feature === 'string' ? families.get(feature) : undefined;
    for (const parent of Array.isArray(dependencies) ? dependencies : []) {
      const name = isRecord(parent) ? parent['feature'] : undefined;
      const family = typeof name === 'string' ? families.get(name) : undefined;
      if (child === undefined || family === undefined || child === family) continue;
      family.push(...child);
      for (const member of child) families.set(member, family);
    }
  }
  return [...new Set(families.values())];
}

/** Bytes that each flag adds to a part, at most. */
function sizesOf({ lists }: EnvironmentExport): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const [items, key] of FLAG_LISTS.map(([list, name]) => [lists[list], name] as const)) {
    for (const item of items) {
      const flag = item[key];
      if (typeof flag !== 'string') continue;
      sizes.set(flag, (sizes.get(flag) ?? 0) + Buffer.byteLength(JSON.stringify(item)) + ITEM_BYTES);
    }
  }
  return sizes;
}

function bytesOf(part: Part): number {
  return Buffer.byteLength(JSON.stringify(part));
}

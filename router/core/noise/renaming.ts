/** Ids that every answer makes anew: which places hold the same id, and whether an answer keeps them together. */
import { createOneToOne, join, type OneToOne } from '../compare/one-to-one.ts';

/** A place of one answer where an id stands: legacy's, and what the other answer has there. Both as digests. */
export interface IdPlace {
  readonly template: string;
  readonly from: number;
  readonly to: number;
}

/** How often two templates were in one answer, and how often one held no id that the other did not. */
export interface Relation {
  readonly templates: readonly [string, string];
  readonly together: number;
  readonly related: number;
}

export interface Renaming {
  /** The ids of one answer of legacy by template. */
  learn(ids: ReadonlyMap<string, ReadonlySet<number>>): void;
  /** Name of the group of places that share ids: its first template. A template without relations is its own group. */
  groupOf(template: string): string;
  merge(relations: readonly Relation[]): void;
  content(): readonly Relation[];
}

/** Templates of one route that are related with each other; further ones stay alone. */
const TEMPLATES_MAX = 24;
/** Answers that must agree before two templates are one group. */
const ANSWERS_MIN = 30;

interface Counted {
  readonly templates: readonly [string, string];
  together: number;
  related: number;
}

/**
 * Learns groups from what is constant inside legacy's own answers: two templates are one group when in every answer
 * that had both, the ids of one were among those of the other.
 */
export function createRenaming(): Renaming {
  const relations: Counted[] = [];
  const byTemplate = new Map<string, Map<string, Counted>>();
  const known = new Set<string>();
  let groups: ReadonlyMap<string, string> | null = null;

  function relationOf(a: string, b: string): Counted {
    const [first, second] = a < b ? [a, b] : [b, a];
    let others = byTemplate.get(first);
    if (others === undefined) {
      others = new Map();
      byTemplate.set(first, others);
    }
    let relation = others.get(second);
    if (relation === undefined) {
      relation = { templates: [first, second], together: 0, related: 0 };
      others.set(second, relation);
      relations.push(relation);
    }
    return relation;
  }

  function isKnown(template: string): boolean {
    if (known.size < TEMPLATES_MAX) known.add(template);
    return known.has(template);
  }

  return {
    learn(ids) {
      const present = [...ids].filter(([template]) => isKnown(template));
      for (const [index, [a, left]] of present.entries()) {
        for (const [b, right] of present.slice(index + 1)) {
          const relation = relationOf(a, b);
          relation.together += 1;
          if (isWithin(left, right) || isWithin(right, left)) relation.related += 1;
        }
      }
      if (present.length > 1) groups = null;
    },
    groupOf(template) {
      groups ??= groupsOf(relations);
      return groups.get(template) ?? template;
    },
    merge(others) {
      for (const { templates, together, related } of others) {
        if (!templates.every(isKnown)) continue;
        const relation = relationOf(...templates);
        relation.together += together;
        relation.related += related;
      }
      groups = null;
    },
    content: () => relations.map((relation) => ({ ...relation })),
  };
}

function isWithin(some: ReadonlySet<number>, all: ReadonlySet<number>): boolean {
  for (const id of some) if (!all.has(id)) return false;
  return true;
}

function groupsOf(relations: readonly Relation[]): ReadonlyMap<string, string> {
  const groups = new Map<string, string>();
  for (const { templates, together, related } of relations) {
    if (together < ANSWERS_MIN || related < together) continue;
    const joined = templates.map((template) => groups.get(template) ?? template).toSorted();
    const [name = ''] = joined;
    for (const template of templates) groups.set(template, name);
    for (const [template, group] of groups) if (joined.includes(group)) groups.set(template, name);
  }
  return groups;
}

/** The templates at which an answer gives an id a second image, or two ids one image; places in document order. */
export function brokenIds(
  places: readonly IdPlace[],
  groupOf: (template: string) => string,
): ReadonlySet<string> {
  const maps = new Map<string, OneToOne<number>>();
  const broken = new Set<string>();
  for (const { template, from, to } of places) {
    const group = groupOf(template);
    let map = maps.get(group);
    if (map === undefined) {
      map = createOneToOne();
      maps.set(group, map);
    }
    if (!join(map, from, to)) broken.add(template);
  }
  return broken;
}

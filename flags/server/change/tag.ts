import type { TagUpdate } from '../parse/feature.ts';
import { badRule } from '../problem.ts';
import type { Tag } from '../semantics.ts';
import type { Changes } from '../store.ts';
import { TAG_TYPE } from '../tag-types.ts';
import { known, recordFlag, recordShared } from './record.ts';

const NO_TYPES: ReadonlySet<string> = new Set();

/**
 * Tags a flag; a tag that is new to the server is created first. Tagging it again changes nothing. 400 for a type that
 * neither the server nor `types` knows.
 */
export function tagFeature(changes: Changes, name: string, tag: Tag, types = NO_TYPES): void {
  const feature = known(changes, name);
  if (changes.tagsOf(name).some((one) => sameTag(one, tag))) return;
  createTagIfNeeded(changes, tag, types);
  changes.tagFeature(name, tag);
  recordFlag(changes, 'feature-tagged', feature, { data: tag });
}

function createTagIfNeeded(changes: Changes, tag: Tag, types: ReadonlySet<string>): void {
  const tags = changes.tags();
  if (tags.some((one) => sameTag(one, tag))) return;
  if (tag.type !== TAG_TYPE && !types.has(tag.type) && !tags.some(({ type }) => type === tag.type)) {
    throw badRule(`Tag type '${tag.type}' does not exist`);
  }
  changes.insertTag(tag);
  recordShared(changes, 'tag-created', { data: tag });
}

/** Takes a tag off a flag; does nothing when it has not got it. */
export function untagFeature(changes: Changes, name: string, tag: Tag): void {
  const feature = known(changes, name);
  if (!changes.tagsOf(name).some((one) => sameTag(one, tag))) return;
  // Before it goes: the event carries the tags that the flag had.
  recordFlag(changes, 'feature-untagged', feature, { preData: tag });
  changes.untagFeature(name, tag);
}

export function updateTags(changes: Changes, name: string, { addedTags, removedTags }: TagUpdate): void {
  for (const tag of addedTags) tagFeature(changes, name, tag);
  for (const tag of removedTags) untagFeature(changes, name, tag);
}

function sameTag(a: Tag, b: Tag): boolean {
  return a.type === b.type && a.value === b.value;
}

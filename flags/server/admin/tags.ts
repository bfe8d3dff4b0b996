import { tagFeature, untagFeature, updateTags } from '../change/tag.ts';
import { parseTag, parseTagUpdate } from '../parse/feature.ts';
import { Problem } from '../problem.ts';
import type { Tag } from '../semantics.ts';
import type { Store } from '../store.ts';
import { bodyOf } from '../validate.ts';
import { type Admin, jsonOf } from './routes.ts';

/** The tags of a flag. */
export function addTags({ at, store, change }: Admin): void {
  const path = '/features/:feature/tags';
  at.get(path, (request, response) => {
    response.json(tagsOf(store, request.params.feature));
  });
  at.post(path, (request, response) => {
    const tag = parseTag(bodyOf(jsonOf(request)), '/body');
    const { feature } = request.params;
    change(response, (changes) => tagFeature(changes, feature, tag));
    response
      .status(201)
      .location(`${encodeURIComponent(feature)}/tags`)
      .json(tag);
  });
  at.put(path, (request, response) => {
    const update = parseTagUpdate(bodyOf(jsonOf(request)));
    const { feature } = request.params;
    change(response, (changes) => updateTags(changes, feature, update));
    response.json(tagsOf(store, feature));
  });
  at.delete(`${path}/:type/:value`, (request, response) => {
    const { feature, type, value } = request.params;
    change(response, (changes) => untagFeature(changes, feature, { type, value }));
    response.status(200).end();
  });
}

function tagsOf(store: Store, name: string) {
  if (store.feature(name) === null) {
    throw new Problem('NotFoundError', `Could not find feature with name ${name}`);
  }
  return { version: 1, tags: store.tagsOf(name).map(tagOut) };
}

/** A tag with the colour that Unleash gives those without one. */
export function tagOut({ type, value }: Tag) {
  return { type, value, color: '#FFFFFF' };
}

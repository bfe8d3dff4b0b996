import { createContextField, requireFreeFieldName } from '../change/context.ts';
import { parseContextField } from '../parse/context.ts';
import { parseName } from '../parse/feature.ts';
import { Problem } from '../problem.ts';
import { bodyOf } from '../validate.ts';
import { type Admin, jsonOf } from './routes.ts';

/** The fields that constraints and stickiness can name. */
export function addContext({ at, store, rules, change }: Admin): void {
  at.get('/context', (_request, response) => {
    const uses = store.contextUses();
    response.json(
      store.contextFields().map((field) => {
        const usedInFeatures = uses.get(field.name) ?? 0;
        return { ...field, usedInProjects: Math.min(1, usedInFeatures), usedInFeatures };
      }),
    );
  });
  at.post('/context', (request, response) => {
    const input = parseContextField(bodyOf(jsonOf(request)));
    const field = change(response, (changes) => createContextField(changes, input, rules));
    response.status(201).location(`context/${field.name}`).json(field);
  });
  at.post('/context/validate', (request, response) => {
    requireFreeFieldName(store, parseName(bodyOf(jsonOf(request))));
    response.status(200).end();
  });
  at.get('/context/:field', (request, response) => {
    const field = store.contextFields().find(({ name }) => name === request.params.field);
    if (field === undefined) throw new Problem('NotFoundError', 'Could not find context field');
    response.json(field);
  });
}

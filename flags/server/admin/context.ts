import { createContextField, requireFreeFieldName } from '../change/context.ts';
import { parseContextField } from '../parse/context.ts';
import { parseName } from '../parse/feature.ts';
import { Problem } from '../problem.ts';
import { bodyOf } from '../validate.ts';
import { type Admin, jsonOf } from './routes.ts';

/** The fields that constraints and stickiness can name. */
export function addContext({ at, store, rules, change }: Admin): void {
  at.get('/context', (_request, response) => {
    response.json(store.contextFields().map((field) => ({ ...field, usedInProjects: 0, usedInFeatures: 0 })));
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

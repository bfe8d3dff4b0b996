import { isEnvironment } from '../change/record.ts';
import {
  addStrategy,
  deleteStrategy,
  existingStrategy,
  patchStrategy,
  putStrategy,
  type SortOrder,
  sortStrategies,
} from '../change/strategy.ts';
import { parseStrategy, sortOrder } from '../parse/strategy.ts';
import { Problem } from '../problem.ts';
import { strategyOut } from '../semantics.ts';
import { bodyOf, list, need, object, requireKnownKeys, string } from '../validate.ts';
import { type Admin, jsonOf, placeOf } from './routes.ts';

/** The strategies of a flag in one environment. */
export function addStrategies({ at, store, rules, change }: Admin): void {
  const all = '/projects/:project/features/:feature/environments/:environment/strategies';
  const one = `${all}/:id`;
  at.get(all, (request, response) => {
    const { project, feature, environment } = request.params;
    if (store.feature(feature)?.project !== project || !isEnvironment(environment)) {
      throw new Problem('NotFoundError', `Feature ${feature} does not have environment ${environment}`);
    }
    const strategies = store.strategies(feature, environment);
    response.json(strategies.map((strategy) => ({ ...strategyOut(strategy), milestoneId: null })));
  });
  at.post(all, (request, response) => {
    const body = bodyOf(jsonOf(request));
    need(body, '/body', 'name', string);
    const input = parseStrategy(body);
    const place = placeOf(request.params);
    response.json(strategyOut(change(response, (changes) => addStrategy(changes, place, input, rules))));
  });
  at.post(`${all}/set-sort-order`, (request, response) => {
    const orders = list(parseSortOrder)(jsonOf(request), '/body');
    change(response, (changes) => sortStrategies(changes, placeOf(request.params), orders));
    response.status(200).end();
  });
  at.get(one, (request, response) => {
    response.json(strategyOut(existingStrategy(store, placeOf(request.params), request.params.id)));
  });
  at.put(one, (request, response) => {
    const input = parseStrategy(bodyOf(jsonOf(request)));
    const { id } = request.params;
    const place = placeOf(request.params);
    response.json(strategyOut(change(response, (changes) => putStrategy(changes, place, id, input, rules))));
  });
  at.patch(one, (request, response) => {
    const patch = jsonOf(request);
    const { id } = request.params;
    const place = placeOf(request.params);
    response.json(
      strategyOut(change(response, (changes) => patchStrategy(changes, place, id, patch, rules))),
    );
  });
  at.delete(one, (request, response) => {
    change(response, (changes) => deleteStrategy(changes, placeOf(request.params), request.params.id));
    response.status(200).end();
  });
}

function parseSortOrder(value: unknown, path: string): SortOrder {
  const body = object(value, path);
  const order = { id: need(body, path, 'id', string), sortOrder: need(body, path, 'sortOrder', sortOrder) };
  requireKnownKeys(body, path, ['id', 'sortOrder']);
  return order;
}

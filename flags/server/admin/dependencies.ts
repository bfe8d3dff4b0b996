import { addDependency, removeDependencies, removeDependency } from '../change/dependency.ts';
import { parseDependency } from '../parse/feature.ts';
import type { Dependency } from '../semantics.ts';
import { bodyOf } from '../validate.ts';
import { type Admin, jsonOf } from './routes.ts';

/** Which flag another one depends on. */
export function addDependencies({ at, change }: Admin): void {
  const path = '/projects/:project/features/:feature/dependencies';
  at.post(path, (request, response) => {
    const input = parseDependency(bodyOf(jsonOf(request)));
    const { project, feature } = request.params;
    change(response, (changes) => addDependency(changes, project, feature, input));
    response.status(200).end();
  });
  at.delete(`${path}/:parent`, (request, response) => {
    const { project, feature, parent } = request.params;
    change(response, (changes) => removeDependency(changes, project, feature, parent));
    response.status(200).end();
  });
  at.delete(path, (request, response) => {
    const { project, feature } = request.params;
    change(response, (changes) => removeDependencies(changes, project, feature));
    response.status(200).end();
  });
}

/** A dependency as the flag's own answer shows it. */
export function dependencyOut({ parent, enabled, variants }: Dependency) {
  return { feature: parent, enabled, variants };
}

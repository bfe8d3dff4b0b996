import { badData, badRule } from '../problem.ts';
import { type Constraint, type ContextField, type Limits, PROJECT } from '../semantics.ts';
import { type Body, integer, list, may, need, nullable, string, text } from '../validate.ts';
import { parseConstraint, requirePortable } from './constraint.ts';

/** A segment as a request gives it; an undefined description stays as it is. */
export interface SegmentBody {
  readonly name: string;
  readonly description: string | null | undefined;
  readonly project: string | null;
  readonly constraints: readonly Constraint[];
}

/** The body of POST and PUT by its shape. 400 with the first fault. */
export function parseSegment(body: Body): SegmentBody {
  const name = need(body, '/body', 'name', text);
  const constraints = need(body, '/body', 'constraints', list(parseConstraint));
  const description = may(body, '/body', 'description', undefined, nullable(text));
  const project = may(body, '/body', 'project', null, nullable(string));
  if (name === '') throw badData([{ message: '"name" is not allowed to be empty.' }]);
  return { name, description, project: project === '' ? null : project, constraints };
}

/** 400 when a segment says what cannot be evaluated, has too many values, or belongs to no project. */
export function requireSegment(
  { constraints, project }: SegmentBody,
  limits: Limits,
  fields: readonly ContextField[],
): void {
  requirePortable(constraints, fields);
  const values = constraints.reduce((sum, one) => sum + (one.values?.length ?? 0), 0);
  if (values > limits.segmentValuesMax) {
    throw badRule(`Segments may not have more than ${limits.segmentValuesMax} values`);
  }
  if (project !== null && project !== PROJECT) {
    throw badRule(`Could not find project with id ${project}`);
  }
}

/** Which segments a strategy is to have. */
export interface StrategySegments {
  readonly projectId: string;
  readonly strategyId: string;
  readonly environmentId: string;
  readonly segmentIds: readonly number[];
}

export function parseStrategySegments(body: Body): StrategySegments {
  return {
    projectId: need(body, '/body', 'projectId', string),
    strategyId: need(body, '/body', 'strategyId', string),
    environmentId: need(body, '/body', 'environmentId', string),
    segmentIds: need(body, '/body', 'segmentIds', list(integer(0, Number.MAX_SAFE_INTEGER))),
  };
}

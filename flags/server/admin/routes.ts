import type { Response, Router } from 'express';
import type { Place } from '../change/record.ts';
import { badRule, Problem } from '../problem.ts';
import type { Limits, Policy } from '../semantics.ts';
import type { Changes, Store } from '../store.ts';

/** What the routes of the admin API share. */
export interface Admin {
  readonly at: Router;
  readonly store: Store;
  readonly rules: { readonly limits: Limits; readonly policy: Policy };
  /** Runs one change as the holder of the request's token. */
  change<T>(response: Response, run: (changes: Changes) => T): T;
}

interface Sent {
  readonly body?: unknown;
  get(name: string): string | undefined;
  is(type: string): string | false | null;
}

/** The body of a request that must have one. 415 unless it says that it is JSON, as in Unleash. */
export function jsonOf(request: Sent): unknown {
  const type = request.get('content-type');
  // Null: a body of no bytes.
  if (type === undefined || request.is('application/json') === false) {
    const given = type ?? "you didn't provide one";
    throw new Problem(
      'ContentTypeError',
      `We do not accept the content-type you provided (${given}). Try using one of the content-types we do accept instead (application/json) and make sure the body is in the corresponding format.`,
    );
  }
  return request.body;
}

export function placeOf({ project, feature, environment }: Place): Place {
  return { project, feature, environment };
}

/** The value of a query parameter; null when it is absent. 400 when it is nested or repeated. */
export function parameter(query: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = query[name];
  if (value === undefined) return null;
  if (typeof value !== 'string') throw badRule(`the query parameter ${name} is not usable`);
  return value;
}

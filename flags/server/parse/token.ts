import { badData, badRule, Problem } from '../problem.ts';
import { ENVIRONMENTS, PROJECT } from '../semantics.ts';
import { type Body, list, may, need, type Parse, string, text, wrong } from '../validate.ts';

/** A token to be made. */
export interface NewToken {
  readonly tokenName: string;
  /** Two names of the same: a token that SDKs on servers use. */
  readonly type: 'client' | 'backend';
  readonly project: string;
  readonly environment: string;
  readonly expiresAt: string | null;
}

const TYPE = '^([Cc][Ll][Ii][Ee][Nn][Tt]|[Bb][Aa][Cc][Kk][Ee][Nn][Dd]|[Ff][Rr][Oo][Nn][Tt][Ee][Nn][Dd])$';
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:?\d{2})$/;
/** Unleash checks the body against a list of one schema, and says so. */
const ONE_OF = {
  path: '/body',
  message:
    'The "/body" property must match exactly one schema in oneOf. The data you provided matches more than one option in the schema. These options are mutually exclusive. Please refer back to the schema and remove any excess properties.',
};

/** The body of a request for a token. 400 for an admin token: those are configured, never made by a call. */
export function parseToken(body: Body): NewToken {
  const shape = shapeOf(body);
  const { tokenName, type, environment, projects, expiresAt } = shape;
  for (const [name, value] of [
    ['tokenName', tokenName],
    ['environment', environment],
  ] as const) {
    if (value === '') throw badData([{ message: `"${name}" is not allowed to be empty.` }]);
  }
  if (projects.length === 0) {
    throw badData([{ message: '"projects" must contain at least 1 items. You provided [].' }]);
  }
  if (type === 'frontend') throw badRule('Frontend tokens are not supported: there is no frontend API');
  if (environment === '*') throw badRule('Client token cannot be scoped to all environments');
  if (!ENVIRONMENTS.some(({ name }) => name === environment)) {
    throw badRule(`Environment=${environment.slice(0, 100)} does not exist`);
  }
  return { tokenName, type, environment, project: projectOf(projects), expiresAt };
}

/** When a token is to expire from now on, as ISO time. */
export function parseExpiry(body: Body): string {
  return need(body, '/body', 'expiresAt', dateTime);
}

function shapeOf(body: Body) {
  try {
    return {
      tokenName: need(body, '/body', 'tokenName', text),
      type: need(body, '/body', 'type', tokenType),
      environment: may(body, '/body', 'environment', 'development', string),
      projects: may(body, '/body', 'projects', ['*'], list(string)),
      expiresAt: may(body, '/body', 'expiresAt', null, dateTime),
    };
  } catch (error) {
    throw error instanceof Problem ? badData([...error.body.details, ONE_OF]) : error;
  }
}

function tokenType(value: unknown, path: string): 'client' | 'backend' | 'frontend' {
  const known = (['client', 'backend', 'frontend'] as const).find(
    (type) => type === string(value, path).toLowerCase(),
  );
  if (known === undefined) throw wrong(path, `must match pattern "${TYPE}"`, value);
  return known;
}

const dateTime: Parse<string> = (value, path) => {
  const time = DATE_TIME.test(string(value, path)) ? Date.parse(string(value, path)) : Number.NaN;
  if (Number.isNaN(time)) throw wrong(path, 'must match format "date-time"', value);
  return new Date(time).toISOString();
};

function projectOf(projects: readonly string[]): string {
  if (projects.includes('*')) return '*';
  const unknown = projects.find((project) => project !== PROJECT);
  if (unknown !== undefined) throw badRule(`Project=${unknown.slice(0, 100)} does not exist`);
  return PROJECT;
}

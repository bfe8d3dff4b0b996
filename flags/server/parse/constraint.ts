import { badData, badRule, exceeds } from '../problem.ts';
import type { Constraint, ContextField, Limits } from '../semantics.ts';
import {
  boolean,
  list,
  may,
  need,
  object,
  oneOf,
  requireKnownKeys,
  shown,
  string,
  text,
} from '../validate.ts';

/** Operators that every SDK of the portable set evaluates alike. */
const OPERATORS = [
  'NOT_IN',
  'IN',
  'STR_ENDS_WITH',
  'STR_STARTS_WITH',
  'STR_CONTAINS',
  'NUM_EQ',
  'NUM_GT',
  'NUM_GTE',
  'NUM_LT',
  'NUM_LTE',
  'DATE_AFTER',
  'DATE_BEFORE',
  'SEMVER_EQ',
  'SEMVER_GT',
  'SEMVER_LT',
  'REGEX',
] as const;
const KEYS = ['contextName', 'operator', 'values', 'value', 'inverted', 'caseInsensitive'];
const VALUE_CHARS_MAX = 100;
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const SEMVER = /^\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;
/** What RE2 has no linear-time form for: look-around and back-references. */
const NOT_RE2 = /\(\?(?:[=!]|<[=!])|\\[1-9]|\\k</;

/** One constraint by its shape alone; `values` is always there, for old SDKs. */
export function parseConstraint(value: unknown, path: string): Constraint {
  const body = object(value, path);
  const contextName = need(body, path, 'contextName', text);
  const operator = need(body, path, 'operator', oneOf(OPERATORS));
  requireKnownKeys(body, path, KEYS);
  const single = may(body, path, 'value', undefined, text);
  const inverted = may(body, path, 'inverted', undefined, boolean);
  const caseInsensitive = may(body, path, 'caseInsensitive', undefined, boolean);
  return {
    contextName,
    operator,
    values: may(body, path, 'values', [], list(string)),
    ...(single === undefined ? {} : { value: single }),
    ...(inverted === undefined ? {} : { inverted }),
    ...(caseInsensitive === undefined ? {} : { caseInsensitive }),
  };
}

/**
 * 400 when a strategy has more constraints, or one of them more values, than there may be. What was stored with
 * more, from an import, may stay as it is.
 */
export function requireConstraintLimits(
  constraints: readonly Constraint[],
  stored: readonly Constraint[],
  limits: Limits,
): void {
  if (constraints.length > limits.constraintsMax && constraints.length > stored.length) {
    throw exceeds('constraints', limits.constraintsMax);
  }
  for (const [index, { values = [], contextName }] of constraints.entries()) {
    const before = stored[index]?.values?.length ?? 0;
    const kept = constraints.length === stored.length && before >= values.length;
    if (values.length > limits.constraintValuesMax && !kept) {
      throw exceeds(`constraint values for ${contextName}`, limits.constraintValuesMax);
    }
  }
}

/** 400 when a constraint says what no SDK, or not each SDK alike, can evaluate. */
export function requirePortable(constraints: readonly Constraint[], fields: readonly ContextField[]): void {
  for (const constraint of constraints) {
    requireShape(constraint);
    requireOperand(constraint);
    requireLegal(constraint, fields);
  }
}

function requireShape({ contextName, values = [] }: Constraint): void {
  if (contextName === '') throw badData([{ message: '"contextName" is not allowed to be empty.' }]);
  for (const [index, value] of values.entries()) {
    if (value === '') throw badData([{ message: `"values[${index}]" is not allowed to be empty.` }]);
    if (value.length > VALUE_CHARS_MAX) {
      throw badData([
        {
          message: `"values[${index}]" length must be less than or equal to ${VALUE_CHARS_MAX} characters long. You provided ${shown(value)}.`,
        },
      ]);
    }
  }
}

function requireOperand({ operator, values = [], value, inverted = false }: Constraint): void {
  if (operator.startsWith('NUM_')) {
    requireValue(value, 'a number', (one) => NUMBER.test(one) && Number.isFinite(Number(one)));
  } else if (operator.startsWith('DATE_')) {
    requireValue(value, 'a valid date', (one) => !Number.isNaN(Date.parse(one)));
  } else if (operator.startsWith('SEMVER_')) {
    requireVersion(value);
  } else if (operator === 'REGEX') {
    requireExpression(value, inverted);
  } else if (operator !== 'NOT_IN' && values.length === 0) {
    throw badData([{ message: '"value" must contain at least 1 items. You provided [].' }]);
  }
}

function requireValue(value: string | undefined, what: string, holds: (value: string) => boolean): void {
  if (value === undefined) throw badData([{ message: '"value" is required.' }]);
  if (!holds(value)) throw badData([{ message: `"value" must be ${what}. You provided ${shown(value)}.` }]);
}

function requireVersion(value: string | undefined): void {
  if (value === undefined) throw badRule('the provided value is not a string.');
  if (SEMVER.test(value)) return;
  throw badRule(`the provided value is not a valid semver format. The value provided was: ${value}`);
}

function requireExpression(value: string | undefined, inverted: boolean): void {
  if (value === undefined || !isRe2(value)) throw badRule('the provided value is not a valid regex string.');
  if (inverted) throw badRule('REGEX operator cannot be inverted.');
}

function isRe2(source: string): boolean {
  if (source === '' || NOT_RE2.test(source)) return false;
  try {
    return new RegExp(source) !== null;
  } catch {
    // Whatever JavaScript cannot parse, RE2 cannot either.
    return false;
  }
}

/** A context field may say which values it has. */
function requireLegal(
  { contextName, operator, values = [], value = '' }: Constraint,
  fields: readonly ContextField[],
): void {
  const legal = fields.find(({ name }) => name === contextName)?.legalValues ?? [];
  if (legal.length === 0) return;
  const known = new Set(legal.map((one) => one.value));
  if (/^(?:IN|NOT_IN|STR_.+)$/.test(operator)) {
    if (values.every((one) => known.has(one))) return;
    throw badRule('input values are not specified as a legal value on this context field');
  }
  if (!known.has(value)) {
    throw badRule(`${value} is not specified as a legal value on this context field`);
  }
}

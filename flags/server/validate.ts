import { badData, badRule, type Detail, exceeds, Problem } from './problem.ts';
import {
  type Constraint,
  FEATURE_TYPES,
  type LegalValue,
  type Limits,
  STRATEGY_NAMES,
  type Strategy,
} from './semantics.ts';

/** An object from outside; its values are still unknown. */
export type Body = Readonly<Record<string, unknown>>;

const TEXT_CHARS_MAX = 1000;
const LEGAL_VALUES_MAX = 250;

export interface NewFeature {
  readonly name: string;
  readonly type: string;
  readonly description: string | null;
  readonly impressionData: boolean;
}

export interface NewContextField {
  readonly name: string;
  readonly description: string | null;
  readonly stickiness: boolean;
  readonly sortOrder: number;
  readonly legalValues: readonly LegalValue[];
}

export type StrategyInput = Omit<Strategy, 'id' | 'sortOrder'> & { readonly sortOrder: number | null };

/** The body of a request as an object; an absent one is empty. 400 for an array or a scalar. */
export function bodyOf(body: unknown): Body {
  if (body === undefined) return {};
  if (!isBody(body)) {
    throw badData([{ message: 'The `/body` property must be an object.', path: '/body' }]);
  }
  return body;
}

/** A flag to be created: 400 with every fault. Names are URL-friendly, 1-100 characters. */
export function parseFeature(body: Body): NewFeature {
  const { name, type = 'release', description = null, impressionData = false } = body;
  if (name === undefined) throw badData([required('name')]);
  const faults: Detail[] = nameFaults(name);
  if (typeof type !== 'string' || !FEATURE_TYPES.has(type)) {
    faults.push({ message: `"type" must be one of ${[...FEATURE_TYPES].join(', ')}`, path: '/body/type' });
  }
  if (!isText(description)) faults.push(mustBe('description', 'a string or null'));
  if (typeof impressionData !== 'boolean') faults.push(mustBe('impressionData', 'a boolean'));
  if (
    faults.length > 0 ||
    typeof name !== 'string' ||
    typeof type !== 'string' ||
    !isText(description) ||
    typeof impressionData !== 'boolean'
  ) {
    throw badData(faults);
  }
  return { name, type, description, impressionData };
}

/** A context field to be created: 400 with every fault. */
export function parseContextField(body: Body): NewContextField {
  const { name, description = null, stickiness = false, sortOrder = 0, legalValues = [] } = body;
  if (name === undefined) throw badData([required('name')]);
  const faults: Detail[] = nameFaults(name);
  if (!isText(description)) faults.push(mustBe('description', 'a string or null'));
  if (typeof stickiness !== 'boolean') faults.push(mustBe('stickiness', 'a boolean'));
  if (typeof sortOrder !== 'number' || !Number.isInteger(sortOrder)) {
    faults.push(mustBe('sortOrder', 'an integer'));
  }
  if (!isLegalValues(legalValues)) {
    faults.push(mustBe('legalValues', `at most ${LEGAL_VALUES_MAX} objects with a \`value\``));
  }
  if (
    faults.length > 0 ||
    typeof name !== 'string' ||
    !isText(description) ||
    typeof stickiness !== 'boolean' ||
    typeof sortOrder !== 'number' ||
    !isLegalValues(legalValues)
  ) {
    throw badData(faults);
  }
  return { name, description, stickiness, sortOrder, legalValues };
}

/**
 * A strategy as POST, PUT and a patched document give it: 400 with every fault. A `flexibleRollout` names its
 * rollout (whole percent), stickiness and groupId itself: what would be filled in moves users.
 */
export function parseStrategy(body: Body, limits: Limits): StrategyInput {
  const { name, title = null, disabled = false, sortOrder = null } = body;
  const { parameters = {}, constraints = [], variants = [], segments = [] } = body;
  if (name === undefined) throw badData([required('name')]);
  if (typeof name !== 'string' || !STRATEGY_NAMES.has(name)) {
    throw badRule(`Could not find strategy type with name ${String(name)}`);
  }
  const faults: Detail[] = [];
  if (!isText(title)) faults.push(mustBe('title', 'a string or null'));
  if (typeof disabled !== 'boolean') faults.push(mustBe('disabled', 'a boolean'));
  if (!isOrder(sortOrder)) faults.push(mustBe('sortOrder', 'a non-negative integer'));
  if (!isParameters(parameters)) faults.push(mustBe('parameters', 'an object of strings'));
  else if (name === 'flexibleRollout') faults.push(...rolloutFaults(parameters));
  if (!Array.isArray(constraints)) faults.push(mustBe('constraints', 'an array'));
  else if (constraints.length > limits.constraintsMax) throw exceeds('constraints', limits.constraintsMax);
  else faults.push(...constraints.flatMap((constraint) => constraintFaults(constraint, limits)));
  if (!isEmptyList(variants)) faults.push(mustBe('variants', 'empty: strategy variants are not supported'));
  if (faults.length > 0) throw badData(faults);
  if (!isEmptyList(segments))
    throw new Problem('NotFoundError', 'Could not find the segments of the strategy');
  if (!isText(title) || typeof disabled !== 'boolean' || !isOrder(sortOrder) || !isParameters(parameters)) {
    throw badData(faults);
  }
  return {
    name,
    title,
    disabled,
    sortOrder,
    parameters,
    constraints: listOf(constraints, isConstraint),
    variants: [],
    segments: [],
    overlay: null,
  };
}

/** 400 when `appName` is missing; all that register and metrics insist on. */
export function requireAppName(body: Body): void {
  const { appName } = body;
  if (appName === undefined) throw badData([required('appName')]);
  if (typeof appName !== 'string' || appName === '') throw badData([mustBe('appName', 'a string')]);
}

function nameFaults(name: unknown): Detail[] {
  if (typeof name !== 'string') return [mustBe('name', 'a string')];
  if (name === '') return [{ message: '"name" is not allowed to be empty' }];
  // Two names that a URL would resolve away could never be reached again.
  if (!name.isWellFormed() || encodeURIComponent(name) !== name || name === '.' || name === '..') {
    return [{ message: `"name" must be URL friendly. You provided "${name.slice(0, 100)}".` }];
  }
  return name.length > 100
    ? [{ message: '"name" length must be less than or equal to 100 characters long' }]
    : [];
}

function rolloutFaults(parameters: Readonly<Record<string, string>>): Detail[] {
  const { rollout, stickiness, groupId } = parameters;
  const faults: Detail[] = [];
  if (rollout === undefined || !/^(?:0|[1-9][0-9]?|100)$/.test(rollout)) {
    faults.push(mustBe('parameters/rollout', 'a whole percent from "0" to "100"'));
  }
  if (stickiness === undefined || stickiness === '') faults.push(mustBe('parameters/stickiness', 'given'));
  if (groupId === undefined || groupId === '') faults.push(mustBe('parameters/groupId', 'given'));
  return faults;
}

const LIST_OPERATORS: ReadonlySet<string> = new Set([
  'IN',
  'NOT_IN',
  'STR_CONTAINS',
  'STR_STARTS_WITH',
  'STR_ENDS_WITH',
]);
const NUMBER = /^NUM_(?:EQ|GT|GTE|LT|LTE)$/;
const DATE = /^DATE_(?:AFTER|BEFORE)$/;
const SEMVER = /^SEMVER_(?:EQ|GT|LT)$/;
const SEMVER_VALUE = /^\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;
/** What RE2 has no linear-time form for: look-around and back-references. */
const NOT_RE2 = /\(\?(?:[=!]|<[=!])|\\[1-9]|\\k</;

/** Operators that every SDK of the portable set evaluates alike. */
function constraintFaults(constraint: unknown, limits: Limits): Detail[] {
  if (!isConstraint(constraint)) {
    return [mustBe('constraints', 'objects with contextName, operator, and values or value')];
  }
  const { operator, values = [], value = '', inverted = false } = constraint;
  if (values.length > limits.constraintValuesMax) {
    throw exceeds('constraint values', limits.constraintValuesMax);
  }
  const fault = (text: string) => [{ message: `constraint ${operator}: ${text}`, path: '/body/constraints' }];
  if (LIST_OPERATORS.has(operator)) {
    const needsValue = operator !== 'NOT_IN';
    return needsValue && values.length === 0 ? fault('needs at least one value') : [];
  }
  if (NUMBER.test(operator)) {
    return value.trim() !== '' && Number.isFinite(Number(value)) ? [] : fault('needs a number');
  }
  if (DATE.test(operator)) return Number.isNaN(Date.parse(value)) ? fault('needs a date') : [];
  if (SEMVER.test(operator)) return SEMVER_VALUE.test(value) ? [] : fault('needs a version without "v"');
  if (operator === 'REGEX') {
    if (inverted) return fault('cannot be inverted');
    return isRe2(value) ? [] : fault('needs an RE2 expression');
  }
  return fault('is not an operator');
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

function isConstraint(value: unknown): value is Constraint {
  if (!isBody(value)) return false;
  const { contextName, operator, values, value: single, inverted, caseInsensitive } = value;
  return (
    typeof contextName === 'string' &&
    contextName !== '' &&
    typeof operator === 'string' &&
    (values === undefined || (Array.isArray(values) && values.every((item) => isShortText(item)))) &&
    (single === undefined || isShortText(single)) &&
    (inverted === undefined || typeof inverted === 'boolean') &&
    (caseInsensitive === undefined || typeof caseInsensitive === 'boolean')
  );
}

function isLegalValues(value: unknown): value is readonly LegalValue[] {
  return (
    Array.isArray(value) &&
    value.length <= LEGAL_VALUES_MAX &&
    value.every((item: unknown) => {
      if (!isBody(item)) return false;
      const { value: text, description } = item;
      return isShortText(text) && (description === undefined || isShortText(description));
    })
  );
}

function isParameters(value: unknown): value is Readonly<Record<string, string>> {
  return isBody(value) && Object.values(value).every((item) => typeof item === 'string');
}

function isText(value: unknown): value is string | null {
  return value === null || isShortText(value);
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TEXT_CHARS_MAX;
}

function isOrder(value: unknown): value is number | null {
  return value === null || (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0);
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function isBody(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf<T>(value: unknown, is: (item: unknown) => item is T): readonly T[] {
  return Array.isArray(value) ? value.filter(is) : [];
}

function required(name: string): Detail {
  return {
    path: `/body/${name}`,
    message: `The \`/body/${name}\` property is required. It was not present on the data you sent.`,
  };
}

function mustBe(name: string, what: string): Detail {
  return { path: `/body/${name}`, message: `The \`/body/${name}\` property must be ${what}.` };
}

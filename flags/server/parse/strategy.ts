import { badData, badRule } from '../problem.ts';
import {
  type Constraint,
  type ContextField,
  type Limits,
  type Policy,
  STRATEGY_NAMES,
  type Strategy,
  type Variant,
} from '../semantics.ts';
import {
  type Body,
  boolean,
  list,
  may,
  nullable,
  object,
  requireKnownKeys,
  string,
  text,
  wholeNumber,
  wrong,
} from '../validate.ts';
import { parseConstraint, requireConstraintLimits, requirePortable } from './constraint.ts';
import { parseVariants, settleVariants } from './variant.ts';

/** Highest order that a database of Unleash takes. */
const ORDER_MAX = 2 ** 31 - 1;
/** What the document that a patch leaves may have. */
const KEYS = [
  'id',
  'name',
  'title',
  'disabled',
  'featureName',
  'sortOrder',
  'segments',
  'constraints',
  'variants',
  'parameters',
];

type Parameters = Readonly<Record<string, string>>;

/** A strategy as a request gives it, by its shape alone; undefined is what it leaves out. */
export interface StrategyBody {
  readonly name: string | undefined;
  readonly title: string | null;
  readonly disabled: boolean | null;
  readonly sortOrder: number | null;
  readonly parameters: Parameters;
  readonly constraints: readonly Constraint[];
  readonly variants: readonly Variant[];
  readonly segments: readonly number[] | undefined;
}

/** What a strategy is measured by. */
export interface StrategyRules {
  readonly limits: Limits;
  readonly policy: Policy;
  readonly fields: readonly ContextField[];
  /** Name of the flag. */
  readonly feature: string;
}

export const sortOrder = wholeNumber(0, ORDER_MAX);
const segmentIds = list(wholeNumber(0, Number.MAX_SAFE_INTEGER));

/** The body of POST and PUT. 400 with the first fault. */
export function parseStrategy(body: Body, path = '/body'): StrategyBody {
  return {
    name: may(body, path, 'name', undefined, string),
    title: may(body, path, 'title', null, nullable(text)),
    disabled: may(body, path, 'disabled', null, nullable(boolean)),
    sortOrder: may(body, path, 'sortOrder', null, sortOrder),
    parameters: may(body, path, 'parameters', {}, parseParameters),
    constraints: may(body, path, 'constraints', [], list(parseConstraint)),
    variants: may(body, path, 'variants', [], parseVariants),
    segments: may(body, path, 'segments', undefined, segmentIds),
  };
}

/** The document that a patch leaves. 400 for keys that a strategy has not. */
export function parsePatchedStrategy(document: Body): StrategyBody {
  requireKnownKeys(document, '', KEYS);
  return parseStrategy(document, '');
}

function parseParameters(value: unknown, path: string): Parameters {
  const entries = Object.entries(object(value, path));
  return Object.fromEntries(entries.map(([name, one]) => [name, string(one, `${path}/${name}`)]));
}

/** 400 when there is no such type of strategy. */
export function requireStrategyType(name: string): void {
  if (!STRATEGY_NAMES.has(name)) throw badRule(`Could not find strategy type with name ${name}`);
}

/** What is stored of constraints, parameters and variants. 400 with the first rule that does not hold. */
export function settleStrategy(
  name: string,
  { parameters, constraints, variants }: StrategyBody,
  stored: Strategy | null,
  { limits, policy, fields, feature }: StrategyRules,
): Pick<Strategy, 'parameters' | 'constraints' | 'variants'> {
  requireConstraintLimits(constraints, stored?.constraints ?? [], limits);
  requirePortable(constraints, fields);
  return {
    constraints,
    parameters: name === 'flexibleRollout' ? settleRollout(parameters, policy, feature) : parameters,
    variants: settleVariants(variants),
  };
}

/**
 * A `flexibleRollout` names its rollout (whole percent), stickiness and groupId itself: what Unleash would fill in
 * moves users, and what it takes for a rollout may reach nobody.
 */
function settleRollout(parameters: Parameters, policy: Policy, feature: string): Parameters {
  const { rollout, stickiness, groupId } = parameters;
  if (policy === 'unleash') {
    return {
      ...parameters,
      rollout: rollout ?? '100',
      stickiness: stickiness === undefined || stickiness === '' ? 'default' : stickiness,
      groupId: groupId ?? feature,
    };
  }
  for (const name of ['rollout', 'stickiness', 'groupId']) {
    if (!Object.hasOwn(parameters, name) || parameters[name] === '') {
      const path = `/body/parameters/${name}`;
      throw badData([
        { path, message: `The \`${path}\` property is required: what would be filled in moves users.` },
      ]);
    }
  }
  if (rollout === undefined || !/^(?:0|[1-9][0-9]?|100)$/.test(rollout)) {
    throw wrong('/body/parameters/rollout', 'must be a whole percent from "0" to "100"', rollout);
  }
  return parameters;
}

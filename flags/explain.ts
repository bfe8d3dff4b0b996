import { type Context, Strategy, Unleash, UnleashEvents } from 'unleash-client';
import type { FlagExplained, StrategyExplained } from '../router/core/flags.ts';
import { murmur3 } from '../router/core/hash.ts';
import type { Answer } from '../router/core/types.ts';
import { constraintText, dependencyText } from './admin/words.ts';
import { createTable, type Definition, type FlagTable } from './table.ts';

type Segments = FlagTable['segments'];
type StrategyDefinition = NonNullable<Definition['strategies']>[number];
type Dependency = NonNullable<Definition['dependencies']>[number];
type Constraint = Parameters<Strategy['checkConstraint']>[0];

/** What a strategy or a parent gave, in words. */
interface Verdict {
  readonly answer: Answer;
  readonly why: string;
}

/** The SDK's own strategies; one of another name never switches anybody on. */
const STRATEGIES: ReadonlySet<string> = new Set([
  'default',
  'applicationHostname',
  'gradualRolloutRandom',
  'gradualRolloutUserId',
  'gradualRolloutSessionId',
  'userWithId',
  'remoteAddress',
  'flexibleRollout',
]);
/** Characters of a context value that are shown. */
const VALUE_CHARS_MAX = 64;
const CHANCE = 'chance decides at each request';
const constraints = new Strategy('constraints');

/**
 * What unleash-client 6.12.1 makes of a flag, step by step and in its order. `context` is complete: with `appName` and
 * `environment`. `lookup` gives parents. `unknown` where the SDK draws a number at each call, and where it throws.
 */
export function explainFlag(
  definition: Definition,
  segments: Segments,
  context: Context,
  lookup: (name: string) => Definition | undefined,
): FlagExplained {
  try {
    return evaluated(definition, segments, context, lookup);
  } catch (error) {
    const why = `the SDK fails on it (${error instanceof Error ? error.name : 'unknown'})`;
    return { name: definition.name, answer: 'unknown', why, strategies: [] };
  }
}

/** Throws where the SDK throws. */
function evaluated(
  definition: Definition,
  segments: Segments,
  context: Context,
  lookup: (name: string) => Definition | undefined,
): FlagExplained {
  const { name, enabled, strategies } = definition;
  const decided = (answer: Answer, why: string): FlagExplained => ({ name, answer, why, strategies: [] });
  const parent = parentsOf(definition, segments, context, lookup);
  if (parent.answer !== 'on') return decided(parent.answer, parent.why);
  if (!enabled) return decided('off', 'it is switched off');
  if (!Array.isArray(strategies)) return decided('off', 'its strategies cannot be read');
  if (strategies.length === 0) return decided('on', 'it is switched on without a strategy: for everybody');
  return { name, why: null, ...anyOf(strategies, segments, context) };
}

/** The first strategy that is on decides; those after it are not asked. */
function anyOf(
  strategies: readonly StrategyDefinition[],
  segments: Segments,
  context: Context,
): Pick<FlagExplained, 'answer' | 'strategies'> {
  const asked: StrategyExplained[] = [];
  for (const [index, strategy] of strategies.entries()) {
    const verdict = strategyVerdict(strategy, segments, context);
    asked.push({ number: index + 1, name: strategy.name, ...verdict });
    if (verdict.answer === 'on') break;
  }
  const answers = asked.map(({ answer }) => answer);
  const answer = answers.includes('on') ? 'on' : answers.includes('unknown') ? 'unknown' : 'off';
  return { answer, strategies: asked };
}

function parentsOf(
  { dependencies = [] }: Definition,
  segments: Segments,
  context: Context,
  lookup: (name: string) => Definition | undefined,
): Verdict {
  let verdict: Verdict = { answer: 'on', why: 'no parent' };
  for (const dependency of dependencies) {
    const next = parentVerdict(dependency, segments, context, lookup);
    if (next.answer === 'off') return next;
    if (next.answer === 'unknown') verdict = next;
  }
  return verdict;
}

function parentVerdict(
  dependency: Dependency,
  segments: Segments,
  context: Context,
  lookup: (name: string) => Definition | undefined,
): Verdict {
  const { feature, enabled, variants = [] } = dependency;
  const wanted = `parent flag ${dependencyText({ ...dependency })}`;
  const parent = lookup(feature);
  if (parent === undefined) return { answer: 'off', why: `${wanted}: there is no such flag here` };
  if (parent.dependencies !== undefined && parent.dependencies.length > 0)
    return { answer: 'off', why: `${wanted}: it has a parent itself` };
  const { answer } = evaluated(parent, segments, context, lookup);
  if (answer === 'unknown') return { answer, why: `${wanted}: ${CHANCE}` };
  if (enabled !== false && variants.length > 0) {
    const given = withSdk([parent], segments, (sdk) => sdk.getVariant(feature, context));
    const isIn = given.feature_enabled === true && variants.includes(given.name);
    return { answer: isIn ? 'on' : 'off', why: `${wanted}: it is ${answer}, variant ${given.name}` };
  }
  const holds = (answer === 'on') === (enabled !== false);
  return { answer: holds ? 'on' : 'off', why: `${wanted}: it is ${answer}` };
}

function strategyVerdict(strategy: StrategyDefinition, segments: Segments, context: Context): Verdict {
  if (!STRATEGIES.has(strategy.name)) return { answer: 'off', why: 'the SDK has no such strategy' };
  const failed = failedCondition(strategy, segments, context);
  if (failed !== null) return { answer: 'off', why: failed };
  if (strategy.name === 'flexibleRollout') return rolloutVerdict(strategy, context);
  if (strategy.name === 'gradualRolloutRandom' && isBetween(Number(strategy.parameters['percentage'])))
    return { answer: 'unknown', why: CHANCE };
  const { name, parameters } = strategy;
  const alone = { name: 'alone', enabled: true, strategies: [{ name, parameters, constraints: [] }] };
  const on = withSdk([alone], [], (sdk) => sdk.isEnabled(alone.name, context));
  return { answer: on ? 'on' : 'off', why: name === 'default' ? 'everybody' : parametersText(parameters) };
}

/** The first constraint, or constraint of a segment, that does not hold; null when all do. */
function failedCondition(strategy: StrategyDefinition, segments: Segments, context: Context): string | null {
  const own = failedConstraint(strategy.constraints ?? [], context);
  if (own !== null) return own;
  for (const id of strategy.segments ?? []) {
    const segment = segments.find((one) => one.id === id);
    if (segment === undefined) return `segment ${id}: there is no such segment`;
    const inside = failedConstraint(segment.constraints ?? [], context);
    if (inside !== null) return `segment ${id}: ${inside}`;
  }
  return null;
}

function failedConstraint(list: readonly (Constraint | null)[], context: Context): string | null {
  for (const one of list) {
    if (!one) return 'a constraint that cannot be read';
    if (!constraints.checkConstraint(one, context)) return `constraint ${failedText(one, context)}`;
  }
  return null;
}

function failedText(constraint: Constraint, context: Context): string {
  const { contextName, operator } = constraint;
  const text = constraintText(constraint);
  if (operator === 'DATE_AFTER' || operator === 'DATE_BEFORE') return text;
  const value = contextValue(context, contextName);
  return `${text}: ${contextName} is ${value === null ? 'missing' : JSON.stringify(value.slice(0, VALUE_CHARS_MAX))}`;
}

function rolloutVerdict({ parameters }: StrategyDefinition, context: Context): Verdict {
  const { groupId, stickiness, rollout } = parameters;
  const seed = String(groupId || context['featureToggle'] || '');
  const share = Number(rollout);
  const field = String(stickiness || 'default');
  const id = stickyId(field, context);
  if (id === 'chance') {
    if (isBetween(share))
      return { answer: 'unknown', why: `stickiness ${field}, rollout ${share}: ${CHANCE}` };
    return { answer: share >= 100 ? 'on' : 'off', why: `rollout ${String(rollout)}` };
  }
  if (id === null) return { answer: 'off', why: `sticky field ${field} is missing` };
  const bucket = (murmur3(`${seed}:${id}`, 0) % 100) + 1;
  const where = seed === '' ? '' : ` for ${seed}`;
  return {
    answer: share > 0 && bucket <= share ? 'on' : 'off',
    why: `bucket ${bucket} of 100${where}, rollout ${String(rollout)}`,
  };
}

/** Null: missing. `chance`: the SDK draws one at each call. */
function stickyId(field: string, context: Context): string | null {
  if (field === 'random') return 'chance';
  if (field === 'default') return context.userId || context.sessionId || 'chance';
  return contextValue(context, field) || null;
}

/** As the SDK resolves it: a field of the context, else one of its properties. */
function contextValue(context: Context, field: string): string | null {
  const value = context[field] ?? context.properties?.[field];
  return value === undefined || value === null ? null : String(value);
}

function parametersText(parameters: Readonly<Record<string, unknown>>): string {
  return Object.entries(parameters ?? {})
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
}

function isBetween(percent: number): boolean {
  return percent > 0 && percent < 100;
}

/** Asks the SDK itself about a table of a few flags. */
function withSdk<T>(features: readonly Definition[], segments: Segments, ask: (sdk: Unleash) => T): T {
  const table = createTable();
  const sdk = new Unleash({
    appName: 'explain',
    url: 'http://local.invalid/api/',
    repository: table,
    disableAutoStart: true,
    disableMetrics: true,
    skipInstanceCountWarning: true,
  });
  sdk.on(UnleashEvents.Error, () => undefined);
  try {
    table.swap({ features, segments });
    return ask(sdk);
  } finally {
    sdk.destroy();
  }
}

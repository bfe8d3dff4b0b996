/** Rules as data: checked, compiled to a tree of paths, looked up while answers are walked. */
import type { CompareRule } from '../types.ts';
import { ACTIONS, type Action, type Parameters } from './actions.ts';
import { daysSinceEpoch, parseTime } from './instant.ts';
import { emptyRuleNode, insertRule, type Rule, type RuleNode } from './rule.ts';
import { parseRulePath, type RuleSegment } from './trail.ts';

export interface RuleFault {
  /** `rules[2].regex` */
  readonly path: string;
  readonly text: string;
}

export interface RuleSet {
  readonly root: RuleNode;
  /** Some rule can refuse values that are equal by default: no short cut over equal parts. */
  readonly strict: boolean;
}

export interface RuleScope {
  /** Label of the route, or null: rules for certain routes do not apply. */
  readonly route: string | null;
  /** Legacy's status. */
  readonly status: number;
  /** ISO date of today, `2026-12-31`; a rule applies up to and including its `expires`. Null: no rule expires. */
  readonly today: string | null;
}

const COMMON = ['path', 'action', 'owner', 'reason', 'ticket', 'expires', 'routes', 'statuses'];
/** Longest time a rule may live before somebody looks at it again. */
const LIFE_DAYS_MAX = 90;
/** Rules of one list. */
const RULES_MAX = 500;
const PATH_LENGTH_MAX = 1_000;
/** Characters of one rule as JSON. */
const RULE_LENGTH_MAX = 8_192;

/**
 * Every fault of a list of rules, in order; empty when it can be compiled. With `today` (ISO date) the paperwork is
 * checked too: owner, reason and an expiry at most 90 days away. An expired rule is no fault: it has stopped.
 */
export function checkRules(rules: readonly unknown[], today: string | null): readonly RuleFault[] {
  if (rules.length > RULES_MAX) return [{ path: 'rules', text: `at most ${RULES_MAX} rules` }];
  return rules.flatMap((rule, index) => {
    const faults = isParameters(rule) ? checkRule(rule, today) : [{ path: '', text: 'must be an object' }];
    if (faults.length === 0 && JSON.stringify(rule).length > RULE_LENGTH_MAX)
      faults.push({ path: '', text: `must take at most ${RULE_LENGTH_MAX} characters as JSON` });
    return faults.map(({ path, text }) => ({
      path: `rules[${index}]${path === '' ? '' : `.${path}`}`,
      text,
    }));
  });
}

function checkRule(rule: Parameters, today: string | null): RuleFault[] {
  const faults = [...checkScope(rule), ...(today === null ? [] : checkPaperwork(rule, today))];
  const { action: name } = rule;
  const action = ACTIONS.get(String(name));
  if (action === undefined) {
    const known = [...ACTIONS.keys()].join(', ');
    return [...faults, { path: 'action', text: `unknown action ${JSON.stringify(name)}; known: ${known}` }];
  }
  return [...faults, ...checkReach(rule, action), ...checkParameters(rule, action)];
}

function checkScope(rule: Parameters): RuleFault[] {
  const faults: RuleFault[] = [];
  const { path, routes, statuses } = rule;
  if (typeof path === 'string' && path.length > PATH_LENGTH_MAX) {
    faults.push({ path: 'path', text: `must have at most ${PATH_LENGTH_MAX} characters` });
  } else if (typeof path !== 'string' || parseRulePath(path) === null) {
    const text = 'must be a pointer below /body, /headers, /status or /exchange (~0 ~1 ~2 escape ~ / *)';
    faults.push({ path: 'path', text });
  }
  if (routes !== undefined && !isListOf(routes, 'string')) {
    faults.push({ path: 'routes', text: 'must list route labels' });
  }
  if (statuses !== undefined && !(isListOf(statuses, 'number') && statuses.every(isStatus))) {
    faults.push({ path: 'statuses', text: 'must list status codes, 100 to 599' });
  }
  return faults;
}

/** Only a whole body is read as something else. */
function checkReach({ path, action: title }: Parameters, { wholeBody }: Action): RuleFault[] {
  const segments = typeof path === 'string' ? parseRulePath(path) : null;
  if (wholeBody !== true || segments === null) return [];
  const [top, ...rest] = segments;
  const reaches = top?.kind === 'literal' && top.text === 'body' && rest.every(({ kind }) => kind === 'any');
  return reaches ? [] : [{ path: 'path', text: `must be /body for ${JSON.stringify(title)}` }];
}

function checkParameters(rule: Parameters, action: Action): RuleFault[] {
  const faults: RuleFault[] = [];
  const { action: title } = rule;
  for (const [name, value] of Object.entries(rule)) {
    if (COMMON.includes(name) || value === undefined) continue;
    const check = Object.hasOwn(action.parameters, name) ? action.parameters[name] : undefined;
    const text = check === undefined ? unknownParameter(title, action) : check(value);
    if (text !== null) faults.push({ path: name, text });
  }
  for (const name of action.required) {
    if (rule[name] === undefined) faults.push({ path: name, text: 'is required' });
  }
  return faults;
}

function unknownParameter(title: unknown, { parameters }: Action): string {
  const known = [...Object.keys(parameters), ...COMMON].join(', ');
  return `unknown parameter of ${JSON.stringify(title)}; known: ${known}`;
}

function checkPaperwork(rule: Parameters, today: string): RuleFault[] {
  const faults: RuleFault[] = [];
  for (const name of ['owner', 'reason']) {
    const value = rule[name];
    if (typeof value !== 'string' || value.trim() === '') faults.push({ path: name, text: 'is required' });
  }
  const { expires, ticket } = rule;
  if (ticket !== undefined && (typeof ticket !== 'string' || ticket.trim() === '')) {
    faults.push({ path: 'ticket', text: 'must be a text' });
  }
  const days = dayOf(expires);
  const now = dayOf(today);
  if (days === null) faults.push({ path: 'expires', text: 'must be a date like 2026-12-31' });
  else if (now !== null && days - now > LIFE_DAYS_MAX) {
    faults.push({ path: 'expires', text: `must be at most ${LIFE_DAYS_MAX} days away` });
  }
  return faults;
}

/**
 * Compiles the rules that apply to one answer. `rules` must be free of faults (`checkRules`): a faulty one throws
 * TypeError with its name, it is never left out in silence. Indexes in the result are positions in `rules`.
 */
export function compileRules(rules: readonly CompareRule[], scope: RuleScope): RuleSet {
  const [fault] = checkRules(rules, null);
  if (fault !== undefined) throw new TypeError(`${fault.path}: ${fault.text}`);
  const root = emptyRuleNode(false);
  let strict = false;
  for (const [index, rule] of rules.entries()) {
    const path = parseRulePath(rule.path);
    const effect = ACTIONS.get(rule.action)?.build(rule);
    if (path === null || effect === undefined || !applies(rule, scope)) continue;
    const compiled: Rule = { index, action: rule.action, effect };
    insertRule(root, withLowerCaseHeader(path), compiled);
    strict ||= effect.stage === 'verdict' && effect.reach === 'strict';
  }
  return { root, strict };
}

/** Names of headers have no case; names of cookies have. */
function withLowerCaseHeader(path: readonly RuleSegment[]): readonly RuleSegment[] {
  const [top, name] = path;
  if (top?.kind !== 'literal' || top.text !== 'headers' || name?.kind !== 'literal') return path;
  return path.with(1, { kind: 'literal', text: name.text.toLowerCase() });
}

function applies(rule: CompareRule, { route, status, today }: RuleScope): boolean {
  // ISO dates of one length sort as text.
  if (today !== null && typeof rule.expires === 'string' && rule.expires < today) return false;
  const { statuses } = rule;
  if (Array.isArray(statuses) && !statuses.includes(status)) return false;
  return rule.routes === undefined || (route !== null && rule.routes.includes(route));
}

/** Whether some rule looks at the status, so that compiled rules differ from status to status. */
export function dependsOnStatus(rules: readonly CompareRule[]): boolean {
  return rules.some(({ statuses }) => statuses !== undefined);
}

/** Days since 1970 of an ISO date, or null when there is no such day. */
export function dayOf(value: unknown): number | null {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(value)) return null;
  const date = parseTime(`${value}T00:00:00Z`);
  return date === null ? null : daysSinceEpoch(date.year, date.month, date.day);
}

function isParameters(value: unknown): value is Parameters {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStatus(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599;
}

function isListOf(value: unknown, type: 'string' | 'number'): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === type);
}

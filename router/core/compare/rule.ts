/** A compiled rule, and where compiled rules are looked up while an answer is walked. */
import type { Tree } from '../json.ts';
import type { HtmlIgnore } from './comparison.ts';
import type { OneToOne } from './one-to-one.ts';
import type { RuleSegment } from './trail.ts';

export interface VerdictContext {
  /** Base of relative URLs: what the client asked for. */
  readonly url: string;
  /** Per rename group: legacy id to service id, and back. */
  readonly renames: Map<string, OneToOne<string>>;
}

/** Whether the rule holds for this pair, so that its difference is silent. */
export type Verdict = (legacy: Tree, service: Tree, context: VerdictContext) => boolean;

/** What a body can be read as. */
export type BodyFormat = 'json' | 'ndjson' | 'xml' | 'html' | 'text' | 'binary' | 'sse' | 'multipart';

export type RuleEffect =
  | { readonly stage: 'ignore' | 'allow-extra' | 'null-equals-missing' }
  /** `ignore`: of HTML only. */
  | { readonly stage: 'read-body'; readonly as: BodyFormat; readonly ignore: readonly HtmlIgnore[] }
  | { readonly stage: 'read-string'; readonly read: (text: string) => Tree | null }
  | { readonly stage: 'unordered'; readonly key: string | null }
  | { readonly stage: 'normalise'; readonly apply: (text: string) => string }
  /** `reach`: `scalar` one value, `subtree` everything below it too, `strict` also equal values must hold. */
  | { readonly stage: 'verdict'; readonly holds: Verdict; readonly reach: 'scalar' | 'subtree' | 'strict' };

export type Stage = RuleEffect['stage'];

export interface Rule {
  /** Position in the list it came from; the first of several wins. */
  readonly index: number;
  readonly action: string;
  readonly effect: RuleEffect;
}

/** One place in the tree of rule paths. */
export interface RuleNode {
  readonly literals: Map<string, RuleNode>;
  one: RuleNode | null;
  /** Reached by `**`; stays in force for everything below. */
  any: RuleNode | null;
  readonly loops: boolean;
  readonly rules: Rule[];
}

/** Every place where a path stands at once; null where no rule can match any more. */
export type Cursor = readonly RuleNode[] | null;

export function emptyRuleNode(loops: boolean): RuleNode {
  return { literals: new Map(), one: null, any: null, loops, rules: [] };
}

export function insertRule(root: RuleNode, path: readonly RuleSegment[], rule: Rule): void {
  let node = root;
  for (const segment of path) node = childOf(node, segment);
  node.rules.push(rule);
}

function childOf(node: RuleNode, segment: RuleSegment): RuleNode {
  if (segment.kind === 'any') {
    node.any ??= emptyRuleNode(true);
    return node.any;
  }
  if (segment.kind === 'one') {
    node.one ??= emptyRuleNode(false);
    return node.one;
  }
  let child = node.literals.get(segment.text);
  if (child === undefined) {
    child = emptyRuleNode(false);
    node.literals.set(segment.text, child);
  }
  return child;
}

export function startCursor(root: RuleNode): Cursor {
  return withAny([root]);
}

/** One segment further. Whole segments only: `/body/id` matches neither `/body/id_token` nor `/body/user/id`. */
export function advance(cursor: Cursor, segment: string | number): Cursor {
  if (cursor === null) return null;
  const next: RuleNode[] = [];
  const text = String(segment);
  for (const node of cursor) {
    const literal = node.literals.get(text);
    if (literal !== undefined) next.push(literal);
    if (node.one !== null) next.push(node.one);
    if (node.loops) next.push(node);
  }
  return next.length === 0 ? null : withAny(next);
}

/** `**` also stands for no segment at all. */
function withAny(nodes: RuleNode[]): RuleNode[] {
  for (const node of nodes) if (node.any !== null && !nodes.includes(node.any)) nodes.push(node.any);
  return nodes;
}

/** Both places at once. */
export function merged(a: Cursor, b: Cursor): Cursor {
  return a === null ? b : b === null ? a : [...new Set([...a, ...b])];
}

/** The rule of that stage written first, or null. */
export function ruleAt<S extends Stage>(
  cursor: Cursor,
  stage: S,
): (Rule & { readonly effect: Extract<RuleEffect, { readonly stage: S }> }) | null {
  return rulesAt(cursor, stage)[0] ?? null;
}

/** All rules of that stage in the order written. */
export function rulesAt<S extends Stage>(
  cursor: Cursor,
  stage: S,
): readonly (Rule & { readonly effect: Extract<RuleEffect, { readonly stage: S }> })[] {
  if (cursor === null) return [];
  const found = [];
  for (const node of cursor) for (const rule of node.rules) if (isOf(rule, stage)) found.push(rule);
  return found.length > 1 ? found.sort((a, b) => a.index - b.index) : found;
}

function isOf<S extends Stage>(
  rule: Rule,
  stage: S,
): rule is Rule & { readonly effect: Extract<RuleEffect, { readonly stage: S }> } {
  return rule.effect.stage === stage;
}

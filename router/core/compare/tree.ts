/** Walks two JSON trees at once, iteratively, in legacy's document order. */
import { assertNever } from '../assert.ts';
import {
  attributeSegment,
  Element,
  isObject,
  type JsonMap,
  keysOf,
  lexemeOf,
  memberOf,
  type PlainObject,
  repeatedOf,
  type Tree,
  typeOf,
  Unreadable,
} from '../json.ts';
import type { Alignment } from './align.ts';
import { planOrdered, planUnordered } from './arrays.ts';
import { isNumber, type Spend, sameNumber, sameTree } from './canonical.ts';
import { createPlaces, isOnlyText, type Place, planChildren, planUnorderedChildren } from './elements.ts';
import { advance, type Cursor, type Rule, ruleAt, rulesAt, type VerdictContext } from './rule.ts';
import { createSink, type Found, type Sink, sampleOf } from './sink.ts';
import { detailOfValues } from './strings.ts';
import { below, type Trail } from './trail.ts';

export interface Walk {
  readonly sink: Sink;
  readonly spend: Spend;
  readonly context: VerdictContext;
  /** Equal parts are walked too, because a rule may refuse them. */
  readonly strict: boolean;
  /** How many unordered arrays this walk is inside of; bounded, since matching inside them is a walk of its own. */
  readonly nesting: number;
}

type Obj = JsonMap | PlainObject;

/** One place still to be looked at. */
type Task =
  | {
      readonly kind: 'pair';
      readonly legacy: Tree;
      readonly service: Tree;
      readonly trail: Trail;
      readonly cursor: Cursor;
      /** A rule above that silences everything here. */
      readonly silencer: Rule | null;
    }
  | {
      /** A member given more than once on some side: every value, in order. */
      readonly kind: 'repeated';
      readonly legacy: readonly Tree[];
      readonly service: readonly Tree[];
      readonly trail: Trail;
      readonly cursor: Cursor;
      readonly silencer: Rule | null;
    }
  | {
      readonly kind: 'lone';
      readonly side: 'missing' | 'extra';
      readonly value: Tree;
      readonly trail: Trail;
      readonly cursor: Cursor;
      readonly silencer: Rule | null;
    };

const NESTING_MAX = 8;

/** Adds every difference of two trees to `walk.sink`; never recurses into the trees. */
export function compareTrees(legacy: Tree, service: Tree, trail: Trail, cursor: Cursor, walk: Walk): void {
  const stack: Task[] = [{ kind: 'pair', legacy, service, trail, cursor, silencer: null }];
  for (let task = stack.pop(); task !== undefined; task = stack.pop()) {
    walk.spend(1);
    const found = step(task, walk);
    for (let i = found.length - 1; i >= 0; i -= 1) {
      const next = found[i];
      if (next !== undefined) stack.push(next);
    }
  }
}

/** Deals with one place; gives the places below it, in document order. */
function step(task: Task, walk: Walk): readonly Task[] {
  switch (task.kind) {
    case 'pair':
      return comparePair(task, walk);
    case 'repeated':
      return compareRepeated(task, walk);
    case 'lone':
      return reportLone(task, walk);
    default:
      return assertNever(task);
  }
}

type Pair = Extract<Task, { kind: 'pair' }>;
type Repeated = Extract<Task, { kind: 'repeated' }>;
type Lone = Extract<Task, { kind: 'lone' }>;
const NOTHING: readonly Task[] = [];

function compareRepeated(task: Repeated, walk: Walk): readonly Task[] {
  const { legacy, service, trail, cursor } = task;
  if (sameTree([...legacy], [...service], walk.spend)) return NOTHING;
  const rule = task.silencer ?? ruleAt(cursor, 'ignore');
  const sample = (values: readonly Tree[]) => sampleOf([...values]);
  const found = { trail, kind: 'duplicate-key', detail: null } as const;
  walk.sink.add({ ...found, legacy: sample(legacy), service: sample(service) }, rule);
  return NOTHING;
}

function reportLone(task: Lone, walk: Walk): readonly Task[] {
  const { side, value, trail, cursor } = task;
  const rule = task.silencer ?? ruleAt(cursor, 'ignore') ?? excusesAbsence(value, cursor);
  const sample = sampleOf(value);
  // A part that cannot be read says nothing about what is missing.
  const kind = value instanceof Unreadable ? 'parse' : side;
  const found = { trail, kind, detail: null } as const;
  if (side === 'missing') walk.sink.add({ ...found, legacy: sample, service: null }, rule);
  else walk.sink.add({ ...found, legacy: null, service: sample }, rule);
  return NOTHING;
}

function excusesAbsence(value: Tree, cursor: Cursor): Rule | null {
  return value === null ? ruleAt(cursor, 'null-equals-missing') : null;
}

function comparePair(task: Pair, walk: Walk): readonly Task[] {
  const { legacy, service, cursor } = task;
  const silencer = task.silencer ?? ruleAt(cursor, 'ignore');
  if (legacy instanceof Unreadable || service instanceof Unreadable)
    return reportUnreadable(task, silencer, walk);
  const type = typeOf(legacy);
  if (type !== typeOf(service)) return reportType(task, silencer, walk);
  const read =
    typeof legacy === 'string' && typeof service === 'string'
      ? readStrings(task, legacy, service, walk)
      : null;
  if (read !== null) return read;
  if (type !== 'array' && type !== 'object' && type !== 'element')
    return compareScalars(task, silencer, walk);
  const quiet = silencer ?? subtreeRule(task, walk);
  if (legacy instanceof Element && service instanceof Element) {
    return compareElements({ ...task, silencer: quiet }, legacy, service, walk);
  }
  if (Array.isArray(legacy) && Array.isArray(service)) {
    return compareArrays({ ...task, silencer: quiet }, legacy, service, walk);
  }
  if (isObject(legacy) && isObject(service))
    return compareObjects({ ...task, silencer: quiet }, legacy, service);
  return NOTHING;
}

/** Texts that a rule reads as a structure: the texts may differ, what they hold is compared below. */
function readStrings(task: Pair, left: string, right: string, walk: Walk): readonly Task[] | null {
  const rule = ruleAt(task.cursor, 'read-string');
  if (rule === null || left === right) return null;
  const [legacy, service] = [rule.effect.read(left), rule.effect.read(right)];
  if (legacy === null || service === null) return null;
  const samples = { legacy: sampleOf(left), service: sampleOf(right) };
  walk.sink.add({ trail: task.trail, kind: 'value', detail: null, ...samples }, rule);
  return [{ ...task, legacy, service }];
}

/** `ignore-value` at a container: its presence and type count, what is in it does not. */
function subtreeRule({ legacy, service, cursor }: Pair, { context }: Walk): Rule | null {
  const rule = ruleAt(cursor, 'verdict');
  return rule?.effect.reach === 'subtree' && rule.effect.holds(legacy, service, context) ? rule : null;
}

/** What cannot be read on one side, or on both and is not the same. */
function reportUnreadable(
  { legacy, service, trail }: Pair,
  silencer: Rule | null,
  walk: Walk,
): readonly Task[] {
  if (legacy instanceof Unreadable && service instanceof Unreadable && legacy.text === service.text)
    return NOTHING;
  const samples = { legacy: sampleOf(legacy), service: sampleOf(service) };
  walk.sink.add({ trail, kind: 'parse', detail: null, ...samples }, silencer);
  return NOTHING;
}

function reportType(task: Pair, silencer: Rule | null, walk: Walk): readonly Task[] {
  const { legacy, service, trail, cursor } = task;
  const rule = silencer ?? equivalent(task, cursor, walk);
  const detail = legacy === null || service === null ? 'null' : null;
  walk.sink.add({ trail, kind: 'type', detail, legacy: sampleOf(legacy), service: sampleOf(service) }, rule);
  return NOTHING;
}

/** Only a listed change may excuse another type. */
function equivalent({ legacy, service }: Pair, cursor: Cursor, { context }: Walk): Rule | null {
  const rule = ruleAt(cursor, 'verdict');
  return rule?.action === 'equivalent' && rule.effect.holds(legacy, service, context) ? rule : null;
}

function compareScalars(task: Pair, silencer: Rule | null, walk: Walk): readonly Task[] {
  const { legacy, service, trail, cursor } = task;
  const same = sameScalar(legacy, service);
  if (same && cursor === null) return NOTHING;
  if (same) return refuseEqual(task, silencer, walk);
  const rule = silencer ?? excusesValue(legacy, service, cursor, walk.context);
  const detail = detailOfValues(legacy, service);
  walk.sink.add({ trail, kind: 'value', detail, legacy: sampleOf(legacy), service: sampleOf(service) }, rule);
  return NOTHING;
}

function sameScalar(legacy: Tree, service: Tree): boolean {
  return legacy === service || (isNumber(legacy) && isNumber(service) && sameNumber(legacy, service));
}

/** A stricter rule may refuse a pair that is equal by default. */
function refuseEqual(task: Pair, silencer: Rule | null, walk: Walk): readonly Task[] {
  const { legacy, service, trail, cursor } = task;
  const rule = ruleAt(cursor, 'verdict');
  if (rule === null || rule.effect.reach !== 'strict') return NOTHING;
  if (rule.effect.holds(legacy, service, walk.context)) return NOTHING;
  const lexeme = isNumber(legacy) && isNumber(service) && lexemeOf(legacy) !== lexemeOf(service);
  const found: Found = {
    trail,
    kind: 'value',
    detail: lexeme ? 'number-lexeme' : null,
    legacy: sampleOf(legacy),
    service: sampleOf(service),
  };
  walk.sink.add(found, silencer);
  return NOTHING;
}

/**
 * The rule that excuses two different values of one type, or null: first every normalisation together, then the
 * first rule of the rest, which sees the normalised texts.
 */
export function excusesValue(
  legacy: Tree,
  service: Tree,
  cursor: Cursor,
  context: VerdictContext,
): Rule | null {
  if (cursor === null) return null;
  let [left, right] = [legacy, service];
  const normalisers = rulesAt(cursor, 'normalise');
  for (const { effect } of normalisers) {
    if (typeof left === 'string') left = effect.apply(left);
    if (typeof right === 'string') right = effect.apply(right);
  }
  if (left === right) return normalisers[0] ?? null;
  const rule = ruleAt(cursor, 'verdict');
  return rule?.effect.holds(left, right, context) === true ? rule : null;
}

function compareObjects(task: Pair, legacy: Obj, service: Obj): readonly Task[] {
  const tasks: Task[] = [];
  const { trail, cursor, silencer } = task;
  for (const key of keysOf(legacy)) {
    const [left, right] = [memberOf(legacy, key), memberOf(service, key)];
    if (left === undefined) continue;
    const repeated = isRepeated(legacy, service, key);
    if (left === right && cursor === null && !repeated) continue;
    const place = { trail: below(trail, key), cursor: advance(cursor, key), silencer };
    if (right === undefined) tasks.push({ kind: 'lone', side: 'missing', value: left, ...place });
    else if (repeated) {
      const [all, others] = [repeatedOf(legacy, key) ?? [left], repeatedOf(service, key) ?? [right]];
      tasks.push({ kind: 'repeated', legacy: all, service: others, ...place });
    } else tasks.push({ kind: 'pair', legacy: left, service: right, ...place });
  }
  const parentAllows = ruleAt(cursor, 'allow-extra');
  for (const key of keysOf(service)) {
    const value = memberOf(service, key);
    if (value === undefined || memberOf(legacy, key) !== undefined) continue;
    const next = advance(cursor, key);
    const allowed = silencer ?? parentAllows ?? ruleAt(next, 'allow-extra');
    tasks.push({
      kind: 'lone',
      side: 'extra',
      value,
      trail: below(trail, key),
      cursor: next,
      silencer: allowed,
    });
  }
  return tasks;
}

function isRepeated(legacy: Obj, service: Obj, key: string): boolean {
  return repeatedOf(legacy, key) !== null || repeatedOf(service, key) !== null;
}

function compareElements(task: Pair, legacy: Element, service: Element, walk: Walk): readonly Task[] {
  return [...attributeTasks(task, legacy, service), ...childTasks(task, legacy, service, walk)];
}

function attributeTasks(
  { trail, cursor, silencer }: Pair,
  legacy: Element,
  service: Element,
): readonly Task[] {
  const tasks: Task[] = [];
  const placeOf = (key: string) => {
    const segment = attributeSegment(key);
    return { trail: below(trail, segment), cursor: advance(cursor, segment), silencer };
  };
  for (const [key, value] of legacy.attributes) {
    const other = service.attributes.get(key);
    if (other === undefined) tasks.push({ kind: 'lone', side: 'missing', value, ...placeOf(key) });
    else if (value !== other || cursor !== null)
      tasks.push({ kind: 'pair', legacy: value, service: other, ...placeOf(key) });
  }
  const parentAllows = ruleAt(cursor, 'allow-extra');
  for (const [key, value] of service.attributes) {
    if (legacy.attributes.has(key)) continue;
    const place = placeOf(key);
    const allowed = silencer ?? parentAllows ?? ruleAt(place.cursor, 'allow-extra');
    tasks.push({ kind: 'lone', side: 'extra', value, ...place, silencer: allowed });
  }
  return tasks;
}

function childTasks(task: Pair, legacy: Element, service: Element, walk: Walk): readonly Task[] {
  const { trail, cursor, silencer } = task;
  if (isOnlyText(legacy) && isOnlyText(service)) {
    const [left, right] = [legacy.children.join(''), service.children.join('')];
    const place = { trail: below(trail, 'text()'), cursor: advance(cursor, 'text()'), silencer };
    return left === right && cursor === null
      ? NOTHING
      : [{ kind: 'pair', legacy: left, service: right, ...place }];
  }
  const places = createPlaces(legacy.children, service.children, task);
  const rule = ruleAt(cursor, 'unordered');
  const alignment =
    rule === null
      ? planChildren(legacy, service, cursor, walk.spend, walk.strict)
      : planUnorderedChildren(legacy, service, rule.effect.key, cursor, walk.spend, (l, s) =>
          fitsTogether(
            legacy.children[l],
            service.children[s],
            places({ kind: 'pair', legacy: l, service: s }),
            walk,
          ),
        );
  if (alignment.reordered) {
    const samples = { legacy: sampleOf(legacy), service: sampleOf(service) };
    walk.sink.add({ trail, kind: 'order', detail: null, ...samples }, silencer ?? rule);
  }
  const parentAllows = ruleAt(cursor, 'allow-extra');
  return alignment.steps.flatMap((each): readonly Task[] => {
    const place = { ...places(each), silencer };
    const left = each.kind === 'extra' ? undefined : legacy.children[each.legacy];
    const right = each.kind === 'missing' ? undefined : service.children[each.service];
    if (left === undefined) {
      if (right === undefined) return NOTHING;
      const allowed = silencer ?? parentAllows ?? ruleAt(place.cursor, 'allow-extra');
      return [{ kind: 'lone', side: 'extra', value: right, ...place, silencer: allowed }];
    }
    if (right === undefined) return [{ kind: 'lone', side: 'missing', value: left, ...place }];
    return [
      ...namespaceTasks(left, right, legacy, service, place),
      { kind: 'pair', legacy: left, service: right, ...place },
    ];
  });
}

/** Another namespace is a value of the element where it begins: what inherits it is not told once more. */
function namespaceTasks(
  left: Tree,
  right: Tree,
  parent: Element,
  otherParent: Element,
  place: Place & { readonly silencer: Rule | null },
): readonly Task[] {
  if (!(left instanceof Element) || !(right instanceof Element) || left.uri === right.uri) return NOTHING;
  if (left.uri === parent.uri && right.uri === otherParent.uri) return NOTHING;
  return [{ kind: 'pair', legacy: left.uri, service: right.uri, ...place }];
}

function compareArrays(
  task: Pair,
  legacy: readonly Tree[],
  service: readonly Tree[],
  walk: Walk,
): readonly Task[] {
  const { trail, cursor } = task;
  const rule = ruleAt(cursor, 'unordered');
  if (rule === null) {
    const plan = planOrdered(legacy, service, cursor, walk.spend, walk.strict);
    return tasksOf(plan, task, legacy, service, task.silencer, walk);
  }
  const place = { trail: below(trail, '*'), cursor: advance(cursor, '*') };
  const fits = (l: number, s: number) => fitsTogether(legacy[l], service[s], place, walk);
  const plan = planUnordered(legacy, service, rule.effect.key, cursor, walk.spend, fits);
  return tasksOf(plan, task, legacy, service, task.silencer ?? rule, walk);
}

/** Whether two elements of an unordered array have no difference left under the rules: a walk of its own. */
function fitsTogether(
  legacy: Tree | undefined,
  service: Tree | undefined,
  place: Place,
  walk: Walk,
): boolean {
  if (legacy === undefined || service === undefined) return false;
  if (walk.nesting >= NESTING_MAX) walk.spend(Number.POSITIVE_INFINITY);
  const sink = createSink([]);
  // A trial must not fix what an id is renamed to.
  const context = { ...walk.context, renames: new Map() };
  const trial = { ...walk, sink, context, nesting: walk.nesting + 1 };
  compareTrees(legacy, service, place.trail, place.cursor, trial);
  return sink.count() === 0;
}

function tasksOf(
  { steps, reordered }: Alignment,
  { trail, cursor, silencer }: Pair,
  legacy: readonly Tree[],
  service: readonly Tree[],
  orderRule: Rule | null,
  walk: Walk,
): readonly Task[] {
  if (reordered) {
    const samples = { legacy: sampleOf([...legacy]), service: sampleOf([...service]) };
    walk.sink.add({ trail, kind: 'order', detail: null, ...samples }, orderRule);
  }
  return steps.flatMap((each): Task[] => {
    const index = each.kind === 'extra' ? each.service : each.legacy;
    const place = { trail: below(trail, index), cursor: advance(cursor, index), silencer };
    // A rule for elements never hides how many there are.
    const alone = { ...place, cursor: null };
    const left = each.kind === 'extra' ? undefined : legacy[each.legacy];
    const right = each.kind === 'missing' ? undefined : service[each.service];
    if (left === undefined) {
      return right === undefined ? [] : [{ kind: 'lone', side: 'extra', value: right, ...alone }];
    }
    if (right === undefined) return [{ kind: 'lone', side: 'missing', value: left, ...alone }];
    return [{ kind: 'pair', legacy: left, service: right, ...place }];
  });
}

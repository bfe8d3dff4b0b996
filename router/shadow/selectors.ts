/** CSS selectors of `html` rules: tag, id, class, attributes, descendant and child. Others are refused by name. */
import { type AttributeSelector, parse, type Selector as Token } from 'css-what';
import { htmlIgnoresOf } from '../core/compare/actions.ts';
import type { RuleFault } from '../core/compare/rules.ts';

/** One element's own conditions. */
interface Compound {
  readonly tag: string | null;
  readonly attributes: readonly AttributeSelector[];
  /** How it hangs on the compound before it; null for the first. */
  readonly under: 'ancestor' | 'parent' | null;
}

/** From the outermost element to the one that is meant. */
export type Selector = readonly Compound[];

const PARTS_MAX = 64;

/** A selector list as selectors. Throws SyntaxError with what is wrong or not supported. */
export function parseSelectors(text: string): readonly Selector[] {
  let lists: readonly (readonly Token[])[];
  try {
    lists = parse(text);
  } catch (error) {
    throw new SyntaxError(error instanceof Error ? error.message : 'is no selector');
  }
  const selectors = lists.map(compoundsOf);
  if (selectors.length === 0 || selectors.flat().length > PARTS_MAX) {
    throw new SyntaxError(`must have 1 to ${PARTS_MAX} parts`);
  }
  return selectors;
}

function compoundsOf(tokens: readonly Token[]): Selector {
  const compounds: Compound[] = [];
  let tag: string | null = null;
  let attributes: AttributeSelector[] = [];
  let under: Compound['under'] = null;
  let empty = true;
  const close = (next: Compound['under']) => {
    if (empty) throw new SyntaxError('has a combinator without an element on either side');
    compounds.push({ tag, attributes, under });
    [tag, attributes, under, empty] = [null, [], next, true];
  };
  for (const token of tokens) {
    if (token.type === 'descendant') close('ancestor');
    else if (token.type === 'child') close('parent');
    else {
      empty = false;
      if (token.type === 'tag') tag = token.name.toLowerCase();
      else if (token.type === 'attribute' && token.action !== 'not') attributes.push(token);
      else if (token.type !== 'universal') throw new SyntaxError(`${nameOf(token)} is not supported`);
      if ('namespace' in token && token.namespace !== null)
        throw new SyntaxError('namespaces are not supported');
    }
  }
  close(null);
  return compounds;
}

function nameOf(token: Token): string {
  switch (token.type) {
    case 'pseudo':
      return `:${token.name}`;
    case 'pseudo-element':
      return `::${token.name}`;
    case 'attribute':
      return '!=';
    case 'adjacent':
      return '+';
    case 'sibling':
      return '~';
    default:
      return token.type;
  }
}

/** Faults of the selectors of all `html` rules of a list. What is no such rule is not looked at. */
export function selectorFaults(rules: readonly unknown[]): readonly RuleFault[] {
  return rules.flatMap((rule, index) => {
    if (typeof rule !== 'object' || rule === null || !('ignore' in rule)) return [];
    if (!('action' in rule) || rule.action !== 'html') return [];
    return htmlIgnoresOf(rule.ignore).flatMap(({ selector }, entry): readonly RuleFault[] => {
      try {
        parseSelectors(selector);
        return [];
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        return [{ path: `rules[${index}].ignore[${entry}].selector`, text }];
      }
    });
  });
}

/** What is known on the way down: which beginnings of selectors end at the parent, and at any ancestor. */
export interface Ancestry {
  readonly parent: ReadonlySet<number>;
  readonly above: ReadonlySet<number>;
}

export const NO_ANCESTRY: Ancestry = { parent: new Set(), above: new Set() };

/** Matches many selectors at once in one walk from the root: linear in elements × parts. */
export function createMatcher(selectors: readonly Selector[]) {
  const parts = selectors.flatMap((selector, owner) =>
    selector.map((compound, depth) => ({ compound, owner, last: depth === selector.length - 1 })),
  );
  return (tag: string, attributes: ReadonlyMap<string, string>, { parent, above }: Ancestry) => {
    const here = new Set<number>();
    const matched = new Set<number>();
    for (const [index, { compound, owner, last }] of parts.entries()) {
      const { under } = compound;
      if (under !== null && !(under === 'parent' ? parent : above).has(index - 1)) continue;
      if (!fits(compound, tag, attributes)) continue;
      here.add(index);
      if (last) matched.add(owner);
    }
    const below: Ancestry = {
      parent: here,
      above: [...here].every((index) => above.has(index)) ? above : new Set([...above, ...here]),
    };
    return { matched, below };
  };
}

function fits(
  { tag, attributes: wanted }: Compound,
  name: string,
  attributes: ReadonlyMap<string, string>,
): boolean {
  return (
    (tag === null || tag === name.toLowerCase()) &&
    wanted.every((selector) => {
      const value = attributes.get(`@${selector.name.toLowerCase()}`);
      return value !== undefined && fitsValue(selector, value);
    })
  );
}

function fitsValue({ action, value, ignoreCase }: AttributeSelector, actual: string): boolean {
  const fold = (text: string) => (ignoreCase === true ? text.toLowerCase() : text);
  const [wanted, given] = [fold(value), fold(actual)];
  switch (action) {
    case 'exists':
      return true;
    case 'equals':
      return given === wanted;
    case 'element':
      return given.split(/[ \t\n\f\r]+/).includes(wanted);
    case 'hyphen':
      return given === wanted || given.startsWith(`${wanted}-`);
    case 'start':
      return wanted !== '' && given.startsWith(wanted);
    case 'end':
      return wanted !== '' && given.endsWith(wanted);
    case 'any':
      return wanted !== '' && given.includes(wanted);
    default:
      return false;
  }
}

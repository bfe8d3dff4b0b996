import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { advance, emptyRuleNode, insertRule, startCursor } from '../../../router/core/compare/rule.ts';
import { parseRulePath } from '../../../router/core/compare/trail.ts';
import {
  covers,
  meet,
  type Path,
  relationOf,
  strictlyBelow,
  templatePath,
  withBelow,
} from '../../../router/core/rules/path-language.ts';

function path(text: string): Path {
  const parsed = parseRulePath(text);
  if (parsed === null) throw new TypeError(text);
  return parsed;
}

describe('how a rule path stands to a template', () => {
  const ROWS: readonly [string, string, 'all' | 'some' | 'none'][] = [
    ['/body/a', '/body/a', 'all'],
    ['/body/a', '/body/ab', 'none'],
    ['/body/a', '/body/a/b', 'none'],
    ['/body/*', '/body/a', 'all'],
    ['/body/0', '/body/*', 'some'],
    ['/body/**/id', '/body/id', 'all'],
    ['/body/**/id', '/body/items/*/id', 'all'],
    ['/body/**', '/body', 'all'],
    ['/body/*/**/x', '/body/x', 'none'],
    ['/body/#01234567', '/body/#01234567', 'some'],
    ['/body/name', '/body/#01234567', 'some'],
    ['/body/*', '/body/#01234567', 'all'],
    ['/body/~2', '/body/*', 'some'],
  ];
  test.each(ROWS)('%s to %s: %s', (rule, template, relation) => {
    expect(relationOf(path(rule), templatePath(template))).toBe(relation);
  });
});

test('several paths together cover what none of them covers alone', () => {
  const [a, b] = [path('/body/a'), path('/body/a/*/**')];
  expect(covers([a, b], withBelow(path('/body/a')))).toBe(true);
  expect(covers([a], withBelow(path('/body/a')))).toBe(false);
  expect(covers([b], strictlyBelow(path('/body/a')))).toBe(true);
});

test('a path that would take too long to compare is claimed to cover nothing', () => {
  const wild = path(`/body/**/a${'/*'.repeat(40)}`);
  const places = path(`/body/**${'/a/**'.repeat(40)}`);
  const before = performance.now();
  expect(covers([wild], places)).toBe(false);
  expect(performance.now() - before).toBeLessThan(5_000);
});

const segment = fc.constantFrom('a', 'b', '*', '**');
const pattern = fc.array(segment, { maxLength: 5 }).map((parts) => path(['/body', ...parts].join('/')));
const names = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 });

/** As the comparer walks: the rule is found at the end of the names. */
function matches(rule: Path, at: readonly string[]): boolean {
  const root = emptyRuleNode(false);
  insertRule(root, rule, { index: 0, action: 'ignore', effect: { stage: 'ignore' } });
  let cursor = advance(startCursor(root), 'body');
  for (const name of at) cursor = advance(cursor, name);
  return cursor?.some((node) => node.rules.length > 0) ?? false;
}

test('what is said of two paths holds for every place the comparer could be at', () => {
  fc.assert(
    fc.property(pattern, pattern, names, (a, b, at) => {
      const [inA, inB] = [matches(a, at), matches(b, at)];
      if (inA && inB) expect(meet(a, b)).toBe(true);
      if (inB && !inA) expect(covers([a], b)).toBe(false);
    }),
    { numRuns: 20_000, seed: 20_261_124 },
  );
});

test('paths that are said to meet or not to cover have a place that shows it', () => {
  const places = ['a', 'b', 'c'].reduce<string[][]>((all) => all, [[]]);
  for (let length = 0; length < 5; length += 1)
    for (const at of places.filter((one) => one.length === length))
      for (const name of ['a', 'b', 'c']) places.push([...at, name]);
  const short = fc.array(segment, { maxLength: 3 }).map((parts) => path(['/body', ...parts].join('/')));
  fc.assert(
    fc.property(short, short, (a, b) => {
      expect(meet(a, b)).toBe(places.some((at) => matches(a, at) && matches(b, at)));
      expect(covers([a], b)).toBe(places.every((at) => !matches(b, at) || matches(a, at)));
    }),
    { numRuns: 500, seed: 20_261_124 },
  );
});

import { expect, test } from 'vitest';
import { readHtml } from '../../router/shadow/html.ts';
import { selectorFaults } from '../../router/shadow/selectors.ts';

const PAGE = `<div id=main class="a b"><p lang="en-GB" title="One two">x</p><ul><li data-n="10">y</li></ul></div><p>z</p>`;

/** Names of the elements whose content a selector leaves out, in document order. */
function leftOut(selector: string): readonly string[] {
  const reading = readHtml(PAGE, [{ selector, attribute: 'title' }]);
  const whole = readHtml(PAGE, [{ selector, attribute: null }]);
  if (reading.kind !== 'document' || whole.kind !== 'document') return [];
  const names: string[] = [];
  const stack = [whole.root];
  for (let element = stack.pop(); element !== undefined; element = stack.pop()) {
    if (element.children.length === 0 && !['', 'head'].includes(element.name)) names.push(element.name);
    for (const child of element.children.toReversed()) if (typeof child !== 'string') stack.push(child);
  }
  return names;
}

test.each<[selector: string, names: readonly string[]]>([
  ['p', ['p', 'p']],
  ['P', ['p', 'p']],
  ['#main > p', ['p']],
  ['div p', ['p']],
  ['body > p', ['p']],
  ['div > li', []],
  ['div li', ['li']],
  ['.b.a', ['div']],
  ['[lang|=en]', ['p']],
  ['[title~=two]', ['p']],
  ['[title*="e t"]', ['p']],
  ['[data-n^="1"]', ['li']],
  ['[data-n$="0"]', ['li']],
  ['[data-n="1"]', []],
  ['[title="one TWO" i]', ['p']],
  ['[title^=""]', []],
  ['ul > *, #nobody', ['li']],
  ['div ul > li[data-n]', ['li']],
])('%s selects', (selector, names) => {
  expect(leftOut(selector)).toEqual(names);
});

test.each([
  ['p:first-child', ':first-child is not supported'],
  ['p::before', '::before is not supported'],
  ['a + b', '+ is not supported'],
  ['a ~ b', '~ is not supported'],
  ['a[b!=c]', '!= is not supported'],
  ['svg|a', 'namespaces are not supported'],
  ['> p', 'combinator'],
  ['p >', ''],
  ['p[', ''],
  [Array(65).fill('p').join(' '), '1 to 64 parts'],
])('%s is refused by name', (selector, text) => {
  const faults = selectorFaults([
    { path: '/body', action: 'html', ignore: [{ selector: 'p' }, { selector }] },
  ]);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatchObject({ path: 'rules[0].ignore[1].selector' });
  expect(faults[0]?.text).toContain(text);
});

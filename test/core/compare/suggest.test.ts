import { expect, test } from 'vitest';
import type { Detail, Kind, Severity } from '../../../router/core/compare/comparison.ts';
import { checkRules } from '../../../router/core/compare/rules.ts';
import { suggestedRule } from '../../../router/core/compare/suggest.ts';

function entry(template: string, kind: Kind, detail: Detail | null = null, severity: Severity = 'medium') {
  return { template, kind, detail, severity };
}

test.each<[what: string, entry: ReturnType<typeof entry>, rule: object]>([
  ['a rounded number', entry('/body/total', 'value', 'numeric-close'), { action: 'number', rel: 1e-9 }],
  ['two clocks', entry('/body/at', 'value', 'clock-skew'), { action: 'timestamp', toleranceMs: 2000 }],
  ['two ids', entry('/body/trace', 'value', 'uuid'), { action: 'uuid' }],
  ['another order', entry('/body/items', 'order'), { action: 'unordered' }],
  ['a member more', entry('/body/items/*/x', 'extra', null, 'low'), { action: 'allow-extra' }],
  ['another host', entry('/headers/location', 'value', 'url-host'), { action: 'url' }],
  ['anything else', entry('/body/name', 'value'), { action: 'ignore-value' }],
])('%s has a rule that fits, and it is a rule', (_what, given, rule) => {
  const suggested = suggestedRule(given);
  expect(suggested).toMatchObject({ path: given.template, ...rule });
  expect(checkRules([suggested], null)).toEqual([]);
});

test.each([
  entry('/status', 'status', null, 'high'),
  entry('/exchange', 'timeout', null, 'high'),
  entry('/body', 'parse', null, 'high'),
  entry('/body/id', 'missing', null, 'high'),
  entry('/body/id', 'type', 'null', 'high'),
  entry('/headers/set-cookie/sid', 'value', 'cookie-security', 'high'),
  entry('/body/#0a1b2c3d/x', 'value'),
])('what is a fault by its nature, or has no name to be written down, has none: %o', (given) => {
  expect(suggestedRule(given)).toBeNull();
});

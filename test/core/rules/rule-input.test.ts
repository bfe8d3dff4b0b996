import { expect, test } from 'vitest';
import { ACTIONS } from '../../../router/core/compare/actions.ts';
import { checkRuleList } from '../../../router/core/rules/check.ts';
import type { RuleInput } from '../../../router/core/rules/rule-input.ts';
import { suggestedRule } from '../../../router/core/rules/suggest.ts';
import { ruleOf } from '../compare/answers.ts';

type Action = RuleInput['action'];
const PAPERWORK = { owner: 'team', reason: 'test', expires: '2026-12-31', ticket: 'T-1', statuses: [200] };
const at = { path: '/body/a', ...PAPERWORK };
const whole = { path: '/body', ...PAPERWORK };

/** Every action as a person may write it, with all its parameters. */
const EVERY: { readonly [A in Action]: Extract<RuleInput, { readonly action: A }> } = {
  ignore: { ...at, action: 'ignore' },
  'ignore-value': { ...at, action: 'ignore-value' },
  unordered: { ...at, action: 'unordered', key: 'id' },
  number: { ...at, action: 'number', abs: 0.01, rel: 0.1 },
  'number-lexeme': { ...at, action: 'number-lexeme' },
  timestamp: {
    ...at,
    action: 'timestamp',
    toleranceMs: 0,
    unit: 'ms',
    pattern: 'YYYY-MM-DD',
    zone: 'Europe/Paris',
  },
  uuid: { ...at, action: 'uuid', version: 4 },
  pattern: { ...at, action: 'pattern', regex: '^x$' },
  url: {
    ...at,
    action: 'url',
    ignore: ['scheme', 'host', 'port', 'query-order', 'fragment', 'trailing-slash', 'query:q'],
  },
  'null-equals-missing': { ...at, action: 'null-equals-missing' },
  'allow-extra': { ...at, action: 'allow-extra' },
  unicode: { ...at, action: 'unicode', form: 'NFC' },
  newlines: { ...at, action: 'newlines' },
  mask: { ...at, action: 'mask', regex: 'x' },
  'embedded-json': { ...at, action: 'embedded-json' },
  jwt: { ...at, action: 'jwt', ignoreClaims: ['iat'] },
  rename: { ...at, action: 'rename', group: 'order' },
  html: { ...whole, action: 'html', ignore: [{ selector: 'input', attribute: 'value' }] },
  sse: { ...whole, action: 'sse' },
  multipart: { ...whole, action: 'multipart' },
  'parse-as': { ...whole, action: 'parse-as', as: 'json' },
  equivalent: { ...at, action: 'equivalent', pairs: [['Y', true]] },
};

test('every action there is can be written with types, and is taken with all its parameters', () => {
  for (const action of ACTIONS.keys()) {
    const rule = Object.values(EVERY).find((one) => one.action === action);
    expect([action, checkRuleList([rule], { routes: [], today: '2026-11-24' })]).toEqual([action, []]);
  }
});

test('every parameter that an action takes is in its type', () => {
  for (const [action, { parameters }] of ACTIONS) {
    const rule = Object.values(EVERY).find((one) => one.action === action) ?? {};
    expect([action, Object.keys(parameters).filter((name) => !(name in rule))]).toEqual([action, []]);
  }
});

test('whatever is suggested for a difference is a rule, or nothing', () => {
  const entry = { template: '/body/items/*/a', severity: 'medium', codes: null } as const;
  const details = [
    null,
    'uuid',
    'numeric-close',
    'instant-equal',
    'clock-skew',
    'unicode-form',
    'url-host',
    'nonce',
  ];
  for (const detail of [...details, 'url-query-order'] as const) {
    const rule = suggestedRule({ ...entry, kind: 'value', detail: detail as null });
    if (rule === null) throw new Error(String(detail));
    expect(checkRuleList([ruleOf(rule)], { routes: [], today: '2026-11-24' })).toEqual([]);
  }
  expect(suggestedRule({ ...entry, kind: 'order', detail: null })?.action).toBe('unordered');
  expect(suggestedRule({ ...entry, kind: 'extra', detail: null })?.action).toBe('allow-extra');
  for (const kind of ['missing', 'type', 'status', 'timeout'] as const)
    expect(suggestedRule({ ...entry, kind, detail: null })).toBeNull();
  const hidden = { ...entry, template: '/body/#01234567/a' };
  expect(suggestedRule({ ...hidden, kind: 'value', detail: null })).toBeNull();
});

test('types refuse what the program would refuse', () => {
  const rules: RuleInput[] = [
    // @ts-expect-error there is no such action
    { ...at, action: 'look-away' },
    // @ts-expect-error a parameter of another action
    { ...at, action: 'uuid', regex: 'x' },
    // @ts-expect-error one parameter is missing
    { ...at, action: 'timestamp' },
    // @ts-expect-error nobody owns it
    { path: '/body/a', action: 'ignore', reason: 'x', expires: '2026-12-31' },
  ];
  for (const rule of rules)
    expect(checkRuleList([rule], { routes: [], today: '2026-11-24' })).toHaveLength(1);
});

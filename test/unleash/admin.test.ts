import { expect, inject, test } from 'vitest';
import { call, startServer, TOKENS } from '../flags/world.ts';

const ADMIN = '/api/admin';
const FEATURES = `${ADMIN}/projects/default/features`;
const PARAMETERS = { rollout: '10', stickiness: 'default', groupId: 'g' };
const NOBODY = '00000000-0000-4000-8000-000000000000';
const ROLLOUT = { name: 'flexibleRollout', parameters: PARAMETERS };

/** `only`: of a list only the item of that name is compared. */
type Send = (method: string, path: string, body?: unknown, only?: string) => Promise<unknown>;

/** One thing that is asked of both servers, with what it needs before. */
interface Case {
  readonly name: string;
  /** `flag` is a fresh name; what `send` got back is compared, step by step. */
  run(send: Send, flag: string): Promise<void>;
}

function place(flag: string, environment = 'production'): string {
  return `${FEATURES}/${flag}/environments/${environment}`;
}

function idIn(body: unknown): string {
  return String((body as { id: unknown }).id);
}

/** Creates a flag and sends one strategy to it. */
function strategy(name: string, body: unknown): Case {
  return {
    name,
    async run(send, flag) {
      await send('POST', FEATURES, { name: flag });
      await send('POST', `${place(flag)}/strategies`, body);
      await send('GET', `${place(flag)}/strategies`);
    },
  };
}

function constrained(name: string, constraint: object): Case {
  return strategy(name, { ...ROLLOUT, constraints: [{ contextName: 'tenant', ...constraint }] });
}

function varied(name: string, variants: readonly object[]): Case {
  const filled = variants.map((variant) => ({
    name: '',
    weight: 1,
    weightType: 'variable',
    stickiness: 'default',
    ...variant,
  }));
  return strategy(name, { ...ROLLOUT, variants: filled });
}

function once(name: string, method: string, path: (flag: string) => string, body?: unknown): Case {
  return {
    name,
    async run(send, flag) {
      await send('POST', FEATURES, { name: flag });
      await send(method, path(flag), body);
    },
  };
}

const CASES: readonly Case[] = [
  once('a name with a blank', 'POST', () => FEATURES, { name: 'a b' }),
  once('an empty name', 'POST', () => FEATURES, { name: '' }),
  once('a name of dots', 'POST', () => FEATURES, { name: '..' }),
  once('a name that is too long', 'POST', () => FEATURES, { name: 'x'.repeat(101) }),
  once('no name', 'POST', () => FEATURES, {}),
  once('an unknown type', 'POST', () => FEATURES, { name: 'other', type: 'nosuch' }),
  once('an unknown project', 'POST', () => `${ADMIN}/projects/nope/features`, { name: 'other' }),
  once('flags of an unknown project', 'GET', () => `${ADMIN}/projects/nope/features`),
  once('a flag of another project', 'GET', (flag) => `${ADMIN}/projects/nope/features/${flag}`),
  once('a taken name to be validated', 'POST', () => `${ADMIN}/features/validate`, { name: 'a b' }),
  once('no name to be validated', 'POST', () => `${ADMIN}/features/validate`, {}),
  once('another name in PUT', 'PUT', (flag) => `${FEATURES}/${flag}`, { name: 'other' }),
  once('an unknown type in PUT', 'PUT', (flag) => `${FEATURES}/${flag}`, { type: 'nosuch' }),
  once('PUT of a flag that is not there', 'PUT', () => `${FEATURES}/not.there`, { description: 'd' }),
  once('PATCH of variants', 'PATCH', (flag) => `${FEATURES}/${flag}`, [
    { op: 'add', path: '/variants/-', value: {} },
  ]),
  once('archiving what is not there', 'DELETE', () => `${FEATURES}/not.there`),
  once('reviving what is not there', 'POST', () => `${ADMIN}/archive/revive/not.there`),
  once('deleting what is not there', 'DELETE', () => `${ADMIN}/archive/not.there`),
  once('a clone of what is not there', 'POST', () => `${FEATURES}/not.there/clone`, { name: 'other.clone' }),
  once('a clone without a name', 'POST', (flag) => `${FEATURES}/${flag}/clone`, {}),
  once('on in an unknown environment', 'POST', (flag) => `${place(flag, 'nope')}/on`),
  once('on of what is not there', 'POST', () => `${place('not.there')}/on`),
  once('environment of what is not there', 'GET', () => place('not.there')),
  once('an unknown environment', 'GET', (flag) => place(flag, 'nope')),
  once('strategies of what is not there', 'GET', () => `${place('not.there')}/strategies`),
  once('strategies of an unknown environment', 'GET', (flag) => `${place(flag, 'nope')}/strategies`),
  once(
    'a strategy in an unknown environment',
    'POST',
    (flag) => `${place(flag, 'nope')}/strategies`,
    ROLLOUT,
  ),
  once('a strategy of what is not there', 'POST', () => `${place('not.there')}/strategies`, ROLLOUT),
  once('a strategy that is not there', 'GET', (flag) => `${place(flag)}/strategies/${NOBODY}`),
  once(
    'PUT of a strategy that is not there',
    'PUT',
    (flag) => `${place(flag)}/strategies/${NOBODY}`,
    ROLLOUT,
  ),
  once('PATCH of a strategy that is not there', 'PATCH', (flag) => `${place(flag)}/strategies/${NOBODY}`, []),
  once('DELETE of a strategy that is not there', 'DELETE', (flag) => `${place(flag)}/strategies/${NOBODY}`),
  once('an order without an id', 'POST', (flag) => `${place(flag)}/strategies/set-sort-order`, [
    { sortOrder: 1 },
  ]),
  once('a short tag', 'POST', (flag) => `${ADMIN}/features/${flag}/tags`, { type: 'simple', value: 'a' }),
  once('a long tag', 'POST', (flag) => `${ADMIN}/features/${flag}/tags`, {
    type: 'simple',
    value: 'a'.repeat(51),
  }),
  once('a tag of an unknown type', 'POST', (flag) => `${ADMIN}/features/${flag}/tags`, {
    type: 'nosuch',
    value: 'aa',
  }),
  once('a tag without a value', 'POST', (flag) => `${ADMIN}/features/${flag}/tags`, { type: 'simple' }),
  once('a tag with more', 'POST', (flag) => `${ADMIN}/features/${flag}/tags`, {
    type: 'simple',
    value: 'aa',
    x: 1,
  }),
  once('a tag of what is not there', 'POST', () => `${ADMIN}/features/not.there/tags`, {
    type: 'simple',
    value: 'aa',
  }),
  once('tags of what is not there', 'GET', () => `${ADMIN}/features/not.there/tags`),
  once('a dependency on itself', 'POST', (flag) => `${FEATURES}/${flag}/dependencies`, {
    feature: 'not.there',
  }),
  once('a dependency without a parent', 'POST', (flag) => `${FEATURES}/${flag}/dependencies`, {}),
  once('a segment without a name', 'POST', () => `${ADMIN}/segments`, { constraints: [] }),
  once('a segment with an empty name', 'POST', () => `${ADMIN}/segments`, { name: '', constraints: [] }),
  once('a segment without constraints', 'POST', () => `${ADMIN}/segments`, { name: 'nameless' }),
  once('a segment that is not there', 'GET', () => `${ADMIN}/segments/999999`),
  once('PUT of a segment that is not there', 'PUT', () => `${ADMIN}/segments/999999`, {
    name: 'x',
    constraints: [],
  }),
  once('DELETE of a segment that is not there', 'DELETE', () => `${ADMIN}/segments/999999`),
  once('a segment whose id is no number', 'GET', () => `${ADMIN}/segments/abc`),
  once('an empty name of a segment to be validated', 'POST', () => `${ADMIN}/segments/validate`, {
    name: '',
  }),
  once('a context field that is there', 'POST', () => `${ADMIN}/context`, { name: 'userId' }),
  once('a context field with a bad name', 'POST', () => `${ADMIN}/context`, { name: 'a b' }),
  once('a context field without a name', 'POST', () => `${ADMIN}/context`, {}),
  once('a context field that is not there', 'GET', () => `${ADMIN}/context/not.there`),
  once('a search with a bad filter', 'GET', () => `${ADMIN}/search/features?project=default`),
  once('a name that is a list', 'POST', () => FEATURES, { name: ['a'] }),
  once('a description that is an object', 'POST', () => FEATURES, { name: 'x', description: {} }),
  once('impressionData that is a text', 'POST', () => FEATURES, { name: 'x', impressionData: 'maybe' }),
  once('tags that are an object', 'POST', () => FEATURES, { name: 'x', tags: {} }),
  once('a flag that is a list', 'POST', () => FEATURES, [1]),
  once('stale that is a text in PUT', 'PUT', (flag) => `${FEATURES}/${flag}`, { stale: 'maybe' }),
  once('legal values that are an object', 'POST', () => `${ADMIN}/context`, { name: 'x', legalValues: {} }),
  once('a legal value without a value', 'POST', () => `${ADMIN}/context`, { name: 'x', legalValues: [{}] }),
  once('segments that are a text', 'POST', () => `${ADMIN}/segments/strategies`, {
    projectId: 'default',
    strategyId: NOBODY,
    environmentId: 'production',
    segmentIds: 'x',
  }),
  once('segments of nothing', 'POST', () => `${ADMIN}/segments/strategies`, {}),
  once('an order that is an object', 'POST', (flag) => `${place(flag)}/strategies/set-sort-order`, {}),
  once('an order that is a text', 'POST', (flag) => `${place(flag)}/strategies/set-sort-order`, [
    { id: 'x', sortOrder: 'first' },
  ]),
  once('dependency variants that are a text', 'POST', (flag) => `${FEATURES}/${flag}/dependencies`, {
    feature: 'x',
    variants: 'v',
  }),
  strategy('constraints that are a text', { ...ROLLOUT, constraints: 'x' }),
  strategy('a constraint that is a text', { ...ROLLOUT, constraints: ['x'] }),
  strategy('parameters that are a list', { ...ROLLOUT, parameters: [] }),
  strategy('a parameter that is an object', { ...ROLLOUT, parameters: { ...PARAMETERS, x: {} } }),
  strategy('variants that are an object', { ...ROLLOUT, variants: {} }),
  strategy('disabled that is a text', { ...ROLLOUT, disabled: 'maybe' }),
  strategy('a segment that is a text', { ...ROLLOUT, segments: ['x'] }),
  strategy('values that are a text', {
    ...ROLLOUT,
    constraints: [{ contextName: 'a', operator: 'IN', values: 'x' }],
  }),
  strategy('a strategy without a name', { parameters: {} }),
  strategy('a strategy of an unknown type', { name: 'nosuch' }),
  strategy('a segment that does not exist', { ...ROLLOUT, segments: [999999] }),
  strategy('too many constraints', {
    ...ROLLOUT,
    constraints: Array.from({ length: 31 }, () => ({ contextName: 'a', operator: 'IN', values: ['x'] })),
  }),
  strategy('a title and no activity', { ...ROLLOUT, title: 't', disabled: true, sortOrder: 7 }),
  strategy('another type of strategy', { name: 'remoteAddress', parameters: { IPs: '127.0.0.1' } }),
  constrained('too many values', { operator: 'IN', values: Array.from({ length: 251 }, String) }),
  constrained('IN', { operator: 'IN', values: ['a'], inverted: true, caseInsensitive: true }),
  constrained('NUM_GT', { operator: 'NUM_GT', value: '7' }),
  constrained('NUM_GT of a text', { operator: 'NUM_GT', value: 'many' }),
  constrained('DATE_AFTER', { operator: 'DATE_AFTER', value: '2026-01-01T00:00:00.000Z' }),
  constrained('DATE_AFTER of a text', { operator: 'DATE_AFTER', value: 'soon' }),
  constrained('SEMVER_EQ', { operator: 'SEMVER_EQ', value: '1.2.3' }),
  constrained('SEMVER_EQ with a v', { operator: 'SEMVER_EQ', value: 'v1.2.3' }),
  constrained('REGEX', { operator: 'REGEX', value: '^a+$' }),
  constrained('REGEX inverted', { operator: 'REGEX', value: '^a+$', inverted: true }),
  constrained('STR_CONTAINS of nothing', { operator: 'STR_CONTAINS', values: [] }),
  constrained('an empty value', { operator: 'IN', values: [''] }),
  constrained('a long value', { operator: 'IN', values: ['x'.repeat(101)] }),
  constrained('a constraint with more', { operator: 'IN', values: ['a'], x: 1 }),
  constrained('no operator', { values: ['a'] }),
  constrained('no name of a field', { contextName: '', operator: 'IN', values: ['a'] }),
  varied('three variants', [{ name: 'a' }, { name: 'b' }, { name: 'c' }]),
  varied('a fixed variant', [{ name: 'b' }, { name: 'a', weightType: 'fix', weight: 300 }]),
  varied('only fixed variants', [{ name: 'a', weightType: 'fix', weight: 1000 }]),
  varied('too much fixed', [
    { name: 'a', weightType: 'fix', weight: 600 },
    { name: 'b', weightType: 'fix', weight: 600 },
    { name: 'c' },
  ]),
  varied('a variant with a blank', [{ name: 'a b' }]),
  varied('the same variant twice', [{ name: 'a' }, { name: 'a' }]),
  varied('a weight above 1000', [{ name: 'a', weight: 1001 }]),
  varied('a weight below 0', [{ name: 'a', weight: -1 }]),
  varied('an unknown type of weight', [{ name: 'a', weightType: 'heavy' }]),
  varied('a payload that is no JSON', [{ name: 'a', payload: { type: 'json', value: '{' } }]),
  varied('a payload of an unknown type', [{ name: 'a', payload: { type: 'xml', value: '<a/>' } }]),
  {
    name: 'a life of strategies',
    async run(send, flag) {
      await send('POST', FEATURES, { name: flag, description: 'd', impressionData: true });
      const first = idIn(await send('POST', `${place(flag)}/strategies`, { ...ROLLOUT, title: 'one' }));
      const second = idIn(await send('POST', `${place(flag)}/strategies`, { ...ROLLOUT, title: 'two' }));
      await send('POST', `${place(flag)}/on`);
      await send('PUT', `${place(flag)}/strategies/${first}`, { parameters: PARAMETERS });
      await send('PUT', `${place(flag)}/strategies/${first}`, {
        ...ROLLOUT,
        title: null,
        disabled: null,
        sortOrder: 9,
      });
      await send('PATCH', `${place(flag)}/strategies/${first}`, [
        { op: 'copy', from: '/id', path: '/title' },
      ]);
      await send('PATCH', `${place(flag)}/strategies/${first}`, [{ op: 'add', path: '/nosuch', value: 1 }]);
      await send('PATCH', `${place(flag)}/strategies/${first}`, [
        { op: 'replace', path: '/disabled', value: true },
      ]);
      await send('POST', `${place(flag)}/strategies/set-sort-order`, [
        { id: first, sortOrder: 5 },
        { id: second, sortOrder: 2 },
      ]);
      await send('GET', `${place(flag)}/strategies`);
      await send('GET', `${place(flag)}/strategies/${second}`);
      await send('PATCH', `${place(flag)}/strategies/${second}`, [
        { op: 'replace', path: '/disabled', value: true },
      ]);
      await send('GET', place(flag));
      await send('POST', `${place(flag)}/on?shouldActivateDisabledStrategies=true`);
      await send('GET', place(flag));
      await send('DELETE', `${place(flag)}/strategies/${first}`);
      await send('DELETE', `${place(flag)}/strategies/${second}`);
      await send('GET', place(flag));
      await send('DELETE', `${FEATURES}/${flag}`);
      await send('POST', `${place(flag)}/off`);
      await send('GET', `${FEATURES}/${flag}`);
      await send('GET', place(flag));
      await send('POST', `${ADMIN}/archive/revive/${flag}`);
      await send('GET', `${FEATURES}/${flag}?variantEnvironments=true`);
    },
  },
  {
    name: 'a strategy of another flag',
    async run(send, flag) {
      await send('POST', FEATURES, { name: flag });
      await send('POST', FEATURES, { name: `${flag}.other` });
      const id = idIn(await send('POST', `${place(flag)}/strategies`, ROLLOUT));
      await send('PUT', `${place(`${flag}.other`)}/strategies/${id}`, ROLLOUT);
      await send('DELETE', `${place(`${flag}.other`)}/strategies/${id}`);
    },
  },
  {
    name: 'metadata',
    async run(send, flag) {
      await send('POST', FEATURES, {
        name: flag,
        description: 'd',
      });
      await send('POST', `${ADMIN}/features/${flag}/tags`, { type: 'simple', value: 'diff' });
      await send('PUT', `${FEATURES}/${flag}`, { description: '', type: 'experiment', stale: true });
      await send('PUT', `${FEATURES}/${flag}`, { type: 'experiment', stale: true });
      await send('PATCH', `${FEATURES}/${flag}`, [{ op: 'replace', path: '/stale', value: false }]);
      await send('PATCH', `${FEATURES}/${flag}`, [{ op: 'test', path: '/type', value: 'experiment' }]);
      await send('GET', `${ADMIN}/features/${flag}/tags`);
      await send('GET', `${ADMIN}/search/features?query=${flag}&type=IS_ANY_OF:experiment,release`);
      await send('GET', `${ADMIN}/search/features?query=${flag}&state=IS:stale`);
      await send('GET', `${ADMIN}/search/features?query=${flag}&tag=INCLUDE:simple:diff`);
      await send('GET', `${ADMIN}/search/features?query=${flag}&tag=DO_NOT_INCLUDE:simple:diff`);
      await send('GET', `${ADMIN}/search/features?query=${flag}&createdAt=IS_BEFORE:2020-01-01`);
      await send('GET', `${ADMIN}/search/features?query=${flag}&status=production:enabled`);
      await send('GET', `${ADMIN}/search/features?query=${flag}&status[]=production:disabled`);
      await send('PUT', `${ADMIN}/features/${flag}/tags`, {
        addedTags: [{ type: 'simple', value: 'more' }],
        removedTags: [{ type: 'simple', value: 'diff' }],
      });
      await send('DELETE', `${ADMIN}/features/${flag}/tags/simple/more`);
      await send('DELETE', `${ADMIN}/features/not.there/tags/simple/more`);
    },
  },
  {
    name: 'dependencies',
    async run(send, flag) {
      const [parent, child, other] = [`${flag}.parent`, `${flag}.child`, `${flag}.other`];
      for (const name of [parent, child, other]) await send('POST', FEATURES, { name });
      await send('POST', `${FEATURES}/${child}/dependencies`, { feature: child });
      await send('POST', `${FEATURES}/${child}/dependencies`, { feature: parent, variants: ['v'] });
      await send('POST', `${FEATURES}/${other}/dependencies`, { feature: child });
      await send('POST', `${FEATURES}/${parent}/dependencies`, { feature: other });
      await send('GET', `${FEATURES}/${child}`);
      await send('GET', `${FEATURES}/${parent}`);
      await send('DELETE', `${FEATURES}/${parent}`);
      await send('DELETE', `${ADMIN}/archive/${parent}`);
      await send('POST', `${FEATURES}/${child}/clone`, { name: `${flag}.clone` });
      await send('GET', `${FEATURES}/${flag}.clone`);
      await send('POST', `${FEATURES}/${child}/dependencies`, { feature: other, enabled: false });
      await send('GET', `${FEATURES}/${child}`);
      await send('DELETE', `${FEATURES}/${child}/dependencies/${other}`);
      await send('POST', `${FEATURES}/${child}/dependencies`, { feature: other });
      await send('DELETE', `${FEATURES}/${child}`);
      await send('POST', `${FEATURES}/${other}/dependencies`, { feature: child });
      await send('DELETE', `${ADMIN}/archive/${child}`);
      await send('POST', FEATURES, { name: child });
    },
  },
  {
    name: 'segments',
    async run(send, flag) {
      const constraints = [{ contextName: 'tenant', operator: 'IN', values: ['acme'] }];
      await send('POST', FEATURES, { name: flag });
      const segment = { name: flag, description: 'd', constraints };
      const id = Number(idIn(await send('POST', `${ADMIN}/segments`, segment)));
      await send('POST', `${ADMIN}/segments`, segment);
      await send('POST', `${ADMIN}/segments/validate`, { name: flag });
      await send('POST', `${ADMIN}/segments/validate`, { name: `${flag}.free` });
      await send('POST', `${ADMIN}/segments`, {
        name: 'many',
        constraints: [
          { contextName: 'a', operator: 'IN', values: Array.from({ length: 1001 }, (_, i) => `v${i}`) },
        ],
      });
      await send('PUT', `${ADMIN}/segments/${id}`, { name: flag, constraints: [] });
      await send('GET', `${ADMIN}/segments/${id}`);
      const strategyId = idIn(
        await send('POST', `${place(flag)}/strategies`, { ...ROLLOUT, segments: [id] }),
      );
      await send('GET', `${ADMIN}/segments/strategies/${strategyId}`);
      await send('GET', `${ADMIN}/segments/strategies/${NOBODY}`);
      await send('GET', `${ADMIN}/segments/${id}/strategies`);
      await send('DELETE', `${ADMIN}/segments/${id}`);
      await send('PUT', `${place(flag)}/strategies/${strategyId}`, ROLLOUT);
      await send('PUT', `${place(flag)}/strategies/${strategyId}`, { ...ROLLOUT, segments: [] });
      await send('DELETE', `${ADMIN}/segments/${id}`);
      await send('GET', `${ADMIN}/segments/${id}`);
    },
  },
  {
    name: 'a clone',
    async run(send, flag) {
      const constraints = [{ contextName: 'tenant', operator: 'IN', values: ['acme'] }];
      const variants = [{ name: 'a', weight: 1, weightType: 'variable', stickiness: 'default' }];
      await send('POST', FEATURES, {
        name: flag,
        description: 'd',
        type: 'experiment',
        impressionData: true,
      });
      const id = Number(idIn(await send('POST', `${ADMIN}/segments`, { name: flag, constraints })));
      await send('POST', `${place(flag)}/strategies`, { ...ROLLOUT, title: 't', constraints, variants });
      await send('POST', `${place(flag)}/strategies`, { ...ROLLOUT, disabled: true });
      await send('POST', `${place(flag, 'development')}/strategies`, { ...ROLLOUT, segments: [id] });
      await send('POST', `${place(flag)}/on`);
      await send('POST', `${ADMIN}/features/${flag}/tags`, { type: 'simple', value: 'diff' });
      await send('POST', `${FEATURES}/${flag}/clone`, { name: flag });
      await send('POST', `${FEATURES}/${flag}/clone`, { name: `${flag}.clone`, replaceGroupId: false });
      await send('GET', `${FEATURES}/${flag}.clone`);
      await send('POST', `${FEATURES}/${flag}/clone`, { name: `${flag}.clone.2` });
      await send('GET', place(`${flag}.clone.2`));
      await send('GET', `${ADMIN}/features/${flag}.clone.2/tags`);
      await send('GET', `${ADMIN}/segments/${id}`);
      await send('DELETE', `${FEATURES}/${flag}.clone.2`);
      await send('POST', `${FEATURES}/${flag}.clone.2/clone`, { name: `${flag}.clone.3` });
    },
  },
  {
    name: 'legal values',
    async run(send, flag) {
      const field = `${flag}.field`;
      await send('POST', FEATURES, { name: flag });
      await send('POST', `${ADMIN}/context/validate`, { name: field });
      await send('POST', `${ADMIN}/context`, {
        name: field,
        legalValues: [{ value: 'acme' }, { value: 'acme' }],
      });
      await send('POST', `${ADMIN}/context`, {
        name: field,
        legalValues: [{ value: 'acme', description: 'd' }],
      });
      await send('POST', `${ADMIN}/context`, { name: field });
      await send('GET', `${ADMIN}/context/${field}`);
      for (const value of ['acme', 'other']) {
        const constraints = [{ contextName: field, operator: 'IN', values: [value] }];
        await send('POST', `${place(flag)}/strategies`, { ...ROLLOUT, constraints });
      }
      await send('GET', `${ADMIN}/context`, undefined, field);
      await send('DELETE', `${FEATURES}/${flag}`);
      await send('GET', `${ADMIN}/context`, undefined, field);
    },
  },
];

function isRefusal(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    'details' in value &&
    'id' in value &&
    value.id !== undefined
  );
}

function itemIn(value: unknown, name: string): unknown {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  return items.find((one) => typeof one === 'object' && one !== null && 'name' in one && one.name === name);
}

/** Of a tag that was taken off Unleash logs the colour too. */
function withoutColor(tag: object): object {
  return { ...tag, color: undefined };
}

/** Answers and, at the end, the audit log of the flag, with everything that differs between any two runs taken out. */
async function play(url: string, token: string, { run }: Case, flag: string): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  const ids = new Map<string, string>();
  const comparable = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value ?? null, (key, inner: unknown) => {
        if (['lifecycle', 'collaborators', 'label', 'summary', 'groupId'].includes(key)) return undefined;
        if (key === 'createdBy' && typeof inner === 'object') return undefined;
        if (key === 'id' && typeof inner === 'number') return 'NUMBER';
        // Unleash gives some refusals an id to be found by.
        if (key === 'tags' && Array.isArray(inner)) return inner.map(withoutColor);
        if (isRefusal(inner)) return { ...inner, id: undefined };
        if (key === 'segments' && Array.isArray(inner)) {
          return inner.map((one: unknown) => (typeof one === 'number' ? 'NUMBER' : one));
        }
        return inner;
      })
        .replace(/ID \\"\d+\\"/g, 'ID NUMBER')
        .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'TIME')
        .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
          ids.set(id, ids.get(id) ?? `ID ${ids.size}`);
          return ids.get(id) ?? id;
        }),
    );
  await run(async (method, path, body, only) => {
    const answer = await call(url, method, path, body, token);
    seen.push({
      asked: comparable(`${method} ${path.replace(/segments\/\d+/, 'segments/NUMBER')}`),
      status: answer.status,
      body: comparable(only === undefined ? answer.body : itemIn(answer.body, only)),
    });
    return answer.body;
  }, flag);
  const { body } = await call(
    url,
    'GET',
    `${ADMIN}/search/events?feature=IS:${flag}&limit=100`,
    undefined,
    token,
  );
  const { events } = body as { events: { type: string; data: unknown; preData: unknown; tags: unknown }[] };
  seen.push(
    events.map(({ type, data, preData, tags }) => comparable({ type, data, preData, tags })).toReversed(),
  );
  return seen;
}

test.each(CASES.map((one, index) => ({ ...one, index })))('$name: as a real Unleash does it', async (one) => {
  const { url, adminToken } = inject('unleash');
  const ours = await startServer({ policy: 'unleash' });
  const flag = `diff.${one.index}`;
  const theirs = await play(url, adminToken, one, flag);
  expect(await play(ours.url, TOKENS.admin, one, flag)).toEqual(theirs);
});

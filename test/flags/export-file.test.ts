import { expect, test } from 'vitest';
import { definitionsOf, parseExportFile, TransferError } from '../../flags/move/export-file.ts';
import { exportedFlags } from './exported.ts';

type Exported = ReturnType<typeof exportedFlags>['environments'][string];

function parsed(change: (exported: Exported) => unknown = () => undefined, more: object = {}) {
  const exported = exportedFlags('p');
  for (const environment of Object.values(exported.environments)) change(environment);
  return parseExportFile(JSON.stringify({ ...exported, ...more }));
}

test.each([
  ['[]', /schema is not fig\.flags\/1/],
  ['{"schema":"fig.flags/2","environments":{}}', /schema is not fig\.flags\/1/],
  ['{"schema":"fig.flags/1"}', /names no environments/],
  ['{"schema":"fig.flags/1","environments":{"e":[]}}', /environment e is no export/],
  [
    '{"schema":"fig.flags/1","environments":{"e":{"features":[]}}}',
    /environment e has no list featureStrategies/,
  ],
  [
    '{"schema":"fig.flags/1","environments":{"e":{"features":[1],"featureStrategies":[]}}}',
    /features of .* no list of objects/,
  ],
  [
    '{"schema":"fig.flags/1","environments":{"e":{"features":[{}],"featureStrategies":[]}}}',
    /a flag of .* no name/,
  ],
])('%s is refused with where it is wrong', (text, message) => {
  expect(() => parseExportFile(text)).toThrow(TransferError);
  expect(() => parseExportFile(text)).toThrow(message);
});

test('a strategy of a flag that is not in the file is refused', () => {
  expect(() => parsed(({ features }) => features.shift())).toThrow(
    /strategy of p\.serve, which it does not have/,
  );
});

test('more flags than a project can have are refused', () => {
  const many = Array.from({ length: 5_001 }, (_, i) => ({ name: `f-${i}` }));
  const file = { schema: 'fig.flags/1', environments: { e: { features: many, featureStrategies: [] } } };
  expect(() => parseExportFile(JSON.stringify(file))).toThrow(/5001 flags, more than 5000/);
});

test('constraints of segments may stand beside the environments, found by name', () => {
  const segments = [{ id: 99, name: 'p-beta', constraints: [{ contextName: 'tenant' }] }];
  const [one] = parsed((exported) => Object.assign(exported, { segments: [{ id: 11, name: 'p-beta' }] }), {
    segments,
  });
  expect(one?.segments).toEqual([
    { id: 11, name: 'p-beta', description: null, constraints: [{ contextName: 'tenant' }] },
  ]);
});

test('disabled strategies are not what a client is given, and the others keep their order', () => {
  const [one] = parsed();
  if (one === undefined) throw new Error('no environment');
  const ordered = definitionsOf(one, []).features.find(({ name }) => name === 'p.ordered');
  expect(ordered?.strategies?.map(({ segments }) => segments)).toEqual([[11], undefined, [12]]);
});

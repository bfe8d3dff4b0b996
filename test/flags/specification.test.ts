import { join } from 'node:path';
import { InMemStorageProvider, Unleash, type UnleashConfig, UnleashEvents } from 'unleash-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createIds } from '../../flags/server/ids.ts';
import { canonicalJson } from '../../flags/server/semantics.ts';
import { replaceState } from '../../flags/server/state.ts';
import { openStore } from '../../flags/server/store.ts';
import { createTable } from '../../flags/table.ts';
import { evaluate, type SpecificationFile, type State, specification } from './specification.ts';
import { clock, recordingLog, startServer, TOKENS, tempDir, until } from './world.ts';

const ENVIRONMENT = 'production';
const ACTOR = { name: 'test', userId: 1 };
const FILES = specification();
/** Cases of each file, so that none can be lost unseen: 279 in all. */
const CASES = [5, 5, 6, 6, 4, 6, 6, 17, 17, 10, 6, 9, 46, 25, 6, 11, 39, 2, 1, 3, 37, 12];
const NUMBERED = FILES.map((file, index) => [file.name, CASES[index], file] as const);
const NO_STATE: State = { features: [], segments: [] };

/** The SDK as anybody would configure it; in memory, because it still writes a backup file after `destroy`. */
function sdk(url: string, config: Partial<UnleashConfig>): Unleash {
  const unleash = new Unleash({
    appName: 'specification',
    url: `${url}/api/`,
    customHeaders: { Authorization: TOKENS.client },
    refreshInterval: 5,
    disableMetrics: true,
    storageProvider: new InMemStorageProvider(),
    skipInstanceCountWarning: true,
    ...config,
  });
  unleash.on('error', (error) => {
    throw error;
  });
  onTestFinished(() => unleash.destroy());
  return unleash;
}

function byName(features: readonly { readonly name: string }[]) {
  return features.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

test('all 22 files with their 279 cases are there', () => {
  expect(FILES).toHaveLength(22);
  expect(FILES.map(({ tests, variantTests }) => tests.length + variantTests.length)).toEqual(CASES);
  expect(CASES.reduce((sum, count) => sum + count)).toBe(279);
});

describe.each<[string, Partial<UnleashConfig>]>([
  ['polling', { experimentalMode: { type: 'polling', format: 'full' } }],
  ['polling deltas', { experimentalMode: { type: 'polling', format: 'delta' } }],
  ['streaming', { experimentalMode: { type: 'streaming' } }],
])('the SDK when %s', (_mode, config) => {
  test.each(NUMBERED)('agrees with %s in %d cases', async (_name, count, file) => {
    const { server, url } = await startServer();
    const [first = NO_STATE, ...later] = file.states;
    server.replaceState(ENVIRONMENT, first);
    const unleash = sdk(url, config);
    await new Promise((resolve) => unleash.once(UnleashEvents.Synchronized, resolve));
    for (const state of later) {
      server.replaceState(ENVIRONMENT, state);
      const wanted = canonicalJson(byName(state.features));
      await until(() => canonicalJson(byName(unleash.getFeatureToggleDefinitions())) === wanted, 2000);
    }
    expect(evaluate(unleash, file)).toBe(count);
  });
});

describe('a state that was stored', () => {
  test.each(NUMBERED)(
    'is given to clients again as %s has it, also after another start, in %d cases',
    async (_name, count, file) => {
      const path = join(tempDir(), 'flags.db');
      const before = openStore({ file: path, clock, ids: createIds(clock), log: recordingLog() });
      const state = stored(before, file);
      before.close();
      const { server, url } = await startServer({ file: path });
      expect(server.table(ENVIRONMENT)).toEqual(state);
      const response = await fetch(`${url}/api/client/features`, {
        headers: { authorization: TOKENS.client, 'unleash-client-spec': '5.2.0' },
      });
      expect(await response.json()).toMatchObject(state);
      const unleash = sdk(url, {});
      await new Promise((resolve) => unleash.once(UnleashEvents.Synchronized, resolve));
      expect(evaluate(unleash, file)).toBe(count);
    },
  );
});

/** Puts the states of a file into the store, one after the other; gives the last. */
function stored(store: ReturnType<typeof openStore>, { states }: SpecificationFile): State {
  for (const state of states) replaceState(store, ACTOR, ENVIRONMENT, state);
  return states.at(-1) ?? NO_STATE;
}

describe('the SDK over a table in memory', () => {
  test.each(NUMBERED)('agrees with %s in %d cases', (_name, count, file) => {
    const table = createTable();
    const unleash = sdk('http://local.invalid', { repository: table, disableAutoStart: true });
    for (const state of file.states) table.swap(JSON.parse(JSON.stringify(state)));
    expect(evaluate(unleash, file)).toBe(count);
  });
});

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { FlagServerError } from '../../flags/admin/admin-http.ts';
import { createWriter } from '../../flags/writer.ts';
import type { FlagWriter } from '../../router/core/ports.ts';
import { call, recordingLog } from './world.ts';

const FEATURES = '/api/admin/projects/default/features';
const SEED = 'orders-seed';

/** A flag server for one test; it may be shared, so every test takes a group name of its own. */
export interface WriterServer {
  /** Origin. */
  readonly url: string;
  readonly adminToken: string;
}

interface World {
  readonly group: string;
  readonly writer: FlagWriter;
  /** Path of the serve flag, and of its place in the environment. */
  readonly serve: string;
  readonly place: string;
  /** A call of the admin API as a person makes it; rejects unless it succeeds. */
  person(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Names and parameters of what decides about a flag in the environment. */
  shape(flag?: 'serve' | 'shadow'): Promise<unknown>;
}

/** What the writer does to flags, by what a person sees in the server's admin API. One suite for every server. */
export function describeWriter(name: string, start: () => Promise<WriterServer>): void {
  async function world(): Promise<World> {
    const { url, adminToken } = await start();
    const group = `w-${randomBytes(6).toString('hex')}`;
    const serve = `${FEATURES}/fig.${group}.serve`;
    const person = async (method: string, path: string, body?: unknown) => {
      const answer = await call(url, method, path, body, adminToken);
      if (answer.status >= 300)
        throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body;
    };
    return {
      group,
      writer: createWriter({
        url,
        token: adminToken,
        environment: 'production',
        project: 'default',
        fetch,
        log: recordingLog(),
      }),
      serve,
      place: `${serve}/environments/production`,
      person,
      shape: async (flag = 'serve') =>
        shapeIn(await person('GET', `${FEATURES}/fig.${group}.${flag}/environments/production`)),
    };
  }

  const canonical = (rollout: string, groupId = SEED) => ({
    enabled: true,
    strategies: [{ name: 'flexibleRollout', parameters: { rollout, stickiness: 'figUnit', groupId } }],
  });

  describe(name, () => {
    test('ensure makes both flags in our shape at their shares, and a second time changes nothing', async () => {
      const { writer, group, shape } = await world();
      expect(await writer.ensure(group, SEED, { serve: 0, shadow: 100 })).toBe('written');
      expect(await shape()).toEqual(canonical('0'));
      expect(await shape('shadow')).toEqual(canonical('100', `${SEED}.shadow`));
      expect(await writer.ensure(group, SEED, { serve: 50, shadow: 50 })).toBe('unchanged');
      expect(await shape()).toEqual(canonical('0'));
    });

    test('a share is written, and written again is unchanged', async () => {
      const { writer, group, shape } = await world();
      await writer.ensure(group, SEED, { serve: 0, shadow: 0 });
      expect(await writer.setServeShare(group, 25, 0, '17')).toBe('written');
      expect(await writer.setServeShare(group, 25, 0, '17')).toBe('unchanged');
      expect(await writer.setShadowShare(group, 5, null, '18')).toBe('written');
      expect(await shape()).toEqual(canonical('25'));
      expect(await shape('shadow')).toEqual(canonical('5', `${SEED}.shadow`));
    });

    test('share 0 leaves the flag on with nobody in it', async () => {
      const { writer, group, shape } = await world();
      await writer.ensure(group, SEED, { serve: 100, shadow: 0 });
      expect(await writer.setServeShare(group, 0, 100, '2')).toBe('written');
      expect(await shape()).toEqual(canonical('0'));
    });

    test('a share that moved since is a conflict, and stays', async () => {
      const { writer, group, shape } = await world();
      await writer.ensure(group, SEED, { serve: 10, shadow: 0 });
      expect(await writer.setServeShare(group, 25, 5, '17')).toBe('conflict');
      expect(await shape()).toEqual(canonical('10'));
    });

    test('the reference of a move is in the title of the strategy, and the move is one event', async () => {
      const { writer, group, place, person } = await world();
      await writer.ensure(group, SEED, { serve: 10, shadow: 0 });
      await writer.setServeShare(group, 25, 10, '4711');
      expect(await person('GET', `${place}/strategies`)).toMatchObject([{ title: 'fig:4711' }]);
      const { events } = (await person('GET', '/api/admin/search/events?limit=1000')) as {
        events: { type: string; featureName: string | null }[];
      };
      const ours = events.filter(({ featureName }) => featureName === `fig.${group}.serve`);
      expect(ours.map(({ type }) => type).toReversed()).toEqual([
        'feature-created',
        'feature-strategy-add',
        'feature-environment-enabled',
        'feature-strategy-update',
      ]);
    });

    test.each([
      ['a second strategy', 'POST', '/strategies', strategyOf('50', 'random')],
      ['a switch turned off', 'POST', '/off', undefined],
    ])('%s is foreign and stays, also for share 0', async (_what, method, path, body) => {
      const { writer, group, place, person, shape } = await world();
      await writer.ensure(group, SEED, { serve: 10, shadow: 0 });
      await writer.setServeShare(group, 20, 10, '1');
      await person(method, place + path, body);
      const before = await shape();
      expect(await writer.setServeShare(group, 0, null, '17')).toBe('foreign');
      expect(await writer.ensure(group, SEED, { serve: 20, shadow: 0 })).toBe('foreign');
      expect(await shape()).toEqual(before);
    });

    test.each([
      ['stickiness', 'random'],
      ['groupId', 'another'],
    ])('a %s that a person changed is foreign', async (parameter, value) => {
      const { writer, group, place, person } = await world();
      await writer.ensure(group, SEED, { serve: 10, shadow: 0 });
      const [strategy] = (await person('GET', `${place}/strategies`)) as { id: string }[];
      const patch = [{ op: 'replace', path: `/parameters/${parameter}`, value }];
      await person('PATCH', `${place}/strategies/${strategy?.id}`, patch);
      expect(await writer.setServeShare(group, 25, 10, '1')).toBe('foreign');
    });

    test('a flag that is not there is foreign', async () => {
      const { writer, group } = await world();
      expect(await writer.setServeShare(group, 0, null, '17')).toBe('foreign');
    });

    test('a flag of another hash seed is foreign', async () => {
      const { writer, group } = await world();
      await writer.ensure(group, 'seed-1', { serve: 10, shadow: 0 });
      expect(await writer.ensure(group, 'seed-2', { serve: 10, shadow: 0 })).toBe('foreign');
    });

    test('an archived flag is an error that says what to do', async () => {
      const { writer, group, serve, person } = await world();
      await writer.ensure(group, SEED, { serve: 10, shadow: 0 });
      await person('DELETE', serve);
      const again = writer.ensure(group, SEED, { serve: 10, shadow: 0 });
      await expect(again).rejects.toThrow(/archived.*revive/);
      await expect(again).rejects.toBeInstanceOf(FlagServerError);
      expect(await writer.setServeShare(group, 20, 10, '1')).toBe('foreign');
    });

    test.each([1, 2])(
      'an ensure that was cut off after step %i is finished by the next one',
      async (steps) => {
        const { writer, group, place, person, shape } = await world();
        await person('POST', FEATURES, { name: `fig.${group}.serve`, type: 'release' });
        if (steps === 2)
          await person('POST', `${place}/strategies`, {
            ...strategyOf('10', 'figUnit', SEED),
            title: 'fig:new',
          });
        expect(await writer.ensure(group, SEED, { serve: 10, shadow: 0 })).toBe('written');
        expect(await shape()).toEqual(canonical('10'));
      },
    );

    test('a wrong token is an error with its status', async () => {
      const { url } = await start();
      const deps = { url, environment: 'production', project: 'default', fetch, log: recordingLog() };
      const writer = createWriter({ ...deps, token: '*:*.not-a-token-of-this-server' });
      await expect(writer.setServeShare('orders', 1, null, '1')).rejects.toMatchObject({ status: 401 });
    });
  });
}

function strategyOf(rollout: string, stickiness: string, groupId = 'x') {
  return { name: 'flexibleRollout', parameters: { rollout, stickiness, groupId } };
}

function shapeIn(body: unknown) {
  const { enabled, strategies } = body as {
    enabled: boolean;
    strategies: { name: string; parameters: unknown }[];
  };
  return { enabled, strategies: strategies.map(({ name, parameters }) => ({ name, parameters })) };
}

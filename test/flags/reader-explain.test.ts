import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createReaderCatalog } from '../../flags/reader-catalog.ts';
import { call, startReader, startServer, subject, writerFor } from './world.ts';

const KEYS = Array.from({ length: 300 }, (_, i) =>
  createHash('sha256').update(`user-${i}`).digest('hex').slice(0, 32),
);
const OWNERSHIP = {
  environment: 'production',
  seedOf: (group: string) => (group === 'orders' ? 'orders' : null),
};

async function world(properties: readonly string[] = []) {
  const { url, server } = await startServer();
  await writerFor(url).ensure('orders', 'orders', { serve: 25, shadow: 50 });
  const { reader } = startReader({ source: { kind: 'local', server }, properties });
  return { url, reader };
}

describe('a reader explains', () => {
  test('for every unit what it reads', async () => {
    const { reader } = await world();
    for (const key of KEYS) {
      const read = reader.read('orders', subject(key));
      const { serve, shadow } = reader.explain('orders', subject(key));
      expect([serve.answer, shadow.answer]).toEqual([read.serve, read.shadow]);
    }
  });

  test('with the properties that constraints may see, and no others', async () => {
    const { url, reader } = await world(['tenant']);
    const place = '/api/admin/projects/default/features/fig.orders.serve/environments/production/strategies';
    const [strategy] = (await call(url, 'GET', place)).body as { id: string }[];
    const constraints = [
      { contextName: 'tenant', operator: 'IN', values: ['acme'] },
      { contextName: 'plan', operator: 'IN', values: ['gold'] },
    ];
    const patch = [{ op: 'replace', path: '/constraints', value: constraints }];
    expect((await call(url, 'PATCH', `${place}/${strategy?.id}`, patch)).status).toBe(200);
    const why = (given: Record<string, string>) =>
      reader.explain('orders', { ...subject(KEYS[0] ?? ''), properties: given }).serve.strategies[0]?.why;
    expect(why({ tenant: 'globex' })).toBe('constraint tenant IN [acme]: tenant is "globex"');
    expect(why({ tenant: 'acme', plan: 'gold' })).toBe('constraint plan IN [gold]: plan is missing');
  });

  test('why it knows nothing: no data, no unit, no flag', async () => {
    const { reader } = await world();
    const { reader: blind } = startReader({
      source: { kind: 'poll', url: 'http://127.0.0.1:1', token: 'default:production.0123456789abcdef' },
    });
    const unit = subject(KEYS[0] ?? '');
    expect(blind.explain('orders', unit).serve).toEqual({
      name: 'fig.orders.serve',
      answer: 'unknown',
      why: 'no flag was read yet',
      strategies: [],
    });
    expect(reader.explain('orders', subject(null)).shadow.why).toBe('the request carries no unit');
    expect(reader.explain('carts', unit).serve.why).toBe('there is no such flag');
  });
});

describe('the catalog of a reader', () => {
  test('lists and shows what the reader has, with the shape of a group’s flag', async () => {
    const { url, reader } = await world();
    const catalog = createReaderCatalog(reader.table, OWNERSHIP);
    await call(
      url,
      'POST',
      '/api/admin/projects/default/features/fig.orders.shadow/environments/production/off',
    );
    expect(await catalog.list('production', false)).toMatchObject({
      kind: 'answered',
      value: [
        { name: 'fig.orders.serve', enabled: true, share: 25, owner: { flag: 'serve', foreign: false } },
        { name: 'fig.orders.shadow', enabled: false, share: 50, owner: { flag: 'shadow', foreign: true } },
      ],
    });
    expect(await catalog.show('fig.orders.serve')).toMatchObject({
      kind: 'answered',
      value: {
        tags: null,
        environments: [{ name: 'production', strategies: [{ parameters: { rollout: '25' } }] }],
        definition: { name: 'fig.orders.serve', strategies: [{ name: 'flexibleRollout' }] },
      },
    });
    expect(await catalog.show('nope')).toEqual({ kind: 'answered', value: null });
  });

  test('of a reader without data says so', async () => {
    const catalog = createReaderCatalog(() => null, OWNERSHIP);
    const failed = { kind: 'failed', reason: 'unreachable', why: 'no flag was read yet' };
    expect(await catalog.list('production', false)).toEqual(failed);
    expect(await catalog.show('fig.orders.serve')).toEqual(failed);
  });

  test('of another environment than the one that is read says so', async () => {
    const { reader } = await world();
    const reply = await createReaderCatalog(reader.table, OWNERSHIP).list('development', false);
    expect(reply).toMatchObject({ kind: 'failed', reason: 'no-environment' });
  });
});

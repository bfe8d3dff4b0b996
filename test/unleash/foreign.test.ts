import { expect, inject, onTestFinished, test } from 'vitest';
import { createWriter } from '../../flags/writer.ts';
import { call, fresh, recordingLog, startReader, until } from '../flags/world.ts';
import { ANA, controlPlane, shadowOn, shiftTo } from '../helpers/control.ts';

const FEATURES = '/api/admin/projects/default/features';
const CONSTRAINT = {
  contextName: 'userId',
  operator: 'IN',
  values: ['ana'],
  inverted: false,
  caseInsensitive: false,
};
const VARIANT = { name: 'a', weight: 1000, weightType: 'variable', stickiness: 'default' };

/** A person at the serve flag of a group of a real Unleash. */
function person(group: string) {
  const { url, adminToken } = inject('unleash');
  const flag = `${FEATURES}/fig.${group}.serve`;
  const send = async (method: string, path: string, body?: unknown) => {
    const answer = await call(url, method, path, body, adminToken);
    expect(answer.status, `${method} ${path} ${JSON.stringify(answer.body)}`).toBeLessThan(300);
    return answer.body;
  };
  const here = `${flag}/environments/production`;
  const strategy = async () => {
    const [first] = (await send('GET', `${here}/strategies`)) as [{ id: string }];
    return `${here}/strategies/${first.id}`;
  };
  const patch = async (path: string, value: unknown) =>
    send('PATCH', await strategy(), [{ op: 'replace', path, value }]);
  return { flag, here, send, strategy, patch };
}

function writer() {
  const { url, adminToken: token } = inject('unleash');
  return createWriter({
    url,
    token,
    environment: 'production',
    project: 'default',
    fetch,
    log: recordingLog(),
  });
}

type Person = ReturnType<typeof person>;
const EDITS: readonly (readonly [string, (by: Person, group: string) => Promise<unknown>, string | null])[] =
  [
    ['rollout', (by) => by.patch('/parameters/rollout', '40'), null],
    ['half', (by) => by.patch('/parameters/rollout', '12.5'), 'rollout "12.5"'],
    ['stickiness', (by) => by.patch('/parameters/stickiness', 'random'), 'stickiness random'],
    ['seed', (by) => by.patch('/parameters/groupId', 'mine'), 'hash seed "mine"'],
    ['constraint', (by) => by.patch('/constraints', [CONSTRAINT]), 'constraint'],
    ['variant', (by) => by.patch('/variants', [VARIANT]), 'variants'],
    ['disabled', (by) => by.patch('/disabled', true), 'switched off, its strategy is disabled'],
    [
      'second',
      (by) => by.send('POST', `${by.here}/strategies`, { name: 'default', parameters: {} }),
      '2 strategies',
    ],
    ['off', (by) => by.send('POST', `${by.here}/off`), 'switched off'],
    ['archived', (by) => by.send('DELETE', by.flag), 'archived'],
    [
      'emptied-and-on',
      async (by) => {
        await by.send('DELETE', await by.strategy());
        await by.send('POST', `${by.here}/on`);
      },
      'stickiness default',
    ],
    [
      'segment',
      async (by) => {
        const segment = { name: `segment-${Date.now()}`, constraints: [CONSTRAINT] };
        const { id } = (await by.send('POST', '/api/admin/segments', segment)) as { id: number };
        const strategyId = (await by.strategy()).split('/').at(-1);
        const body = { projectId: 'default', strategyId, environmentId: 'production', segmentIds: [id] };
        await by.send('POST', '/api/admin/segments/strategies', body);
      },
      'segment',
    ],
    [
      'dependency',
      async (by) => {
        await by.send('POST', FEATURES, { name: 'parent-of-fig', type: 'release' });
        await by.send('POST', `${by.flag}/dependencies`, { feature: 'parent-of-fig', enabled: true });
      },
      'depends on parent-of-fig',
    ],
    [
      'impressions',
      (by) => by.send('PATCH', by.flag, [{ op: 'replace', path: '/impressionData', value: true }]),
      'impression data is on',
    ],
  ];

test.each(EDITS)(
  '%s: an edit is seen for what it is, with its editor, and put back on request',
  async (name, edit, what) => {
    const group = `edit-${name}`;
    const by = person(group);
    const ours = writer();
    await ours.ensure(group, group, { serve: 10, shadow: 0 }, { serve: '1', shadow: '1' });
    expect((await ours.look(group, group)).serve).toEqual({
      share: 10,
      ref: '1',
      what: null,
      archived: false,
    });
    await edit(by, group);
    const { serve } = await ours.look(group, group);
    if (what === null) expect(serve).toMatchObject({ share: 40, what: null });
    else expect(serve.what).toContain(what);
    expect(await ours.setServeShare(group, 5, 10, '2')).toBe(what === null ? 'conflict' : 'foreign');
    expect(await ours.ensure(group, group, { serve: 10, shadow: 0 }).catch(String)).toMatch(
      name === 'archived' ? /archived/ : what === null ? 'unchanged' : 'foreign',
    );
    expect((await ours.look(group, group)).serve).toEqual(serve);
    expect(await ours.lastEdit(group, 'serve', null)).toEqual({
      by: expect.stringMatching(/./),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    expect(await ours.restore(group, 'serve', group, 10, '3')).toBe('written');
    expect((await ours.look(group, group)).serve).toMatchObject({ share: 10, what: null });
    expect(await ours.restore(group, 'serve', group, 10, '3')).toBe('unchanged');
  },
);

test('flags are retired, and a second time nothing happens', async () => {
  const ours = writer();
  await ours.ensure('retired', 'retired', { serve: 10, shadow: 0 });
  await ours.retire('retired');
  await ours.retire('retired');
  const { serve, shadow } = await ours.look('retired', 'retired');
  expect([serve.archived, shadow.archived]).toEqual([true, true]);
});

test('moves converge, an edit by hand is recorded once and left alone until it is put back', async () => {
  const group = 'polled';
  const { url, clientTokens } = inject('unleash');
  const { reader } = startReader({
    source: { kind: 'poll', url, token: clientTokens.production, refreshMs: 250 },
  });
  await fresh(reader);
  const plane = controlPlane({ groups: [group], reader, writer, deadlineMs: 10_000, retryMs: 1_000 });
  onTestFinished(() => plane.converge.stop());
  plane.converge.start();
  await plane.moved(shadowOn, group);
  await plane.moved(shiftTo(10), group);
  await plane.moved(shiftTo(20), group);
  expect(reader.intent(group)).toEqual({ serve: 20, shadow: 100 });
  const told = () => plane.ledger.recent(group, 100).filter(({ type }) => type.startsWith('override.'));
  expect(told()).toEqual([]);
  await person(group).patch('/parameters/rollout', '40');
  await until(() => told().length > 0);
  expect(told()).toMatchObject([{ type: 'override.detected', body: { expected: 20, seen: '40' } }]);
  await until(() => reader.intent(group).serve === 40);
  const result = await plane.actions.move(group, { kind: 'restore-flags', reason: null }, ANA, null);
  expect(result).toMatchObject({ receipt: { flag: { state: 'verified' } } });
  expect(reader.intent(group).serve).toBe(20);
  expect(told()).toHaveLength(1);
});

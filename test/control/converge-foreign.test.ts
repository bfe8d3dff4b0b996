import { describe, expect, test } from 'vitest';
import { flagOf } from '../../flags/names.ts';
import { call, fresh, startReader, startServer, writerFor } from '../flags/world.ts';
import { ANA, type ControlPlane, controlPlane, shadowOn, shiftTo } from '../helpers/control.ts';

const SERVE = `/api/admin/projects/default/features/${flagOf('orders', 'serve')}`;
const HERE = `${SERVE}/environments/production`;
const STRATEGY = {
  name: 'flexibleRollout',
  parameters: { rollout: '50', stickiness: 'random', groupId: 'x' },
};

/** The control plane over the embedded flag server, with the serve flag at 10 %. */
async function world() {
  const { url, server } = await startServer();
  const { reader } = startReader({ source: { kind: 'local', server } });
  await fresh(reader);
  const plane = controlPlane({ writer: () => writerFor(url), reader, deadlineMs: 2_000 });
  plane.converge.start();
  await plane.moved(shadowOn);
  await plane.moved(shiftTo(10));
  const stored = async () => (await call(url, 'GET', SERVE)).body;
  return { plane, url, server, reader, stored };
}

/** Everything that is under way is over. */
async function looked({ converge }: ControlPlane): Promise<void> {
  await converge.settle('orders', 0);
  await converge.settle('orders', 0);
}

function overrides({ ledger }: ControlPlane) {
  return ledger
    .recent('orders', 100)
    .filter(({ type }) => type === 'override.detected' || type === 'override.cleared');
}

function patch(...operations: readonly (readonly [path: string, value: unknown])[]) {
  return async (url: string): Promise<void> => {
    const { body } = await call(url, 'GET', `${HERE}/strategies`);
    const [{ id }] = body as [{ id: string }];
    const sent = operations.map(([path, value]) => ({ op: 'replace', path, value }));
    expect((await call(url, 'PATCH', `${HERE}/strategies/${id}`, sent)).status).toBe(200);
  };
}

const CONSTRAINT = { contextName: 'userId', operator: 'IN', values: ['ana'], inverted: false };

/** What a person does, what is said of it, and what readers see of it. */
const EDITS: readonly (readonly [string, (url: string) => Promise<unknown>, string | null, string])[] = [
  ['a raised rollout', patch(['/parameters/rollout', '40']), null, '40'],
  ['a lowered rollout', patch(['/parameters/rollout', '4']), null, '4'],
  ['another stickiness', patch(['/parameters/stickiness', 'random']), 'stickiness random', 'custom'],
  ['another hash seed', patch(['/parameters/groupId', 'mine']), 'hash seed "mine"', 'custom'],
  ['a constraint', patch(['/constraints', [CONSTRAINT]]), 'constraint', 'custom'],
  ['a disabled strategy', patch(['/disabled', true]), 'switched off, its strategy is disabled', '0'],
  ['a second strategy', (url) => call(url, 'POST', `${HERE}/strategies`, STRATEGY), '2 strategies', 'custom'],
  ['switching it off', (url) => call(url, 'POST', `${HERE}/off`), 'switched off', '0'],
  ['archiving it', (url) => call(url, 'DELETE', SERVE), 'archived', 'missing'],
];

describe.each(EDITS)('%s by hand', (_name, edit, what, seen) => {
  test('is recorded once, with what it was, who did it and when', async () => {
    const { plane, url } = await world();
    await edit(url);
    await looked(plane);
    await looked(plane);
    expect(overrides(plane)).toMatchObject([
      {
        type: 'override.detected',
        body: {
          flag: 'serve',
          expected: 10,
          what: what === null ? null : expect.stringContaining(what),
          by: 'admin',
          at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        },
      },
    ]);
    expect(plane.ledger.state().groups.get('orders')?.foreign.serve?.seen).toBe(seen);
  });

  test('is left alone by the next move and by a rollback, and moves nobody above the ceiling', async () => {
    const { plane, url, stored } = await world();
    await edit(url);
    await looked(plane);
    const before = await stored();
    const result = await plane.actions.move('orders', shiftTo(20), ANA, null);
    expect(result).toMatchObject({
      receipt: { flag: { state: 'pending', why: expect.stringContaining('fig flags restore orders') } },
    });
    expect(plane.routing.get().groups.get('orders')?.ceiling).toBe(20);
    await plane.moved({ kind: 'rollback', reason: null });
    expect(plane.routing.get().groups.get('orders')?.ceiling).toBe(0);
    expect(await stored()).toEqual(before);
    expect(overrides(plane)).toHaveLength(1);
  });

  test('is put back on request, and recorded again when it is done again', async () => {
    const { plane, url, reader } = await world();
    await edit(url);
    await looked(plane);
    const result = await plane.actions.move('orders', { kind: 'restore-flags', reason: 'mine' }, ANA, null);
    expect(result).toMatchObject({ receipt: { flag: { state: 'verified' } } });
    expect(reader.intent('orders')).toEqual({ serve: 10, shadow: 100 });
    expect(plane.ledger.state().groups.get('orders')?.foreign.serve).toBeNull();
    expect(plane.converge.trouble('orders')).toBeNull();
    await edit(url);
    await looked(plane);
    expect(overrides(plane).map(({ type }) => type)).toEqual(['override.detected', 'override.detected']);
  });
});

test('a flag that its editor puts back is noticed once, and the same edit after that is another one', async () => {
  const { plane, url } = await world();
  for (const rollout of ['40', '10', '40']) {
    await patch(['/parameters/rollout', rollout])(url);
    await looked(plane);
    await looked(plane);
  }
  expect(overrides(plane).toReversed()).toMatchObject([
    { type: 'override.detected', body: { seen: '40' } },
    { type: 'override.cleared', body: { flag: 'serve', readBack: 10 } },
    { type: 'override.detected', body: { seen: '40' } },
  ]);
});

test('edits that follow each other faster than they are looked at are each recorded', async () => {
  const { plane, url } = await world();
  for (const rollout of ['40', '10', '60', '70']) await patch(['/parameters/rollout', rollout])(url);
  await looked(plane);
  expect(
    overrides(plane)
      .toReversed()
      .map(({ body }) => 'seen' in body && body.seen),
  ).toEqual(['40', false, '60', '70']);
});

test('what readers cannot see of a flag is found by the patrol', async () => {
  const { plane, url } = await world();
  await call(url, 'POST', `${HERE}/strategies`, { ...STRATEGY, disabled: true });
  plane.converge.wake();
  await plane.converge.stop();
  expect(overrides(plane)).toMatchObject([{ body: { what: expect.stringContaining('2 strategies') } }]);
});

test('a flag at 0 % that somebody switched off is not switched on at the next start', async () => {
  const { url, server } = await startServer();
  const { reader } = startReader({ source: { kind: 'local', server } });
  await fresh(reader);
  await writerFor(url).ensure('orders', 'orders', { serve: 0, shadow: 0 });
  await call(url, 'POST', `${HERE}/off`);
  const plane = controlPlane({ writer: () => writerFor(url), reader });
  plane.converge.start();
  await plane.converge.stop();
  expect(overrides(plane)).toMatchObject([{ body: { flag: 'serve', what: 'switched off' } }]);
});

test('an edit in place after a write whose answer was lost is told from that write by its title', async () => {
  const { url, server } = await startServer();
  const { reader } = startReader({ source: { kind: 'local', server } });
  await fresh(reader);
  const lost = { answers: false };
  const plane = controlPlane({
    reader,
    deadlineMs: 50,
    writer: () => {
      const real = writerFor(url);
      const setServeShare: typeof real.setServeShare = async (...of) => {
        const result = await real.setServeShare(...of);
        if (lost.answers) throw new Error('connection reset');
        return result;
      };
      return { ...real, setServeShare };
    },
  });
  await plane.moved(shadowOn);
  await plane.moved(shiftTo(10));
  lost.answers = true;
  await plane.moved(shiftTo(20));
  // Back to the share that was acknowledged last: by its value alone it would be a write that never arrived.
  await patch(['/parameters/rollout', '10'])(url);
  lost.answers = false;
  await looked(plane);
  expect(reader.intent('orders').serve).toBe(10);
  expect(overrides(plane)).toMatchObject([{ body: { expected: 20, seen: '10' } }]);
});

test('a flag that was lowered or switched off takes effect, and status shows both shares', async () => {
  const { plane, url, reader } = await world();
  await patch(['/parameters/rollout', '4'])(url);
  expect(reader.intent('orders').serve).toBe(4);
  await call(url, 'POST', `${HERE}/off`);
  expect(reader.intent('orders').serve).toBe(0);
  await looked(plane);
  expect(plane.ledger.state().groups.get('orders')).toMatchObject({
    share: 10,
    foreign: { serve: { seen: '0' } },
  });
});

test('without an admin token an edit is recorded as readers see it, and so is that it was put back', async () => {
  const plane = controlPlane({ writer: () => null });
  plane.converge.start();
  await plane.moved(shadowOn);
  await plane.flags.writer.ensure('orders', 'orders', { serve: 0, shadow: 100 });
  for (const as of [40, 'custom', 0, 40] as const) plane.flags.tamper('fig.orders.serve', as);
  await plane.converge.settle('orders', 0);
  expect(overrides(plane).toReversed()).toMatchObject([
    { body: { expected: 0, seen: '40', what: null } },
    { body: { expected: 0, seen: 'custom' } },
    { type: 'override.cleared' },
    { body: { expected: 0, seen: '40' } },
  ]);
});

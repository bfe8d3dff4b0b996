import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explain } from '../../router/control/explain.ts';
import { choose } from '../../router/core/choose.ts';
import { MOUNT_DEFAULTS } from '../../router/mount/options.ts';
import { type ControlPlane, controlPlane, shadowOn, shiftTo } from '../helpers/control.ts';
import { keyOf } from '../helpers/neighbours.ts';

const POLICY = { ...MOUNT_DEFAULTS, peerTrusted: false, defaultHost: 'shop.test', hosts: [], strict: false };

function explained(plane: ControlPlane, method: string, target: string, headers: [string, string][] = []) {
  const deps = {
    flags: plane.flags.reader,
    keyOf,
    policy: POLICY,
    folding: { caseFold: true, trailingDots: false },
  };
  return explain(plane.routing.get(), { method, target, headers }, deps);
}

async function canary(share: number) {
  const plane = controlPlane({ groups: ['orders', 'carts'] });
  await plane.moved(shadowOn);
  await plane.moved(shiftTo(share));
  return plane;
}

test('an explanation says what the data plane does, for any request (seed 11)', async () => {
  const plane = await canary(33.33);
  const target = fc.constantFrom('/orders/1', '/carts/1', '/other', '/orders/a%20b?x=1');
  const method = fc.constantFrom('GET', 'POST', 'HEAD', 'DELETE');
  const user = fc.stringMatching(/^[a-z0-9]{0,8}$/);
  fc.assert(
    fc.property(method, target, user, (asked, to, id) => {
      const said = explained(plane, asked, to, [['X-User', id]]);
      const done = choose(
        plane.routing.get(),
        {
          method: asked,
          target: to,
          path: to.split('?')[0] ?? '',
          host: 'shop.test',
          fields: ['Host', 'shop.test', 'X-User', id],
          upgrade: false,
          marked: false,
          hasBody: false,
          continues: false,
          closes: false,
        },
        'r',
        { flags: plane.flags.reader, keyOf },
      );
      const { side, reason } = done.decision;
      expect(said.answer).toEqual({ side, reason, target: done.target.name });
      expect(said.unit?.key ?? null).toBe(done.unit);
      expect(said.route?.label ?? null).toBe(done.route?.label ?? null);
      expect(said.shadow.replace(/^skipped: /, '')).toBe(
        done.shadow === null
          ? 'not compared in this stage'
          : done.shadow === 'copy'
            ? 'copied to the other side'
            : done.shadow,
      );
    }),
    { seed: 11, numRuns: 200 },
  );
});

describe('an explanation', () => {
  test('names the source of the unit, never its raw id', async () => {
    const said = explained(await canary(10), 'GET', '/orders/1', [['X-User', 'ana@shop.test']]);
    expect(said.unit).toMatchObject({ key: keyOf('ana@shop.test'), source: 'header x-user' });
    expect(JSON.stringify(said)).not.toContain('ana@');
  });

  test('folds paths as the front door is told to', async () => {
    const said = explained(await canary(10), 'GET', '/ORDERS/1');
    expect(said).toMatchObject({ refused: { code: 'CLIENT_PATH_AMBIGUOUS' } });
  });

  test('without a unit says where it was looked for', async () => {
    const said = explained(await canary(10), 'GET', '/orders/1');
    expect(said).toMatchObject({ unit: null, unitSources: ['header x-user'] });
  });

  test('says stage, ceiling, rev and what the flag asks', async () => {
    const said = explained(await canary(12.5), 'GET', '/orders/1', [['X-User', 'u']]);
    expect(said.ledger).toMatchObject({ stage: 'canary', ceiling: 12.5, stopped: null });
    expect(said.flag?.share).toBe(13);
  });

  test('says of both flags why, and how old they are', async () => {
    const plane = await canary(12.5);
    const said = explained(plane, 'GET', '/orders/1', [['X-User', 'u']]);
    expect(said.flag?.why.serve).toMatchObject({ name: 'fig.orders.serve', answer: said.flag?.serve });
    expect(said.flag?.why.shadow).toMatchObject({ name: 'fig.orders.shadow', answer: 'on' });
    plane.flags.setData('backup', true);
    expect(explained(plane, 'GET', '/orders/1').flag).toMatchObject({
      status: { data: 'backup', stale: true },
      why: { serve: { answer: 'unknown', why: 'the request carries no unit' } },
    });
  });

  test('of a request that is refused gives the code and the status', async () => {
    const plane = await canary(10);
    expect(explained(plane, 'GET', '/other/%2e%2e/orders/1').refused).toMatchObject({ status: 400 });
    expect(explained(plane, 'TRACE', '/orders/1').refused).toMatchObject({ status: 405 });
    expect(
      explained(plane, 'GET', '/orders/1', [
        ['Host', 'a'],
        ['Host', 'b'],
      ]).refused,
    ).toMatchObject({
      code: 'CLIENT_HOST',
    });
  });
});

import { describe, expect, test } from 'vitest';
import type { FlagStatus, Ledger } from '../../router/core/ports.ts';
import type { Command } from '../../router/core/rollout.ts';
import { ANA, type ControlOptions, controlPlane, shadowOn, shiftTo } from '../helpers/control.ts';

const KILL: Command = { kind: 'kill', reason: null };
const ROLLBACK: Command = { kind: 'rollback', reason: null };

/** A control plane whose ledger refuses every append while `full` is set. */
function onDisk(options: ControlOptions = {}) {
  const disk = { full: false };
  const wrapLedger = (real: Ledger): Ledger => ({
    ...real,
    append(what) {
      if (disk.full) throw new Error('disk full');
      return real.append(what);
    },
  });
  const plane = controlPlane({ ...options, wrapLedger });
  const group = () => plane.routing.get().groups.get('orders');
  const move = (command: Command, ifRev: number | null = null) =>
    plane.actions.move('orders', command, ANA, ifRev);
  return { ...plane, disk, group, move };
}

async function onCanary(share: number) {
  const plane = onDisk();
  await plane.moved(shadowOn);
  await plane.moved(shiftTo(share));
  return plane;
}

describe('a ledger that cannot be written', () => {
  test('a kill is in force all the same, and the receipt says that it is not recorded', async () => {
    const { disk, move, group } = await onCanary(50);
    disk.full = true;
    const result = await move(KILL);
    expect(result).toMatchObject({
      kind: 'receipt',
      receipt: { recordedMs: null, to: { stopped: 'killed' } },
    });
    expect(group()?.stopped).toBe('killed');
  });

  test('a rollback sends everybody to legacy all the same', async () => {
    const { disk, move, group } = await onCanary(50);
    disk.full = true;
    expect(await move(ROLLBACK)).toMatchObject({ kind: 'receipt', receipt: { recordedMs: null } });
    expect(group()?.stopped).toBe('tripped');
  });

  test('a rollback that is not recorded does not say that its flag was read back', async () => {
    const { disk, move } = await onCanary(50);
    disk.full = true;
    expect(await move(ROLLBACK)).toMatchObject({
      receipt: { flag: { state: 'pending', why: expect.stringContaining('could not record') } },
    });
  });

  test('a rollback does not turn an unrecorded kill into a mere trip', async () => {
    const { disk, move, group } = await onCanary(50);
    disk.full = true;
    await move(KILL);
    await move(ROLLBACK);
    expect(group()?.stopped).toBe('killed');
  });

  test('an unrecorded kill is lifted by its release', async () => {
    const { disk, move, group } = await onCanary(50);
    disk.full = true;
    await move(KILL);
    disk.full = false;
    await move({ kind: 'release', reason: null });
    expect(group()?.stopped).toBeNull();
  });

  test('a share towards the service does not become visible', async () => {
    const { disk, move, group } = await onCanary(10);
    disk.full = true;
    const before = group();
    expect(await move(shiftTo(50))).toMatchObject({ kind: 'refused', next: 'fig status orders' });
    expect(group()).toEqual(before);
  });

  test('a rollback again after the disk has room is recorded, and the stop is no longer needed', async () => {
    const { disk, move, group, ledger } = await onCanary(50);
    disk.full = true;
    await move(ROLLBACK);
    disk.full = false;
    expect(await move(ROLLBACK)).toMatchObject({
      kind: 'receipt',
      receipt: { to: { share: 0, stopped: null } },
    });
    expect(group()).toMatchObject({ ceiling: 0, stopped: null });
    expect(ledger.state().groups.get('orders')?.epoch).toBe(1);
  });

  test('another move of a group that was stopped without a record does not lift the stop silently', async () => {
    const { disk, move, group } = await onCanary(50);
    disk.full = true;
    await move(KILL);
    disk.full = false;
    await move({ kind: 'shadow', sample: 50, reason: null });
    expect(group()?.stopped).toBe('killed');
  });

  test('a repeated share leaves an unrecorded stop in force', async () => {
    const { disk, move, group } = await onCanary(50);
    disk.full = true;
    await move(ROLLBACK);
    disk.full = false;
    await move(shiftTo(50));
    expect(group()?.stopped).toBe('tripped');
  });
});

describe('a stop', () => {
  test('is visible before it is recorded', async () => {
    const seen: unknown[] = [];
    const plane = controlPlane({
      wrapLedger: (real) => ({
        ...real,
        append(what) {
          if (what.happenings.some(({ type }) => type === 'kill.set'))
            seen.push(plane.routing.get().groups.get('orders')?.stopped);
          return real.append(what);
        },
      }),
    });
    await plane.moved(KILL);
    expect(seen).toEqual(['killed']);
  });

  test('a share towards the service is recorded before it is visible', async () => {
    const seen: unknown[] = [];
    const plane = controlPlane({
      wrapLedger: (real) => ({
        ...real,
        append(what) {
          const result = real.append(what);
          if (what.happenings.some(({ type }) => type === 'share.intended'))
            seen.push(plane.routing.get().groups.get('orders')?.ceiling);
          return result;
        },
      }),
    });
    await plane.moved(shadowOn);
    await plane.moved(shiftTo(25));
    expect(seen).toEqual([0]);
    expect(plane.routing.get().groups.get('orders')?.ceiling).toBe(25);
  });

  test('waits for no flag', async () => {
    const { actions, flags } = controlPlane();
    flags.setData('none');
    const result = await actions.move('orders', KILL, ANA, null);
    expect(result).toMatchObject({ receipt: { flag: { state: 'none' } } });
  });

  test('moves exactly one group', async () => {
    const { moved, routing } = controlPlane({ groups: ['orders', 'carts'] });
    await moved(KILL, 'carts');
    expect([...routing.get().groups.values()].map(({ name, stopped }) => [name, stopped])).toEqual([
      ['orders', null],
      ['carts', 'killed'],
    ]);
  });

  test('of a killed group survives until it is released', async () => {
    const { move, group } = await onCanary(50);
    await move(KILL);
    expect(await move(shiftTo(60))).toMatchObject({ kind: 'refused', next: 'fig kill orders --release' });
    await move({ kind: 'release', reason: null });
    expect(group()).toMatchObject({ stopped: null, ceiling: 50 });
  });
});

test('a move decided on an old rev is a conflict and changes nothing', async () => {
  const { move, group } = await onCanary(10);
  const before = group();
  expect(await move(shiftTo(50), 1)).toMatchObject({ kind: 'conflict', last: { by: 'operator:ana' } });
  expect(group()).toEqual(before);
});

test('a share that follows from a decision starts its own count of traffic', async () => {
  const plane = await onCanary(10);
  plane.observe({
    group: 'orders',
    route: 'GET /orders/:id',
    unit: 'a',
    role: 'primary',
    reason: 'flag',
    assigned: 'service',
    served: 'service',
    outcome: 'OK',
    status: 200,
    durationMs: 1,
    upstreamMs: 1,
    unsafe: true,
  });
  await plane.moved(shiftTo(20));
  expect(plane.traffic.of('orders')).toMatchObject({ service: { requests: 0 }, unsafeByService: 1 });
});

test('an unknown group is said to be unknown', async () => {
  expect(await controlPlane().actions.move('none', KILL, ANA, null)).toEqual({ kind: 'unknown-group' });
});

describe('while the flags are not fresh', () => {
  test.each<[string, FlagStatus['data'], boolean]>([
    ['never read', 'none', false],
    ['of an earlier run', 'backup', false],
    ['stale', 'fresh', true],
  ])('%s: no share rises, and the way back is open', async (_, data, stale) => {
    const { flags, move, group } = await onCanary(25);
    flags.setData(data, stale);
    expect(await move(shiftTo(50))).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('no share may rise'),
    });
    expect(group()?.ceiling).toBe(25);
    expect(await move(shiftTo(10))).toMatchObject({ kind: 'receipt' });
    expect(await move(ROLLBACK)).toMatchObject({ kind: 'receipt' });
    expect(group()?.ceiling).toBe(0);
  });

  test('a group does not go live', async () => {
    const { flags, move, group } = await onCanary(100);
    flags.setData('none');
    expect(await move({ kind: 'stage', to: 'live', reason: null })).toMatchObject({ kind: 'refused' });
    expect(group()?.stage).toBe('canary');
  });
});

test('a move that not every worker confirmed is carried out, and its receipt says so', async () => {
  const plane = controlPlane({ applied: { running: 3, confirmed: 2 } });
  const result = await plane.actions.move('orders', shadowOn, ANA, null);
  expect(result).toMatchObject({
    kind: 'receipt',
    receipt: { status: 'moved', planes: { running: 3, confirmed: 2 } },
  });
});

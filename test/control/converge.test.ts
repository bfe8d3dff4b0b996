import { describe, expect, onTestFinished, test } from 'vitest';
import { createConverge } from '../../router/control/converge.ts';
import type { FlagWriter } from '../../router/core/ports.ts';
import { ANA, type ControlPlane, controlPlane, quiet, shadowOn, shiftTo } from '../helpers/control.ts';
import { createWatch } from '../helpers/watch.ts';

/** A writer that fails while `server.down` is set. */
function breakable() {
  const server = { down: false };
  const writer = (real: FlagWriter): FlagWriter => {
    const reached = async <T>(write: () => Promise<T>): Promise<T> => {
      if (server.down) throw new Error('connection refused');
      return write();
    };
    return {
      ensure: (...of) => reached(() => real.ensure(...of)),
      setServeShare: (...of) => reached(() => real.setServeShare(...of)),
      setShadowShare: (...of) => reached(() => real.setShadowShare(...of)),
      look: (...of) => reached(() => real.look(...of)),
      lastEdit: (...of) => reached(() => real.lastEdit(...of)),
      restore: (...of) => reached(() => real.restore(...of)),
      retire: (...of) => reached(() => real.retire(...of)),
    };
  };
  return { server, writer };
}

function overridesOf(plane: ControlPlane) {
  return plane.ledger.recent('orders', 100).filter((event) => event.type === 'override.detected');
}

describe('a flag server that does not take writes', () => {
  test('a rollback leaves 0 % in force and the flag pending', async () => {
    const { server, writer } = breakable();
    const plane = controlPlane({ writer });
    await plane.moved(shadowOn);
    await plane.moved(shiftTo(50));
    server.down = true;
    const result = await plane.actions.move('orders', { kind: 'rollback', reason: null }, ANA, null);
    expect(result).toMatchObject({
      kind: 'receipt',
      receipt: {
        to: { share: 0 },
        flag: { state: 'pending', why: expect.stringContaining('does not take writes') },
      },
    });
    expect(plane.routing.get().groups.get('orders')?.ceiling).toBe(0);
    expect(plane.flags.reader.intent('orders').serve).toBe(50);
  });

  test('the flag follows by itself once it takes writes again', async () => {
    const { server, writer } = breakable();
    const plane = controlPlane({ writer, retryMs: 5 });
    await plane.moved(shadowOn);
    await plane.moved(shiftTo(50));
    server.down = true;
    await plane.moved({ kind: 'rollback', reason: null });
    const watch = createWatch();
    plane.flags.reader.onChange(watch.wake);
    plane.converge.start();
    server.down = false;
    await watch.until(() => plane.flags.reader.intent('orders').serve === 0);
    await plane.converge.stop();
    expect(plane.ledger.state().groups.get('orders')?.pendingServe).toBeNull();
    expect(plane.converge.trouble('orders')).toBeNull();
  });
});

describe('a move', () => {
  test('creates the flags that are missing at what the ledger says', async () => {
    const plane = controlPlane();
    await plane.moved(shadowOn);
    expect(plane.flags.reader.intent('orders')).toEqual({ serve: 0, shadow: 100 });
  });

  test('of hundredths puts the flag at the next whole percent', async () => {
    const plane = controlPlane();
    await plane.moved(shadowOn);
    await plane.moved(shiftTo(12.25));
    expect(plane.flags.reader.intent('orders').serve).toBe(13);
    expect(plane.routing.get().groups.get('orders')?.ceiling).toBe(12.25);
  });

  test('many moves at once end with the flag of the newest', async () => {
    const plane = controlPlane();
    await plane.moved(shadowOn);
    await Promise.all([10, 90, 30].map((share) => plane.moved(shiftTo(share))));
    expect(plane.ledger.state().groups.get('orders')?.share).toBe(30);
    expect(plane.flags.reader.intent('orders').serve).toBe(30);
  });

  test('leaves a flag alone that somebody reshaped, and says so', async () => {
    const plane = controlPlane();
    await plane.moved(shadowOn);
    plane.flags.tamper('fig.orders.serve', 'custom');
    const result = await plane.actions.move('orders', shiftTo(10), ANA, null);
    expect(result).toMatchObject({
      receipt: { flag: { state: 'pending', why: expect.stringContaining('fig flags restore orders') } },
    });
    expect(plane.flags.reader.intent('orders').serve).toBe('custom');
  });
});

describe('without an admin token', () => {
  test('a move says which shares a person has to set', async () => {
    const plane = controlPlane({ writer: () => null });
    const result = await plane.actions.move('orders', shadowOn, ANA, null);
    expect(result).toMatchObject({
      receipt: {
        flag: {
          state: 'pending',
          why: 'no admin token: set fig.orders.serve to 0 % and fig.orders.shadow to 100 % yourself',
        },
      },
    });
  });

  test('what a person set is noticed, and nothing is waited for any more', async () => {
    const plane = controlPlane({ writer: () => null });
    await plane.moved(shadowOn);
    await plane.flags.writer.ensure('orders', 'orders', { serve: 0, shadow: 100 });
    plane.converge.start();
    await plane.converge.stop();
    expect(plane.converge.trouble('orders')).toBeNull();
    expect(plane.ledger.state().groups.get('orders')?.pendingShadow).toBeNull();
  });
});

describe("a person's edit of a flag", () => {
  async function edited(share: number) {
    const plane = controlPlane();
    plane.converge.start();
    await plane.moved(shadowOn);
    await plane.moved(shiftTo(10));
    plane.flags.tamper('fig.orders.serve', share);
    await plane.converge.settle('orders', 0);
    return { ...plane, overrides: () => overridesOf(plane) };
  }

  test('is recorded with what was expected and what was seen', async () => {
    const { overrides } = await edited(40);
    expect(overrides()).toMatchObject([{ body: { flag: 'serve', expected: 10, seen: '40' } }]);
  });

  test('is recorded once however often the flags change elsewhere', async () => {
    const { overrides, flags, converge } = await edited(40);
    await flags.writer.ensure('carts', 'carts', { serve: 0, shadow: 0 });
    await flags.writer.setServeShare('carts', 5, null, 'other');
    await converge.settle('orders', 0);
    expect(overrides()).toHaveLength(1);
  });

  test('moves nobody above the ceiling of the ledger', async () => {
    const { routing } = await edited(100);
    expect(routing.get().groups.get('orders')?.ceiling).toBe(10);
  });

  test('seen in data of an earlier run proves nothing', async () => {
    const plane = controlPlane({ writer: () => null });
    plane.converge.start();
    await plane.flags.writer.ensure('orders', 'orders', { serve: 0, shadow: 0 });
    plane.flags.setData('backup');
    plane.flags.tamper('fig.orders.serve', 40);
    await plane.converge.stop();
    expect(overridesOf(plane)).toEqual([]);
  });

  test('made while nobody ran is noticed at the start', async () => {
    const plane = controlPlane();
    await plane.flags.writer.ensure('orders', 'orders', { serve: 70, shadow: 0 });
    plane.converge.start();
    await plane.converge.stop();
    expect(plane.ledger.recent('orders', 1)).toMatchObject([
      { type: 'override.detected', body: { flag: 'serve', expected: 0, seen: '70' } },
    ]);
  });
});

describe('a crash', () => {
  test('between ledger and flag: the next start brings the flag to the ledger, in one write and one entry', async () => {
    const plane = controlPlane({ writer: () => null });
    await plane.flags.writer.ensure('orders', 'orders', { serve: 0, shadow: 0 });
    await plane.moved(shadowOn);
    await plane.moved(shiftTo(50));
    const next = restarted(plane);
    next.converge.start();
    await next.converge.stop();
    expect(plane.flags.reader.intent('orders')).toEqual({ serve: 50, shadow: 100 });
    expect(next.writes()).toBe(2);
    expect(typesOf(plane).filter((type) => type === 'share.verified')).toHaveLength(1);
    expect(overridesOf(plane)).toEqual([]);
  });

  test('between flag and acknowledgement: the next start acknowledges, and writes nothing', async () => {
    const full = { disk: false };
    const plane = controlPlane({
      wrapLedger: (real) => ({
        ...real,
        append(what) {
          if (full.disk && what.happenings.some(({ type }) => type === 'share.verified'))
            throw new Error('disk full');
          return real.append(what);
        },
      }),
    });
    await plane.moved(shadowOn);
    full.disk = true;
    await plane.moved(shiftTo(50));
    expect(plane.ledger.state().groups.get('orders')?.pendingServe).not.toBeNull();
    const next = restarted(plane);
    next.converge.start();
    await next.converge.stop();
    expect(next.writes()).toBe(0);
    expect(typesOf(plane).filter((type) => type === 'share.verified')).toHaveLength(1);
    expect(overridesOf(plane)).toEqual([]);
  });
});

describe('a flag server that is away for long', () => {
  test('gets the newest of all moves when it is back, in one write', async () => {
    const { server, writer } = breakable();
    const plane = controlPlane({ writer });
    await plane.moved(shadowOn);
    server.down = true;
    for (const share of [10, 50, 90]) await plane.moved(shiftTo(share));
    await plane.moved({ kind: 'rollback', reason: null });
    await plane.moved(shiftTo(5));
    server.down = false;
    const { revision } = plane.flags.reader.status();
    await plane.converge.settle('orders', 0);
    expect(plane.flags.reader.intent('orders').serve).toBe(5);
    expect(plane.flags.reader.status().revision).toBe(revision + 1);
  });

  test('is asked by a few groups per round, however many wait', async () => {
    const groups = Array.from({ length: 1_000 }, (_, i) => `g-${i}`);
    const asked = { now: 0, most: 0, all: 0 };
    const writer = (real: FlagWriter): FlagWriter => ({
      ...real,
      async look() {
        asked.now += 1;
        asked.all += 1;
        asked.most = Math.max(asked.most, asked.now);
        await new Promise((resolve) => setImmediate(resolve));
        asked.now -= 1;
        throw new Error('connection refused');
      },
    });
    const plane = controlPlane({ groups, writer });
    plane.converge.start();
    await plane.converge.stop();
    expect(asked.most).toBeLessThanOrEqual(8);
    expect(asked.all).toBeLessThanOrEqual(16);
    for (const group of groups) expect(plane.converge.trouble(group)).toContain('connection refused');
  });

  test('gets the flags of all groups once it is back, a few at once', async () => {
    const groups = Array.from({ length: 200 }, (_, i) => `g-${i}`);
    const asked = { now: 0, most: 0 };
    const writer = (real: FlagWriter): FlagWriter => ({
      ...real,
      async look(...of) {
        asked.now += 1;
        asked.most = Math.max(asked.most, asked.now);
        await new Promise((resolve) => setImmediate(resolve));
        asked.now -= 1;
        return real.look(...of);
      },
    });
    const plane = controlPlane({ groups, writer });
    plane.converge.start();
    await plane.converge.stop();
    expect(asked.most).toBe(8);
    for (const group of groups) expect(plane.flags.reader.intent(group)).toEqual({ serve: 0, shadow: 0 });
  });
});

/** The next process over the same ledger and flags; `writes` counts what it wrote. */
function restarted({ ledger, flags, clock }: ControlPlane) {
  const { revision } = flags.reader.status();
  const converge = createConverge({
    ledger,
    reader: flags.reader,
    writer: flags.writer,
    groups: () => ['orders'],
    clock,
    log: quiet,
    retryMs: 60_000,
    deadlineMs: 200,
  });
  onTestFinished(() => converge.stop());
  return { converge, writes: () => flags.reader.status().revision - revision };
}

function typesOf({ ledger }: ControlPlane) {
  return ledger.recent('orders', 100).map(({ type }) => type);
}

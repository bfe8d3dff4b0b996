import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createMemoryFlags } from '../../flags/memory.ts';
import { createActions } from '../../router/control/act.ts';
import { createConverge } from '../../router/control/converge.ts';
import { createRouting } from '../../router/control/routing.ts';
import { createTraffic } from '../../router/control/traffic.ts';
import type { FlagWriter, Ledger, Log } from '../../router/core/ports.ts';
import type { RoutingPlan } from '../../router/core/snapshot.ts';
import { openLedger } from '../../router/store/ledger.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const ANA = { kind: 'operator', id: 'ana' } as const;
const silent = () => undefined;
const log: Log = { debug: silent, info: silent, warn: silent, error: silent };
const target = (name: string) => ({
  name,
  origin: 'http://127.0.0.1:1',
  rewriteLocation: [],
  buildHeader: null,
});
const PLAN: RoutingPlan = {
  legacy: target('legacy'),
  groups: [
    {
      name: 'orders',
      service: target('orders'),
      unit: [{ cookie: 'sid' }],
      routes: [],
      rules: [],
      shadowLimits: { perSecondMax: 1, inFlightMax: 1, bodyBytesMax: 1, timeoutMs: 100 },
    },
  ],
};

/** The real ledger, routing, flags and actions; `full` makes every later append fail as a full disk would. */
function plane(given: { writer?: FlagWriter | null } = {}) {
  const folder = temporaryFolder();
  const db = openDatabase(join(folder, 'fig.db'), MIGRATIONS);
  onTestFinished(() => void db.close());
  let ids = 0;
  const real = openLedger(db, join(folder, 'ledger.head'), {
    wall: () => 0,
    nextId: () => `id-${ids++}`,
    onAnchorLag: silent,
  });
  real.append({
    group: 'orders',
    expectedRev: 0,
    actor: ANA,
    happenings: [{ type: 'group.created', body: { groupId: 'orders' } }],
  });
  let full = false;
  const ledger: Ledger = {
    ...real,
    append(what) {
      if (full) throw new Error('database or disk is full');
      return real.append(what);
    },
  };
  const clock = { now: () => performance.now(), wall: () => 0 };
  const memory = createMemoryFlags();
  const flags = given.writer === undefined ? memory.writer : given.writer;
  const routing = createRouting({ plan: PLAN, ledger });
  const traffic = createTraffic({ groups: ['orders'], clock });
  const converge = createConverge({
    ledger,
    reader: memory.reader,
    writer: flags,
    groups: ['orders'],
    clock,
    log,
    retryMs: 20,
    deadlineMs: 200,
  });
  const actions = createActions({ ledger, routing, traffic, converge, inFlight: () => 0, clock, log });
  converge.start();
  onTestFinished(() => converge.stop());
  const move = (command: Parameters<typeof actions.move>[1], ifRev: number | null = null) =>
    actions.move('orders', command, ANA, ifRev);
  return {
    move,
    memory,
    ledger,
    converge,
    group: () => routing.get().groups.get('orders'),
    events: () => real.recent('orders', 100).map((event) => event.type),
    fillDisk: () => {
      full = true;
    },
    freeDisk: () => {
      full = false;
    },
  };
}

async function atQuarter(at: ReturnType<typeof plane>): Promise<void> {
  await at.move({ kind: 'shadow', sample: 100, reason: null });
  await at.move({ kind: 'shift', share: 25, reason: null });
}

test('a move is recorded, in force, and read back from the flag', async () => {
  const at = plane();
  await at.move({ kind: 'shadow', sample: 100, reason: null });
  const result = await at.move({ kind: 'shift', share: 25, reason: 'after #812' });
  expect(result).toMatchObject({
    kind: 'receipt',
    receipt: {
      status: 'moved',
      reason: 'after #812',
      from: { stage: 'shadow' },
      to: { stage: 'canary', share: 25 },
      flag: { state: 'verified' },
    },
  });
  expect(at.group()).toMatchObject({ stage: 'canary', ceiling: 25 });
  expect(at.memory.reader.intent('orders')).toEqual({ serve: 25, shadow: 100 });
});

test('a share of hundredths is the ceiling, and the flag carries the next whole percent', async () => {
  const at = plane();
  await at.move({ kind: 'shadow', sample: 1, reason: null });
  await at.move({ kind: 'shift', share: 0.5, reason: null });
  expect(at.group()?.ceiling).toBe(0.5);
  expect(at.memory.reader.intent('orders').serve).toBe(1);
});

test('a share that cannot be recorded is not given', async () => {
  const at = plane();
  await at.move({ kind: 'shadow', sample: 100, reason: null });
  at.fillDisk();
  expect(await at.move({ kind: 'shift', share: 25, reason: null })).toMatchObject({
    kind: 'refused',
    why: expect.stringContaining('nothing was changed'),
  });
  expect(at.group()).toMatchObject({ stage: 'shadow', ceiling: 0 });
});

test('a kill that cannot be recorded is in force all the same, and says so', async () => {
  const at = plane();
  await atQuarter(at);
  at.fillDisk();
  expect(await at.move({ kind: 'kill', reason: null })).toMatchObject({
    kind: 'receipt',
    receipt: { recordedMs: null },
  });
  expect(at.group()?.stopped).toBe('killed');
});

test('a rollback that cannot be recorded is in force all the same', async () => {
  const at = plane();
  await atQuarter(at);
  at.fillDisk();
  expect(await at.move({ kind: 'rollback', reason: null })).toMatchObject({
    kind: 'receipt',
    receipt: { recordedMs: null },
  });
  expect(at.group()?.stopped).toBe('tripped');
});

test('another move does not lift a kill that could not be recorded; a release does', async () => {
  const at = plane();
  await atQuarter(at);
  at.fillDisk();
  await at.move({ kind: 'kill', reason: null });
  at.freeDisk();
  await at.move({ kind: 'shadow', sample: 5, reason: null });
  await at.move({ kind: 'shadow', sample: 5, reason: null });
  expect(at.group()?.stopped).toBe('killed');
  await at.move({ kind: 'release', reason: null });
  expect(at.group()?.stopped).toBeNull();
});

test('a rollback needs no flag server: nothing is served, the flag follows when it can', async () => {
  let down = false;
  const memory = createMemoryFlags();
  const gate = <T>(run: () => Promise<T>): Promise<T> =>
    down ? Promise.reject(new Error('refused the connection')) : run();
  const writer: FlagWriter = {
    ensure: (...args) => gate(() => memory.writer.ensure(...args)),
    setServeShare: (...args) => gate(() => memory.writer.setServeShare(...args)),
    setShadowShare: (...args) => gate(() => memory.writer.setShadowShare(...args)),
  };
  const at = plane({ writer });
  await atQuarter(at);
  down = true;
  const result = await at.move({ kind: 'rollback', reason: 'prices' });
  expect(result).toMatchObject({
    kind: 'receipt',
    receipt: { flag: { state: 'pending', why: expect.stringContaining('refused the connection') } },
  });
  expect(at.group()).toMatchObject({ stage: 'canary', ceiling: 0, stopped: null, epoch: 1 });
  down = false;
  while (at.ledger.state().groups.get('orders')?.pendingServe !== null)
    await new Promise((resolve) => setImmediate(resolve));
  expect(memory.reader.intent('orders').serve).toBe(0);
  expect(at.converge.trouble('orders')).toBeNull();
});

test('without an admin token the flag is left to a person, with what to set', async () => {
  const at = plane({ writer: null });
  const result = await at.move({ kind: 'shadow', sample: 50, reason: null });
  expect(result).toMatchObject({
    kind: 'receipt',
    receipt: { flag: { state: 'pending', why: expect.stringContaining('fig.orders.shadow to 50 %') } },
  });
});

test('a flag in a foreign shape is left alone, and said', async () => {
  const at = plane();
  await atQuarter(at);
  at.memory.tamper('fig.orders.serve', 'custom');
  const result = await at.move({ kind: 'shift', share: 50, reason: null });
  expect(result).toMatchObject({
    kind: 'receipt',
    receipt: { flag: { state: 'pending', why: expect.stringContaining('left alone') } },
  });
});

test('a repeated move changes nothing and says so', async () => {
  const at = plane();
  await atQuarter(at);
  const before = at.events();
  expect(await at.move({ kind: 'shift', share: 25, reason: null })).toMatchObject({
    receipt: { status: 'already-there', flag: { state: 'none' } },
  });
  expect(at.events()).toEqual(before);
});

test('a move on an old rev is a conflict and changes nothing', async () => {
  const at = plane();
  await atQuarter(at);
  expect(await at.move({ kind: 'shift', share: 50, reason: null }, 2)).toMatchObject({
    kind: 'conflict',
    last: { type: 'share.intended' },
  });
  expect(at.group()?.ceiling).toBe(25);
});

test('of two moves at once the later one wins, in the ledger and in the flag', async () => {
  const at = plane();
  await atQuarter(at);
  await Promise.all([
    at.move({ kind: 'shift', share: 50, reason: null }),
    at.move({ kind: 'shift', share: 75, reason: null }),
  ]);
  expect(at.group()?.ceiling).toBe(75);
  expect(at.memory.reader.intent('orders').serve).toBe(75);
});

import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startFig } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { webServer } from '../helpers/world.ts';

const ROUNDS = 8;

async function up(folder: string): Promise<{ readonly child: ChildProcess; readonly admin: string | null }> {
  return startFig(['up', '--config', join(folder, 'fig.config.json')]);
}

function killed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

/** A small generator with a fixed seed (Park and Miller, 1988): the moments of the kills repeat. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

test('kill -9 at any moment loses no acknowledged move', { timeout: 60_000 }, async () => {
  const folder = temporaryFolder();
  const legacy = await webServer((_req, res) => res.end('legacy'));
  const config = {
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    flags: { embedded: { listen: '127.0.0.1:0' } },
    legacy: legacy.origin,
    services: { catalog: legacy.origin },
    groups: { catalog: { service: 'catalog', routes: ['GET /x'], unit: [{ cookie: 'sid' }] } },
  };
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify(config));
  const draw = random(20_261_124);
  const acknowledged: { rev: number; share: number }[] = [];
  let share = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { child, admin } = await up(folder);
    const token = readFileSync(join(folder, '.fig/admin.token'), 'utf8').trim();
    const call = async (path: string, body?: unknown) => {
      const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'if-match': '*',
      };
      const response = await fetch(`${admin}${path}`, { ...init, headers });
      return JSON.parse(await response.text()).data;
    };
    const { groups } = await call('/api/v1/status');
    const last = acknowledged.at(-1);
    // What was acknowledged is there; one move more may have been written without its answer getting out.
    if (last !== undefined) {
      expect(groups[0].rev).toBeGreaterThanOrEqual(last.rev);
      if (groups[0].share.asked !== last.share) expect(groups[0].share.asked).toBe(share);
    }
    if (round === 0) await call('/api/v1/groups/catalog/moves', { kind: 'shadow', sample: 1 });
    const moves = (async () => {
      for (;;) {
        share = (share % 100) + 1;
        const receipt = await call('/api/v1/groups/catalog/moves', { kind: 'shift', share });
        acknowledged.push({ rev: receipt.to.rev, share: receipt.to.share });
      }
    })().catch(() => undefined); // The process is gone in the middle of a move: that is the test.
    const from = acknowledged.length;
    const moment = 1 + Math.floor(draw() * 6);
    while (acknowledged.length < from + moment) await new Promise((resolve) => setImmediate(resolve));
    await killed(child);
    await moves;
  }
  const { child, admin } = await up(folder);
  const token = readFileSync(join(folder, '.fig/admin.token'), 'utf8').trim();
  const response = await fetch(`${admin}/api/v1/ledger?limit=1000`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { data } = JSON.parse(await response.text());
  const shares = data.events
    .filter((event: { type: string }) => event.type === 'share.intended')
    .map((event: { body: { to: number } }) => event.body.to)
    .reverse();
  // Every acknowledged share is in the ledger, in order.
  let at = 0;
  for (const { share: moved } of acknowledged) {
    at = shares.indexOf(moved, at) + 1;
    expect(at).toBeGreaterThan(0);
  }
  expect(acknowledged.length).toBeGreaterThan(ROUNDS);
  await killed(child);
});

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, inject, test } from 'vitest';
import { call } from '../flags/world.ts';
import { adminClient, fig, ordersConfig, startFig, twoSides } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const REFRESH_MS = 250;
/**
 * A real Unleash looks at its own revision once a second; our refresh comes on top: 1.0 s on a machine that does
 * nothing else. Twice as much is a broken transport.
 */
const PROPAGATION_MS_MAX = 2 * (REFRESH_MS + 1_200);
/** No busy machine takes this long; a broken transport does. */
const BROKEN_MS = 10_000;
const USERS = Array.from({ length: 200 }, (_, i) => `user-${i}`);

/** `fig up` as a process of its own, polling the real server, with groups of names that nobody else has. */
async function figOnUnleash(groupCount = 1) {
  const { url, adminToken, clientTokens } = inject('unleash');
  const { groups: one, ...config } = ordersConfig(await twoSides());
  const prefix = `r-${randomBytes(5).toString('hex')}`;
  const names = Array.from({ length: groupCount }, (_, i) => `${prefix}-${i}`);
  const groups = Object.fromEntries(
    names.map((name, i) => [name, { ...one.orders, routes: [`GET /${i}/orders`] }]),
  );
  const flags = { unleash: `${url}/api/`, tokenEnv: 'CLIENT', adminTokenEnv: 'ADMIN', refreshMs: REFRESH_MS };
  const folder = temporaryFolder();
  const file = join(folder, 'fig.config.json');
  writeFileSync(file, JSON.stringify({ ...config, groups, flags }));
  const running = await startFig(['up', '--config', file], {
    env: { CLIENT: clientTokens.production, ADMIN: adminToken },
  });
  const data = join(folder, 'data');
  const admin = adminClient(running.admin, data);

  return names.map((group, i) => {
    const place = `/api/admin/projects/default/features/fig.${group}.serve/environments/production`;
    const person = async (method: string, path: string, body?: unknown) => {
      const answer = await call(url, method, place + path, body, adminToken);
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status}`);
      return answer.body;
    };
    const strategies = async () => (await person('GET', '/strategies')) as { id: string }[];
    const status = async () => (await admin.status()).groups.find((each) => each.group === group);
    const side = async (user: string) =>
      (await fetch(`${running.traffic}/${i}/orders`, { headers: { 'x-user': user } })).text();
    return {
      group,
      data,
      status,
      side,
      strategies,
      /** A call for the serve flag in its environment, as a person makes it. */
      person,
      /** The person's change of the only strategy's rollout. */
      async setRollout(value: string) {
        const [strategy] = await strategies();
        const patch = [{ op: 'replace', path: '/parameters/rollout', value }];
        await person('PATCH', `/strategies/${strategy?.id}`, patch);
      },
      /** Who is answered by the service. */
      async served() {
        const answers = await Promise.all(USERS.map(side));
        return USERS.filter((_, user) => answers[user] === 'service');
      },
      events: async () =>
        (await admin.history()).filter((event) => 'group' in event && event.group === group),
      /** Shadow, then canary at this share, and the flag seen by the reader. */
      async canary(share: number) {
        await admin.move(group, { kind: 'shadow', sample: 1 });
        await admin.move(group, { kind: 'shift', share });
        await soon(async () => (await status())?.share.flag === share);
      },
    };
  });
}

type Group = Awaited<ReturnType<typeof figOnUnleash>>[number];

/** Asks every 10 ms; nobody tells us. */
async function soon(reached: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + BROKEN_MS;
  while (!(await reached())) {
    if (performance.now() > deadline) throw new Error(`not reached: ${reached.toString()}`);
    await setTimeout(10);
  }
}

test('a share that a person moves in a real Unleash changes the side of the next requests by polling', async () => {
  for (const { canary, setRollout, side } of await figOnUnleash()) {
    await canary(100);
    const tookMs: number[] = [];
    for (const [rollout, answer] of [
      ['0', 'legacy'],
      ['100', 'service'],
      ['0', 'legacy'],
    ] as const) {
      await setRollout(rollout);
      const started = performance.now();
      await soon(async () => (await side('ana')) === answer);
      tookMs.push(performance.now() - started);
    }
    const [, median = Number.NaN] = tookMs.toSorted((a, b) => a - b);
    expect(median).toBeLessThan(PROPAGATION_MS_MAX);
  }
});

test('fig shift writes the share to the real flag, and the router follows it', async () => {
  for (const { group, data, canary, strategies, served } of await figOnUnleash()) {
    await canary(10);
    const at10 = await served();
    const { exit, stderr } = await fig(['shift', group, '25%', '--data', data]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: expect.any(String) });
    expect(await strategies()).toMatchObject([
      {
        title: expect.stringMatching(/^fig:.*\d+$/),
        parameters: { rollout: '25', stickiness: 'figUnit', groupId: group },
      },
    ]);
    await soon(async () => (await served()).length > at10.length);
    const at25 = new Set(await served());
    expect(at10.filter((user) => !at25.has(user))).toEqual([]);
  }
});

const EDITS: Readonly<Record<string, (group: Group) => Promise<unknown>>> = {
  /** Unleash then adds a strategy that is on for everybody. */
  async 'switched on without a strategy'({ person, strategies }) {
    const [strategy] = await strategies();
    await person('DELETE', `/strategies/${strategy?.id}`);
    await person('POST', '/on');
  },
  'a rollout of 100': ({ setRollout }) => setRollout('100'),
  async 'a second strategy, random for everybody'({ person }) {
    const parameters = { rollout: '100', stickiness: 'random', groupId: 'x' };
    await person('POST', '/strategies', { name: 'flexibleRollout', parameters });
  },
};

test('no edit of a person moves anybody above the share of the ledger, and each is on record', async () => {
  const edits = Object.entries(EDITS);
  const groups = await figOnUnleash(edits.length);
  const seen = await Promise.all(
    groups.map(async (group, i) => {
      const [name = '', edit] = edits[i] ?? [];
      await group.canary(10);
      const before = new Set(await group.served());
      await edit?.(group);
      await soon(async () => (await group.status())?.share.flag !== 10);
      await soon(async () => (await group.events()).some(({ type }) => type === 'override.detected'));
      const { share, waiting } = (await group.status()) ?? {};
      return {
        name,
        asked: share?.asked,
        ceilingHeld: (share?.effective ?? 100) <= 10,
        said: waiting?.some((line) => /set the serve flag to .*put it back: fig flags restore/.test(line)),
        above: (await group.served()).filter((user) => !before.has(user)),
      };
    }),
  );
  expect(seen).toEqual(
    edits.map(([name]) => ({ name, asked: 10, ceilingHeld: true, said: true, above: [] })),
  );
});

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { EvidenceData, EvidenceStanding } from '../../router/control/api.ts';
import { adminClient, fig, startFig } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { webServer } from '../helpers/world.ts';

/** `fig up` with `workers` processes before two sides that name their builds. */
async function world(workers: number) {
  let build = 'b1';
  const say = (who: string, builds: () => string) =>
    webServer((_request, response) => {
      response.setHeader('X-Build', builds());
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ who }));
    });
  const [legacy, service] = await Promise.all([say('legacy', () => 'l1'), say('service', () => build)]);
  const folder = temporaryFolder();
  const config = join(folder, 'fig.config.json');
  const named = { header: 'x-build' };
  writeFileSync(
    config,
    JSON.stringify({
      data: 'data',
      workers,
      listen: '127.0.0.1:0',
      admin: '127.0.0.1:0',
      flags: { embedded: { listen: '127.0.0.1:0' } },
      legacy: { url: legacy.origin, build: named },
      services: { catalog: { url: service.origin, build: named } },
      groups: { catalog: { service: 'catalog', routes: ['GET /api/*'], unit: [{ header: 'X-User' }] } },
    }),
  );
  const data = join(folder, 'data');
  const json = async <T>(...args: string[]): Promise<T> =>
    JSON.parse((await fig([...args, '--data', data, '--json'])).stdout).data;
  const evidence = () => json<EvidenceData>('evidence', 'catalog');
  return {
    json,
    evidence,
    deploy(next: string) {
      build = next;
    },
    async start() {
      const running = await startFig(['up', '--config', config]);
      return {
        admin: adminClient(running.admin, data),
        /** Asks, one request at a time, until the evidence is so. */
        async until(reached: (standing: EvidenceStanding) => boolean) {
          for (let n = 0; ; n += 1) {
            const url = `${running.traffic}/api/things/${n % 7}`;
            await fetch(url, { headers: { 'X-User': 'ana' } }).then((answer) => answer.text());
            const [standing] = (await evidence()).standings;
            if (standing !== undefined && reached(standing)) return;
          }
        },
        async stop() {
          running.child.kill('SIGTERM');
          await once(running.child, 'close');
        },
      };
    },
  };
}

test.each([1, 2])(
  'evidence and marks of %i worker(s) survive a restart, a new build starts anew',
  {
    timeout: 60_000,
  },
  async (workers) => {
    const { json, evidence, deploy, start } = await world(workers);
    const first = await start();
    await first.admin.move('catalog', { kind: 'shadow', sample: 100 });
    await first.until(({ compared }) => compared >= 5);
    const { causes } = await json<{ causes: readonly { readonly id: string }[] }>('diffs', 'catalog');
    const id = causes[0]?.id ?? '';
    await json('diffs', 'catalog', id, '--mark', 'bug', '-m', 'says who it is');
    const before = await evidence();
    expect(before.standings).toMatchObject([{ build: 'b1', legacyBuild: 'l1', shadowed: 'service' }]);
    await first.stop();

    const second = await start();
    expect((await evidence()).standings).toMatchObject([
      { build: 'b1', compared: before.standings[0]?.compared, requests: before.standings[0]?.requests },
    ]);
    expect(await json('diffs', 'catalog')).toMatchObject({
      causes: [{ id, mark: 'bug', marked: { by: 'ana' } }],
    });
    deploy('b2');
    await second.until(({ build }) => build === 'b2');
    const after = await evidence();
    expect(after.standings).toMatchObject([{ build: 'b2' }]);
    expect(after.standings[0]?.compared).toBeLessThan(before.standings[0]?.compared ?? 0);
    expect(after.stale).toMatchObject([{ build: 'b1', compared: before.standings[0]?.compared }]);
    expect(await json('diffs', 'catalog')).toMatchObject({ causes: [{ id, mark: 'bug', stale: false }] });
  },
);

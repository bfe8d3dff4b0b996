import { expect, test } from 'vitest';
import type { GroupNoise } from '../../router/core/ports.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { eventually, startWorld, type World, webServer } from '../helpers/world.ts';

/** An answer with an id that is drawn anew each time. */
async function drawing(prefix: string) {
  let drawn = 0;
  return webServer((_req, res) => {
    drawn += 1;
    res
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ rid: `${prefix}${drawn}` }));
  });
}

async function ask(world: World, times: number, different: number): Promise<void> {
  for (let i = 0; i < times; i += 1) await world.get('/api/v1/products/12');
  await eventually(async () => (await world.group()).comparisons.different === different);
}

const groups = {
  catalog: {
    service: 'catalog',
    routes: ['GET /api/*'],
    unit: [{ cookie: 'sid' }],
    shadow: { baseline: { perSecondMax: 1_000 } },
  },
};

test.each([1, 2])('with %i workers what was learned of noise survives a restart', async (workers) => {
  const [old, service] = [await drawing('a'), await drawing('b')];
  const folder = temporaryFolder();
  const upstreams = { legacy: old.origin, service: service.origin };
  const first = await startWorld(upstreams, { workers, groups }, folder);
  await first.move({ kind: 'shadow', sample: 100 });
  await ask(first, 4, 4);
  expect((await first.group()).noise).toBeNull();
  await first.running.stop();

  const second = await startWorld(upstreams, { workers, groups }, folder);
  expect((await second.group()).noise).toMatchObject({ verdict: 'UNKNOWN', triples: 4 });
  await ask(second, 8, 12);
  await second.running.stop();

  const third = await startWorld(upstreams, { workers, groups }, folder);
  expect((await third.group()).noise).toMatchObject({
    triples: 12,
    paths: { REGRESSION: 0, UNKNOWN: 1, NOISE: 0, CLEAN: 0 },
    explained: 0,
  });
  const { body } = await third.admin('GET', '/api/v1/groups/catalog/causes');
  const { noise } = body.data as { noise: GroupNoise };
  expect(noise.reports).toMatchObject([{ template: '/body/rid', kind: 'value', n: 12, both: 12 }]);
});

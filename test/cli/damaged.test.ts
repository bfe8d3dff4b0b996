import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { fig } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { startWorld, webServer } from '../helpers/world.ts';

test('a flag database that is none ends with 1, in a sentence', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, '.fig'));
  writeFileSync(join(folder, '.fig/flags.db'), 'not a database'.repeat(500));
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ legacy: 'http://127.0.0.1:1' }));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
  const sentence = /^fig: .*flags\.db cannot be used as a flag database \(\w+\)\n$/;
  expect([exit, stderr]).toEqual([1, expect.stringMatching(sentence)]);
});

test('an edited ledger ends with 1 and names the event', async () => {
  const folder = temporaryFolder();
  const upstream = await webServer((_req, res) => res.end());
  const world = await startWorld({ legacy: upstream.origin, service: upstream.origin }, {}, folder);
  await world.move({ kind: 'shadow', sample: 10 });
  await world.running.stop();
  const db = new Database(join(folder, '.fig/fig.db'));
  db.exec(`DROP TRIGGER event_is_never_changed;
    UPDATE event SET body = replace(body, 'shadow', 'live') WHERE type = 'stage.changed'`);
  db.close();
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ legacy: upstream.origin }));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
  expect([exit, stderr]).toEqual([1, expect.stringMatching(/ledger event 2 was edited/)]);
});

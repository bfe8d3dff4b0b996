import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Envelope, GroupStatus, StatusData } from '../router/control/api.ts';
import { addToKillFile } from '../router/kill-file.ts';
import { type Client, connect, dataFolder } from './client.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { carryOut, type MoveOptions, withMoveOptions } from './receipt.ts';
import { duration, print, say } from './ui.ts';

interface KillOptions extends MoveOptions {
  readonly release?: boolean;
}

/** How long to wait for the server to say that it stopped. */
const CONFIRM_MS = 5_000;
const ASK_EVERY_MS = 20;

export function addKill(program: Command): void {
  const command = program
    .command('kill')
    .argument('<group>', 'a group, or * for all')
    .option('--release', 'let the group move again; a restart does not')
    .description(
      'stop a group at once through a file the data plane watches; works while everything else is down',
    );
  withMoveOptions(command).action(async (group: string, options: KillOptions) => {
    if (options.release) await release(group, options);
    else await kill(group, options);
  });
}

async function release(group: string, options: KillOptions): Promise<void> {
  for (const name of await named(group, options)) await carryOut(name, { kind: 'release' }, options);
}

/** The group, or for `*` every group of the server. */
async function named(group: string, options: KillOptions): Promise<readonly string[]> {
  if (group !== '*') return [group];
  const { data }: Envelope<StatusData> = await connect(dataFolder(options.data)).get('/api/v1/status');
  return data.groups.map((candidate) => candidate.group);
}

async function kill(group: string, options: KillOptions): Promise<void> {
  const data = dataFolder(options.data);
  if (!existsSync(data))
    throw new CommandFailure(`there is no data folder ${data}`, EXIT.usage, 'name it with --data');
  if (group !== '*' && !/^[a-z0-9-]{1,40}$/.test(group))
    throw new CommandFailure(`"${group}" is no group name`, EXIT.usage);
  const started = performance.now();
  try {
    addToKillFile(join(data, 'fig.kill'), group);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    say(`fig: the kill file cannot be written (${code}); asking the server instead`);
    for (const name of await named(group, options)) await carryOut(name, { kind: 'kill' }, options);
    return;
  }
  const written = performance.now() - started;
  const unconfirmed = (why: string) =>
    new CommandFailure(
      `the kill file is written after ${duration(written)}, but no data plane confirmed it (${why}); a running one obeys within 200 ms`,
      EXIT.unreachable,
    );
  let client: Client;
  try {
    client = connect(data);
  } catch (error) {
    throw unconfirmed(error instanceof Error ? error.message : String(error));
  }
  const stopped = await confirmed(client, group, started + CONFIRM_MS).catch((error: unknown) => {
    throw unconfirmed(error instanceof Error ? error.message : String(error));
  });
  if (stopped === null) throw unconfirmed(`not within ${duration(CONFIRM_MS)}`);
  if (stopped.length === 0)
    throw new CommandFailure(
      `there is no group "${group}"; the kill file names it all the same`,
      EXIT.usage,
      'fig status',
    );
  const took = duration(performance.now() - started);
  if (options.json)
    print(JSON.stringify({ schema: 'fig.kill/1', at: new Date().toISOString(), data: { groups: stopped } }));
  else
    for (const name of stopped)
      print(
        `${name}  killed, confirmed after ${took}; everything is on legacy until fig kill ${name} --release`,
      );
}

/** The groups that were asked for, once all of them are stopped; null when the deadline passed. */
async function confirmed(client: Client, group: string, deadline: number): Promise<readonly string[] | null> {
  while (performance.now() < deadline) {
    const { data }: Envelope<StatusData> = await client.get('/api/v1/status');
    const { workers, snapshot } = data;
    const asked = data.groups.filter((candidate) => group === '*' || candidate.group === group);
    // Sealed groups have no legacy to return to; they are not waited for.
    const stopped = (g: GroupStatus) =>
      g.stopped === 'killed' || g.stage === 'sealed' || g.stage === 'retired';
    // A data plane that does not run yet begins with the newest snapshot.
    const inForce = workers.every((worker) => worker.state !== 'ready' || (worker.snapshot ?? 0) >= snapshot);
    if (inForce && asked.every(stopped)) return asked.map((g) => g.group);
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
  return null;
}

import type { Command } from 'commander';
import type { Move, Position, Receipt } from '../router/control/api.ts';
import { revArgument } from './arguments.ts';
import { connect, dataFolder, move } from './client.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { duration, percent, plain, print, say, table } from './ui.ts';

/** The options every move has. */
export interface MoveOptions {
  readonly message?: string;
  readonly ifRev?: string;
  readonly data?: string;
  readonly json?: boolean;
}

export function withMoveOptions(command: Command): Command {
  return command
    .option('-m, --message <reason>', 'why; stored in the ledger')
    .option('--if-rev <rev>', 'only if the group is still at this rev (from `fig status`)', revArgument)
    .option('--data <folder>', 'data folder of the server (default: .fig here or in a parent)')
    .option('--json', 'print the receipt as JSON');
}

/** Sends a move and prints its receipt. A flag that lags behind is said; the routing already changed. */
export async function carryOut(group: string, body: Move, options: MoveOptions): Promise<void> {
  const client = connect(dataFolder(options.data));
  const reason = options.message === undefined ? {} : { reason: options.message };
  const receipt = await move(client, group, { ...body, ...reason }, options.ifRev);
  if (options.json) print(JSON.stringify({ schema: 'fig.receipt/1', at: receipt.acceptedAt, data: receipt }));
  else print(receiptText(receipt));
  if (receipt.recordedMs === null)
    throw new CommandFailure(
      'the ledger could not be written: this holds only until a restart',
      EXIT.failed,
      'the log of fig up',
    );
  const { running, confirmed } = receipt.planes;
  if (confirmed < running)
    say(
      `fig: only ${confirmed} of ${running} workers confirmed in time; the others may still route as before, see fig status`,
    );
  if (receipt.flag.state === 'pending')
    say(
      `fig: the flag is not there yet (${plain(receipt.flag.why)}); it is retried, and the ledger already holds`,
    );
}

function receiptText(receipt: Receipt): string {
  const { group, from, to, service, flag, unsafeByService } = receipt;
  const change = changeText(from, to);
  if (receipt.status === 'already-there') return `${group}  already so: ${positionText(to)}  rev ${to.rev}`;
  const rows = [
    [
      group,
      `${change === '' ? positionText(to) : change}  rev ${from.rev} -> ${to.rev}  accepted ${receipt.acceptedAt}`,
    ],
    [
      'routing',
      `snapshot ${receipt.snapshot} in force after ${duration(receipt.appliedMs)}${workersText(receipt.planes)}`,
    ],
  ];
  if (to.stopped !== null || to.share < from.share) {
    const last =
      service.lastStartedMs === null
        ? 'none began after the decision'
        : `the last began ${duration(service.lastStartedMs)} after the decision`;
    rows.push(['service', `${last}; ${service.inFlight} still running there`]);
    if (unsafeByService > 0)
      rows.push(['data', `${unsafeByService} writes answered by the service; it may hold the only copy`]);
  }
  if (flag.state === 'verified') rows.push(['flag', `read back after ${duration(flag.verifiedMs)}`]);
  if (flag.state === 'pending') rows.push(['flag', `pending: ${flag.why}`]);
  return table(rows);
}

/** One data plane is the server itself: nothing to say. */
export function workersText({ running, confirmed }: Receipt['planes']): string {
  return running === 1 && confirmed === 1 ? '' : ` in ${confirmed} of ${running} workers`;
}

function changeText(from: Position, to: Position): string {
  const changes: string[] = [];
  if (from.stage !== to.stage) changes.push(`stage ${from.stage} -> ${to.stage}`);
  if (from.share !== to.share) changes.push(`share ${percent(from.share)} -> ${percent(to.share)}`);
  if (from.shadow !== to.shadow) changes.push(`shadow ${percent(from.shadow)} -> ${percent(to.shadow)}`);
  if (from.stopped !== to.stopped) changes.push(to.stopped ?? 'released');
  return changes.join(', ');
}

function positionText({ stage, share, shadow, stopped }: Position): string {
  const stop = stopped === null ? '' : `, ${stopped}`;
  return `${stage}, share ${percent(share)}, shadow ${percent(shadow)}${stop}`;
}

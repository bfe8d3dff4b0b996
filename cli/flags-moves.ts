import type { Command } from 'commander';
import type { FlagChangeBody, FlagReceiptData } from '../router/control/api.ts';
import { flagArgument, percentArgument } from './arguments.ts';
import { connect, dataFolder } from './client.ts';
import { print, table } from './ui.ts';

interface MoveOptions {
  readonly env?: string;
  readonly message?: string;
  readonly force?: boolean;
  readonly data?: string;
  readonly json?: boolean;
}

/** `set`, `on`, `off`: changes of one flag, each written, read back and receipted. */
export function addFlagsMoves(flags: Command): void {
  const set = flags
    .command('set')
    .argument('<name>', 'a flag', flagArgument)
    .argument('<percent>', 'rollout of its only strategy, for example 25%', percentArgument(0))
    .description('set the rollout of a flag that has exactly one flexibleRollout strategy');
  withOptions(set).action((name: string, percent: number, options: MoveOptions) =>
    move(name, { kind: 'set', percent }, options),
  );
  const on = flags
    .command('on')
    .argument('<name>', 'a flag', flagArgument)
    .description('switch a flag on; refused without an active strategy, which would be on for everybody');
  withOptions(on).action((name: string, options: MoveOptions) => move(name, { kind: 'on' }, options));
  const off = flags
    .command('off')
    .argument('<name>', 'a flag', flagArgument)
    .description('switch a flag off for everybody');
  withOptions(off).action((name: string, options: MoveOptions) => move(name, { kind: 'off' }, options));
}

function withOptions(command: Command): Command {
  return command
    .option('--env <name>', 'in this environment (default: the one that decides about traffic)')
    .option('-m, --message <reason>', 'why; kept beside the event and shown by fig flags history')
    .option('--force', 'also a flag that a group’s ledger moves; the ledger’s share still holds')
    .option('--data <folder>', 'data folder of the server (default: .fig here or in a parent)')
    .option('--json', 'print the receipt as JSON');
}

async function move(name: string, change: FlagChangeBody, options: MoveOptions): Promise<void> {
  const { env, message, force, data, json } = options;
  const body: FlagChangeBody = { ...change, environment: env, reason: message, force };
  const path = `/api/v1/flags/${encodeURIComponent(name)}/changes`;
  const reply = await connect(dataFolder(data)).post<FlagReceiptData>(path, body);
  print(json ? JSON.stringify(reply) : receiptText(reply.data));
}

function receiptText({ flag, environment, status, from, to, notes }: FlagReceiptData): string {
  const what =
    status === 'already-there' || from === null ? `already so: ${to}` : `${from} -> ${to}, read back`;
  return table([[flag, `${environment}: ${what}`], ...notes.map((note) => ['note', note])]);
}

import { Command, CommanderError } from 'commander';
import { addCompare } from './compare.ts';
import { addDiffs } from './diffs.ts';
import { addEvidence } from './evidence.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { addExplain } from './explain.ts';
import { addFlags } from './flags.ts';
import { addHistory } from './history.ts';
import { addKill } from './kill.ts';
import { addProxy } from './proxy.ts';
import { addReload } from './reload.ts';
import { addRollback } from './rollback.ts';
import { addRules } from './rules.ts';
import { addSelfTest } from './selftest.ts';
import { addShadow } from './shadow.ts';
import { addShift } from './shift.ts';
import { addStage } from './stage.ts';
import { addStatus } from './status.ts';
import { say } from './ui.ts';
import { addUp } from './up.ts';
import { version } from './version.ts';

const program = new Command('fig')
  .description('Moves endpoints from a legacy system to new services: shadow, compare, shift, put back.')
  .version(version(), '--version', 'print the version')
  .helpOption('--help', 'print help')
  .helpCommand(false)
  .showSuggestionAfterError()
  .enablePositionalOptions()
  .exitOverride()
  .configureOutput({ writeErr: (text) => process.stderr.write(text.replace(/^error: /, 'fig: ')) });

for (const add of [
  addUp,
  addProxy,
  addStatus,
  addShadow,
  addDiffs,
  addCompare,
  addRules,
  addEvidence,
  addSelfTest,
  addShift,
  addStage,
  addRollback,
  addKill,
  addExplain,
  addFlags,
  addHistory,
  addReload,
]) {
  add(program);
}
program.addHelpText(
  'after',
  `
Exit codes: 0 ok, 1 failed, 2 usage or configuration, 4 not allowed, 5 conflict, 6 server unreachable,
124 timed out, 130 interrupted.`,
);

// A reader that stops reading (`fig history | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CommandFailure) {
    if (process.argv.includes('--json') && error.problem !== null) say(JSON.stringify(error.problem));
    else say(`fig: ${error.message}${error.next === null ? '' : `\n     see ${error.next}`}`);
    return error.exit;
  }
  say(`fig: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return EXIT.failed;
}

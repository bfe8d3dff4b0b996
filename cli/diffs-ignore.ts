import type { Command } from 'commander';
import { type AddOptions, carryOut, paperwork, withAdd } from './rules.ts';

/** `fig diffs ignore GROUP CAUSE`: rules for what one cause shows. */
export function addDiffsIgnore(diffs: Command): void {
  withAdd(diffs.command('ignore').argument('<group>').argument('<cause>', 'its id, as `fig diffs` shows it'))
    .option('--action <action>', 'instead of the narrowest rule for each difference, one without parameters')
    .description('adds rules that silence a cause, on the routes that show it')
    .action((group: string, id: string, options: AddOptions & { readonly action?: string }) => {
      const action = options.action === undefined ? {} : { action: options.action };
      return carryOut(group, { cause: { id, ...action, ...paperwork(options) } }, options);
    });
}

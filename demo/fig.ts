import type { Cause } from './evidence.ts';
import type { Finished, Processes } from './processes.ts';

/** What the story reads of `fig status --json`. */
export interface GroupView {
  readonly group: string;
  readonly stage: string;
  readonly share: {
    readonly effective: number;
    readonly measured: {
      readonly percent: number;
      readonly lower: number;
      readonly upper: number;
      readonly units: number;
    } | null;
  };
  readonly traffic: { readonly legacy: SideView; readonly service: SideView };
  readonly comparisons: { readonly same: number; readonly ignored: number; readonly different: number };
}

interface SideView {
  readonly requests: number;
  readonly failures: number;
}

/** The `fig` command, as a person at a terminal uses it. */
export interface Fig {
  /** Prints the command and what it printed; throws when it fails. */
  show(...args: readonly string[]): Promise<Finished>;
  status(): Promise<readonly GroupView[]>;
  group(name: string): Promise<GroupView>;
  /** Causes of the build seen last. */
  causes(group: string): Promise<readonly Cause[]>;
  /** Asks until `reached`, at most 30 s. */
  until(group: string, reached: (view: GroupView) => boolean): Promise<GroupView>;
}

const UNTIL_MS = 30_000;

export function createFig(processes: Processes, data: string): Fig {
  const run = async (args: readonly string[]): Promise<Finished> => {
    const finished = await processes.run(['cli/fig.js', ...args, '--data', data]);
    if (finished.exit !== 0)
      throw new Error(`fig ${args.join(' ')} ended with ${finished.exit}: ${finished.stderr}`);
    return finished;
  };
  const json = async <T>(...args: readonly string[]): Promise<T> =>
    JSON.parse((await run([...args, '--json'])).stdout).data;
  const status = async () => (await json<{ groups: readonly GroupView[] }>('status')).groups;
  const group = async (name: string) => {
    const view = (await status()).find((candidate) => candidate.group === name);
    if (view === undefined) throw new Error(`there is no group ${name}`);
    return view;
  };
  return {
    async show(...args) {
      console.log(`$ fig ${args.map((arg) => (arg.includes(' ') ? `"${arg}"` : arg)).join(' ')}`);
      const finished = await run(args);
      console.log(finished.stdout.trimEnd().replaceAll(/^/gm, '  '));
      return finished;
    },
    status,
    group,
    async causes(name) {
      const { causes } = await json<{ causes: readonly (Cause & { readonly stale: boolean })[] }>(
        'diffs',
        name,
      );
      return causes.filter((cause) => !cause.stale);
    },
    async until(name, reached) {
      const deadline = performance.now() + UNTIL_MS;
      for (;;) {
        const view = await group(name);
        if (reached(view)) return view;
        if (performance.now() > deadline) throw new Error(`${name} did not get there within ${UNTIL_MS} ms`);
      }
    },
  };
}

/** What a shell sees. Documented in README.md; never renumbered. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  gate: 3,
  denied: 4,
  conflict: 5,
  unreachable: 6,
  timeout: 124,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command: one sentence on stderr, optionally the command that helps, and an exit code. */
export class CommandFailure extends Error {
  readonly exit: ExitCode;
  readonly next: string | null;
  /** The server's answer as it came, for --json. */
  readonly problem: unknown;

  constructor(message: string, exit: ExitCode, next: string | null = null, problem: unknown = null) {
    super(message);
    this.name = 'CommandFailure';
    this.exit = exit;
    this.next = next;
    this.problem = problem;
  }
}

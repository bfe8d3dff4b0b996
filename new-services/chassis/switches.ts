/** The faults that can be planted in a service on purpose, and the harmless differences it shows unless told not to. */
const BUGS = ['B01', 'B02', 'B03', 'B04', 'B06', 'B08', 'B13', 'B28'] as const;
export const DECOYS = ['D01', 'D03', 'D06', 'D07', 'D11', 'D13'] as const;
export type Bug = (typeof BUGS)[number];
export type Decoy = (typeof DECOYS)[number];

export interface Switches {
  /** Bugs that are on, with their numeric parameters. */
  readonly bugs: ReadonlyMap<Bug, readonly number[]>;
  readonly decoys: ReadonlySet<Decoy>;
}

/** How many numbers a bug may carry: B28:requests:seconds. */
const PARAMETERS_MAX: Partial<Record<Bug, number>> = { B28: 2 };

/**
 * Reads `SEEDED_BUGS` (a comma list, `B03,B28:400:2`; empty: none) and `SEEDED_DECOYS` (a comma list, `all` or
 * `none`; empty: all). Throws RangeError with a sentence for a person on anything else.
 */
export function readSwitches(seededBugs: string, seededDecoys: string): Switches {
  const bugs = new Map(listOf(seededBugs).map(readBug));
  if (seededDecoys === 'none') return { bugs, decoys: new Set() };
  if (seededDecoys === 'all' || seededDecoys === '') return { bugs, decoys: new Set(DECOYS) };
  return { bugs, decoys: new Set(listOf(seededDecoys).map(readDecoy)) };
}

function listOf(text: string): string[] {
  return text === '' ? [] : text.split(',').map((item) => item.trim());
}

function readBug(text: string): [Bug, readonly number[]] {
  const [id = '', ...parameters] = text.split(':');
  const bug = BUGS.find((known) => known === id);
  if (bug === undefined)
    throw new RangeError(`SEEDED_BUGS: unknown bug "${id}"; known are ${BUGS.join(' ')}`);
  const numbers = parameters.map(Number);
  const good =
    parameters.every((parameter) => /^\d+(\.\d+)?$/.test(parameter)) && numbers.every((n) => n > 0);
  if (!good || numbers.length > (PARAMETERS_MAX[bug] ?? 0)) {
    throw new RangeError(`SEEDED_BUGS: ${text} has parameters that ${bug} does not take`);
  }
  return [bug, numbers];
}

function readDecoy(text: string): Decoy {
  const decoy = DECOYS.find((known) => known === text);
  if (decoy === undefined) {
    throw new RangeError(`SEEDED_DECOYS: unknown decoy "${text}"; known are all, none, ${DECOYS.join(' ')}`);
  }
  return decoy;
}

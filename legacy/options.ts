import { parseArgs } from 'node:util';

export interface Options {
  readonly port: number;
  readonly db: string;
  readonly seed: number;
  readonly seedNamed: boolean;
  readonly reset: boolean;
}

/** Reads the command line. Throws an Error whose message is a sentence for a person. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '3000' },
      db: { type: 'string', default: 'legacy.db' },
      seed: { type: 'string' },
      reset: { type: 'boolean', default: false },
    },
  });
  return {
    port: wholeNumber('--port', values.port, 65_535),
    db: values.db,
    seed: wholeNumber('--seed', values.seed ?? '1969', 0xffff_ffff),
    seedNamed: values.seed !== undefined,
    reset: values.reset,
  };
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max)
    throw new RangeError(`${name} must be a whole number from 0 to ${max}, is "${text}"`);
  return value;
}

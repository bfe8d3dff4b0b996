import { parseArgs } from 'node:util';
import type { Body } from './body.ts';

export const SET_NAMES = [
  'front',
  'shadow',
  'shadow-faults',
  'workers',
  'bodies',
  'idle',
  'churn',
  'flags',
  'compare',
] as const;
export type SetName = (typeof SET_NAMES)[number];

export interface Options {
  readonly sets: readonly SetName[];
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: readonly number[];
  readonly bodies: readonly Body[];
  readonly check: boolean;
}

/** Reads the command line; every list is separated by commas. Throws RangeError, or TypeError on an unknown option. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      set: { type: 'string', default: 'front' },
      seconds: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '5' },
      connections: { type: 'string', default: '64' },
      body: { type: 'string', default: '1024' },
      check: { type: 'boolean', default: false },
    },
  });
  const { set, seconds, rounds, connections, body, check } = values;
  return {
    sets: set === 'all' ? SET_NAMES : set.split(',').map(setName),
    seconds: positive('seconds', seconds),
    rounds: positive('rounds', rounds),
    connections: connections.split(',').map((text) => positive('connections', text)),
    bodies: body.split(',').map((text) => (text === 'chunked' ? text : positive('body', text))),
    check,
  };
}

function setName(text: string): SetName {
  const found = SET_NAMES.find((name) => name === text);
  if (found === undefined)
    throw new RangeError(`--set must be all or of ${SET_NAMES.join(', ')}, is ${text}`);
  return found;
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new RangeError(`--${name} must be a whole number above 0, is ${text}`);
  return number;
}

import { parseArgs } from 'node:util';

export interface Options {
  /** Origin that all requests go to. */
  readonly target: string;
  readonly seed: number;
  /** Requests per second. */
  readonly rate: number;
  readonly durationSeconds: number;
  readonly sessions: number;
  readonly json: boolean;
}

const REQUESTS_MAX = 1_000_000;

/** Reads the command line. Throws an Error whose message is a sentence for a person. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: { type: 'string', default: 'http://127.0.0.1:8080' },
      seed: { type: 'string', default: '7' },
      rate: { type: 'string', default: '100' },
      duration: { type: 'string', default: '30' },
      sessions: { type: 'string', default: '200' },
      mix: { type: 'string', default: 'slice' },
      json: { type: 'boolean', default: false },
    },
  });
  if (!/^http:\/\/[^/\s]+\/?$/.test(values.target) || !URL.canParse(values.target)) {
    throw new RangeError(`--target must be an origin like http://127.0.0.1:8080, is "${values.target}"`);
  }
  if (values.mix !== 'slice') throw new RangeError(`--mix must be slice, is "${values.mix}"`);
  const options = {
    target: new URL(values.target).origin,
    seed: wholeNumber('--seed', values.seed, 0, 0xffff_ffff),
    rate: wholeNumber('--rate', values.rate, 1, 10_000),
    durationSeconds: wholeNumber('--duration', values.duration, 1, 86_400),
    sessions: wholeNumber('--sessions', values.sessions, 1, 100_000),
    json: values.json,
  };
  const requests = options.rate * options.durationSeconds;
  if (requests > REQUESTS_MAX)
    throw new RangeError(`--rate times --duration is ${requests}, above ${REQUESTS_MAX}`);
  return options;
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new RangeError(`${name} must be a whole number from ${min} to ${max}, is "${text}"`);
}

/** A strict reader of the Prometheus text format 0.0.4: throws at the first line that breaks a rule. */
export interface Exposition {
  /** By series as written, `name{label="value"}`. */
  readonly values: ReadonlyMap<string, number>;
  /** Type by family. */
  readonly types: ReadonlyMap<string, string>;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
const SAMPLE = new RegExp(
  `^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? ([-+]?(?:Inf|\\d+(?:\\.\\d+)?(?:e[-+]?\\d+)?)|NaN)$`,
);
const HELP = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\\\n]|\\\\[\\\\n])+)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const PARTS = ['_bucket', '_sum', '_count'] as const;

export function parseExposition(text: string): Exposition {
  if (!text.endsWith('\n')) throw new Error('the last line is not ended');
  const values = new Map<string, number>();
  const types = new Map<string, string>();
  const buckets = new Map<string, { bound: number; count: number }>();
  let helped = '';
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    if (line.startsWith('# HELP')) {
      helped = HELP.exec(line)?.[1] ?? fail('malformed help');
      continue;
    }
    if (line.startsWith('#')) {
      const [, name = fail('malformed type'), type = ''] = TYPE.exec(line) ?? [];
      if (name !== helped) fail('no help before the type');
      if (types.has(name)) fail('a second type');
      types.set(name, type);
      family = name;
      continue;
    }
    const [, name = fail('malformed sample'), labels = '', number = ''] = SAMPLE.exec(line) ?? [];
    const type = types.get(family) ?? fail('no type before the sample');
    const part = PARTS.find((suffix) => name === `${family}${suffix}`);
    if (type === 'histogram' ? part === undefined : name !== family) fail(`not of the family ${family}`);
    if (type === 'counter' && !name.endsWith('_total')) fail('a counter without _total');
    const series = labels === '' ? name : `${name}{${labels}}`;
    if (values.has(series)) fail('a second sample of one series');
    const keys = [...labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, key]) => key);
    if (new Set(keys).size !== keys.length) fail('one label twice');
    const value = numberOf(number);
    if (type !== 'gauge' && !(value >= 0)) fail('what counts is not negative');
    values.set(series, value);
    if (type !== 'histogram') continue;
    const owner = `${family}{${labels.replace(/(?:^|,)le="[^"]*"$/, '')}}`;
    const last = buckets.get(owner) ?? { bound: Number.NEGATIVE_INFINITY, count: 0 };
    if (part === '_bucket') {
      const bound = numberOf(/(?:^|,)le="([^"]*)"$/.exec(labels)?.[1] ?? fail('a bucket without a bound'));
      if (bound <= last.bound) fail('bounds do not rise');
      if (value < last.count) fail('a bucket below the one before');
      buckets.set(owner, { bound, count: value });
    } else {
      if (last.bound !== Number.POSITIVE_INFINITY) fail('no +Inf bucket before it');
      if (part === '_count' && value !== last.count) fail('the count is not that of the +Inf bucket');
    }
  }
  return { values, types };
}

function numberOf(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}

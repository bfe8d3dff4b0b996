/** The text format of Prometheus, version 0.0.4. */
import { type Labels, type MeterFamily, seriesOf } from '../core/meter.ts';

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface Sample {
  /** The family's name, or that of a histogram's part. */
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** Families in their order; one without samples is left out. Source: prometheus.io, "Exposition formats". */
export function exposition(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(familyText)
    .join('');
}

/** A family of a meter with the values of now. */
export function meterFamily(family: MeterFamily, value: (at: number) => number): Family {
  const { name, help, bounds } = family;
  const series = [...seriesOf(family, value)];
  if (bounds === null) {
    const samples = series.map(({ labels, at }) => ({ name, labels, value: value(at) }));
    return { name, help, type: 'counter', samples };
  }
  const samples = series.flatMap(({ labels, at }) => histogram(name, labels, at, bounds, value));
  return { name, help, type: 'histogram', samples };
}

function histogram(
  name: string,
  labels: Labels,
  at: number,
  bounds: readonly number[],
  value: (at: number) => number,
): readonly Sample[] {
  const samples: Sample[] = [];
  let below = 0;
  for (const [i, bound] of [...bounds, Number.POSITIVE_INFINITY].entries()) {
    below += value(at + i);
    samples.push({ name: `${name}_bucket`, labels: [...labels, ['le', numeral(bound)]], value: below });
  }
  const sum = value(at + bounds.length + 1) / 1_000_000;
  samples.push({ name: `${name}_sum`, labels, value: sum }, { name: `${name}_count`, labels, value: below });
  return samples;
}

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.map(
    (sample) => `${sample.name}${labelText(sample.labels)} ${numeral(sample.value)}\n`,
  );
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  if (labels.length === 0) return '';
  return `{${labels.map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`).join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function numeral(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

import { METRICS, type Metric, type Row } from './bench.ts';
import type { SetName } from './options.ts';

/** Of one metric of one contestant under one load, over all rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

interface Cell {
  readonly set: SetName;
  readonly scenario: string;
  readonly contestant: string;
  readonly metric: Metric;
}

const METRIC_NAMES = Object.keys(METRICS).filter((name): name is Metric => name in METRICS);

/** Median over all rounds; null when it was not measured. */
export function medianOf(rows: readonly Row[], cell: Cell): number | null {
  return spreadOf(rows, cell)?.median ?? null;
}

/** One table per set and load: a line per contestant, median [min-max] per metric. */
export function tables(rows: readonly Row[]): string {
  const loads = new Map(rows.map(({ set, scenario }) => [`${set}: ${scenario}`, { set, scenario }]));
  return [...loads].map(([title, load]) => `${title}\n${tableOf(rows, load)}`).join('\n\n');
}

function tableOf(rows: readonly Row[], { set, scenario }: Pick<Row, 'set' | 'scenario'>): string {
  const names = [
    ...new Set(
      rows.filter((row) => row.set === set && row.scenario === scenario).map(({ contestant }) => contestant),
    ),
  ];
  const spread = (contestant: string, metric: Metric): Spread | null =>
    spreadOf(rows, { set, scenario, contestant, metric });
  const columns = METRIC_NAMES.filter((metric) => names.some((name) => spread(name, metric) !== null));
  const lines = names.map((name) => [name, ...columns.map((metric) => shown(spread(name, metric)))]);
  return aligned([['', ...columns.map((metric) => METRICS[metric])], ...lines]);
}

function spreadOf(rows: readonly Row[], { set, scenario, contestant, metric }: Cell): Spread | null {
  const sorted = rows
    .filter((row) => row.set === set && row.scenario === scenario && row.contestant === contestant)
    .flatMap(({ sample }) => sample[metric] ?? [])
    .sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number): number => sorted[index] ?? 0;
  if (sorted.length === 0) return null;
  const median = Number.isInteger(middle) ? (at(middle - 1) + at(middle)) / 2 : at(Math.floor(middle));
  return { median, min: at(0), max: at(sorted.length - 1) };
}

function shown(spread: Spread | null): string {
  if (spread === null) return '-';
  const digits = Math.abs(spread.max) < 100 ? 1 : 0;
  const [median, min, max] = [spread.median, spread.min, spread.max].map((n) => n.toFixed(digits));
  return min === max ? `${median}` : `${median} [${min}-${max}]`;
}

function aligned(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

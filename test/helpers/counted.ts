import { type Meter, seriesOf } from '../../router/core/meter.ts';

/** Counters and counts of histograms above 0, as `name{values of the labels}`. */
export function counted(meter: Meter): Record<string, number> {
  const above: Record<string, number> = {};
  for (const family of meter.families) {
    const { name, bounds } = family;
    for (const { labels, at } of seriesOf(family, meter.value)) {
      const cells = bounds === null ? 1 : bounds.length + 1;
      let sum = 0;
      for (let i = 0; i < cells; i += 1) sum += meter.value(at + i);
      if (sum > 0) above[`${name.replace('fig_', '')}{${labels.map(([, value]) => value).join()}}`] = sum;
    }
  }
  return above;
}

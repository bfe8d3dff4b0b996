import { murmur3 } from './hash.ts';
import { createMeter, type Meter } from './meter.ts';
import type { Snapshot } from './types.ts';

/** A meter, and the number of the layout it has: what one drained another may add if these are equal. */
export interface Metered {
  readonly meter: Meter;
  readonly layout: number;
}

/** The meter for this routing state: `before` while groups and routes are the same, else one that begins at zero. */
export function meteredFor(snapshot: Snapshot, before: Metered | null): Metered {
  const groups = [...snapshot.groups.values()].map(({ name, routes }) => ({
    name,
    routes: routes.map(({ label }) => label),
  }));
  const layout = murmur3(JSON.stringify(groups), 0);
  return before?.layout === layout ? before : { meter: createMeter(groups), layout };
}

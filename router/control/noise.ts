import { explains } from '../core/noise/path-verdict.ts';
import type { GroupNoise, StoredCause } from '../core/ports.ts';

/** `explained`: at every place of the cause, and in this very way, legacy differs from itself as much. */
export type WeighedCause = StoredCause & { readonly explained: boolean };

/**
 * What noise says about causes, asked anew whenever they are read: a later verdict explains old pairs too, or no longer
 * does. Noise of one kind never explains another; of other builds and rules nothing is explained.
 */
export function weighed(causes: readonly StoredCause[], noise: GroupNoise | null): readonly WeighedCause[] {
  if (noise === null) return causes.map((cause) => ({ ...cause, explained: false }));
  const explaining = new Set(
    noise.reports
      .filter(({ verdict }) => explains(verdict))
      .map(({ route, template, kind }) => placeOf(route, template, kind)),
  );
  return causes.map((cause) => {
    const { route, build, rules, entries } = cause;
    const current = build === noise.build && rules === noise.rules;
    const explained =
      current && entries.every(({ template, kind }) => explaining.has(placeOf(route, template, kind)));
    return { ...cause, explained };
  });
}

function placeOf(...parts: readonly [route: string, template: string, kind: string]): string {
  return JSON.stringify(parts);
}

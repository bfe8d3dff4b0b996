import { explains } from '../core/noise/path-verdict.ts';
import type { GroupNoise, NoiseVerdicts, StoredCause } from '../core/ports.ts';

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
    const current = cause.places.filter(({ build, rules }) => build === noise.build && rules === noise.rules);
    const explained =
      current.length > 0 &&
      current.every(({ route }) =>
        cause.entries.every(({ template, kind }) => explaining.has(placeOf(route, template, kind))),
      );
    return { ...cause, explained };
  });
}

/** Requests asked three times before that nothing was flagged says something: those of a group's beginning. */
const SELF_TESTED_MIN = 200;

/** The same for whoever weighs evidence. */
export function noiseVerdicts(noiseOf: (group: string) => GroupNoise | null): NoiseVerdicts {
  return {
    explained(group, route) {
      const reports = noiseOf(group)?.reports ?? [];
      const places = reports.filter((report) => report.route === route && explains(report.verdict));
      const explaining = new Set(places.map(({ template, kind }) => placeOf(route, template, kind)));
      return (template, kind) => explaining.has(placeOf(route, template, kind));
    },
    regressions(group) {
      const reports = noiseOf(group)?.reports ?? [];
      return reports
        .filter(({ verdict }) => verdict === 'REGRESSION')
        .map(({ route, template, kind }) => `${route} ${template} ${kind}`);
    },
    selfTestClean(group) {
      const noise = noiseOf(group);
      if (noise === null) return null;
      if (noise.flaggedItself > 0) return false;
      return noise.triples >= SELF_TESTED_MIN ? true : null;
    },
  };
}

function placeOf(...parts: readonly [route: string, template: string, kind: string]): string {
  return JSON.stringify(parts);
}

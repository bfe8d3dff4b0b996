import type { FlagReply } from '../router/core/flags.ts';
import type { FlagCatalog } from '../router/core/ports.ts';
import { listedOf, type Ownership, shownOf } from './admin/flag-view.ts';
import type { Json } from './json.ts';
import type { Definition, FlagTable } from './table.ts';

/**
 * The flags that a reader has, where nobody may ask the admin API: of one environment, without titles, tags and
 * disabled strategies, and from a server that is polled only the `fig.` ones.
 */
export function createReaderCatalog(table: () => FlagTable | null, ownership: Ownership): FlagCatalog {
  const { environment } = ownership;
  const known = <T>(give: (table: FlagTable) => T): FlagReply<T> => {
    const now = table();
    return now === null
      ? { kind: 'failed', reason: 'unreachable', why: 'no flag was read yet' }
      : { kind: 'answered', value: give(now) };
  };
  return {
    async list(asked) {
      if (asked !== environment) {
        const why = `without an admin token only the environment ${environment} can be seen`;
        return { kind: 'failed', reason: 'no-environment', why };
      }
      return known(({ features }) =>
        features.map((feature) => listedOf(asAdmin(feature, environment), environment, ownership)),
      );
    },
    async show(name) {
      return known(({ features, segments }) => {
        const feature = features.find((one) => one.name === name);
        if (feature === undefined) return null;
        const beside = { segments: segments.map((segment) => ({ ...segment })), tags: null };
        const shown = shownOf(asAdmin(feature, environment), ownership, beside);
        return { ...shown, definition: feature };
      });
    },
  };
}

/** A flag as clients get it in the form in which the admin API shows it. */
function asAdmin({ enabled, strategies = [], ...rest }: Definition, environment: string): Json {
  return { ...rest, environments: [{ name: environment, enabled, strategies }] };
}

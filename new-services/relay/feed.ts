import type { Cursor } from '../chassis/wire.ts';
import type { LegacyReader } from './legacy-reader.ts';
import type { ServiceClient } from './service-client.ts';

/** Keeps one service equal to legacy. */
export interface Feed {
  readonly name: string;
  /** Brings the service up to date: fills it when it must be, then sends what happened since. */
  step(): Promise<void>;
  /** Whether the last step left nothing to send. */
  caughtUp(): boolean;
  appliedTo(): number | null;
}

export interface FeedDeps {
  readonly name: string;
  readonly tables: readonly string[];
  readonly legacy: LegacyReader;
  readonly service: ServiceClient;
  /** Empties the service before its first backfill. */
  readonly rebuild: boolean;
}

/** A feed keeps no cursor of its own: each step starts from what the service says it has. */
export function createFeed({ name, tables, legacy, service, rebuild }: FeedDeps): Feed {
  let rebuildAsked = rebuild;
  let cursor: Cursor | null = null;
  let seenVersion: number | null = null;

  async function step(): Promise<void> {
    cursor = null;
    // Read before the events: a write in between is seen again at the next step, never missed.
    const version = legacy.dataVersion();
    let now = await service.cursor();
    if (rebuildAsked || !now.complete || now.source !== legacy.source()) now = await fill(rebuildAsked);
    else if (legacy.lost(now)) now = await fill(now.applied_to > legacy.watermark());
    while (now.applied_to < legacy.watermark())
      now = await service.apply(legacy.events(now.applied_to, tables));
    cursor = now;
    seenVersion = version;
  }

  /** A cursor beyond legacy's last event means legacy lost commits; only an empty service can be trusted then. */
  async function fill(fromScratch: boolean): Promise<Cursor> {
    const from = legacy.watermark();
    await service.begin(legacy.source(), fromScratch);
    for (const table of tables) {
      for (let next = legacy.chunk(table, '-1'); next !== null; next = legacy.chunk(table, next.last)) {
        await service.rows(next.chunk);
      }
    }
    rebuildAsked = false;
    return service.finish(legacy.source(), from);
  }

  return {
    name,
    step,
    caughtUp: () => cursor !== null && seenVersion === legacy.dataVersion(),
    appliedTo: () => cursor?.applied_to ?? null,
  };
}

import { isDeepStrictEqual } from 'node:util';
import { ConfigError, type Fault, type Settings } from './config.ts';
import type { ReloadResult } from './control/admin-api.ts';
import type { Reloaded, ReloadState } from './control/api.ts';
import type { Clock, Log } from './core/ports.ts';

export interface ReloadDeps {
  /** What the program was started with. */
  readonly settings: Settings;
  /** Reads the configuration again. Rejects with ConfigError. */
  load(): Promise<Settings>;
  /** Puts the settings in force; rejects with ConfigError and changes nothing when they cannot be. */
  apply(next: Settings): Promise<Pick<Reloaded, 'snapshot' | 'planes'>>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Reload {
  /** All of it or nothing; one at a time. */
  reload(): Promise<ReloadResult>;
  last(): ReloadState | null;
  /** Whether what was read last is in force, and since when something is, wall time in ms. */
  inForce(): { readonly ok: boolean; readonly since: number };
}

/** What sockets, files and processes hang on: it is as it was at the start. */
const FIXED = ['listen', 'admin', 'workers', 'data', 'flags'] as const;

export function createReload({ settings, load, apply, clock, log }: ReloadDeps): Reload {
  let current = settings;
  let last: ReloadState | null = null;
  let since = clock.wall();
  let running: Promise<unknown> = Promise.resolve();

  async function once(): Promise<ReloadResult> {
    try {
      const next = await load();
      const fixed = needRestart(current, next);
      if (fixed.length > 0) throw new ConfigError('the configuration', fixed);
      const inForce = await apply(next);
      const [before, after] = [groupsOf(current), groupsOf(next)];
      current = next;
      const reloaded = {
        ...inForce,
        added: after.filter((name) => !before.includes(name)),
        removed: before.filter((name) => !after.includes(name)),
      };
      log.info('reloaded', reloaded);
      return { kind: 'reloaded', reloaded };
    } catch (error) {
      const faults =
        error instanceof ConfigError ? error.faults : [{ path: '', text: String(error), hint: null }];
      log.error('reload-refused', { faults });
      return { kind: 'refused', faults };
    }
  }

  return {
    reload() {
      const result = running.then(once).then((done) => {
        const at = clock.wall();
        last = { at: new Date(at).toISOString(), ok: done.kind === 'reloaded' };
        if (last.ok) since = at;
        return done;
      });
      running = result;
      return result;
    },
    last: () => last,
    inForce: () => ({ ok: last?.ok ?? true, since }),
  };
}

function needRestart(before: Settings, next: Settings): Fault[] {
  const hint = 'nothing was applied';
  const faults: Fault[] = FIXED.filter((key) => !isDeepStrictEqual(before[key], next[key])).map((key) => ({
    path: key,
    text: 'a change of it needs a restart',
    hint,
  }));
  if ((before.proxy.tls === null) !== (next.proxy.tls === null))
    faults.push({ path: 'tls', text: 'from plain to TLS or back needs a restart', hint });
  return faults;
}

function groupsOf({ routing }: Settings): readonly string[] {
  return routing.groups.map(({ name }) => name);
}

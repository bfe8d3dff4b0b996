import type { Ledger, Log } from '../core/ports.ts';
import type { Actions } from './act.ts';
import type { Routing } from './routing.ts';

export interface KillsDeps {
  groups(): readonly string[];
  readonly ledger: Pick<Ledger, 'state'>;
  readonly routing: Pick<Routing, 'stop'>;
  readonly actions: Actions;
  readonly log: Log;
}

/**
 * Carries out what the kill file asks: `all`, or group names. Called for every change and again and again, because
 * a file that stands there must hold however it came to be; a group the ledger has as killed costs nothing.
 */
export function createKills(deps: KillsDeps): (asked: 'all' | ReadonlySet<string>) => void {
  let complained = '';

  return (asked) => {
    const groups = deps.groups();
    const unknown = asked === 'all' ? [] : [...asked].filter((name) => !groups.includes(name));
    if (unknown.join() !== complained) {
      complained = unknown.join();
      if (unknown.length > 0) deps.log.error('kill-file-names-no-group', { unknown, groups });
    }
    for (const name of groups) if (asked === 'all' || asked.has(name)) kill(name);
  };

  function kill(name: string): void {
    const group = deps.ledger.state().groups.get(name);
    // Sealed groups have no legacy to return to.
    if (group === undefined || group.killed || group.stage === 'sealed' || group.stage === 'retired') return;
    deps.routing.stop(name, 'killed');
    deps.actions
      .move(name, { kind: 'kill', reason: 'kill file' }, { kind: 'dataplane', id: 'kill-file' }, null)
      .catch((error: unknown) => deps.log.error('kill-not-recorded', { group: name, error: String(error) }));
  }
}

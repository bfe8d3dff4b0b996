import type { ErrorCode } from './errors.ts';
import { ERRORS } from './errors.ts';
import type { Clock, Log } from './ports.ts';
import type { Observation } from './types.ts';

/**
 * Logs failed requests: a client's own at debug, all others at warn, at most one per `everyMs` for each code and
 * side, with the number of those left out. The keys are a closed set, so the table is bounded.
 */
export function createComplaints(
  clock: Clock,
  log: Log,
  everyMs: number,
): (observation: Observation) => void {
  const said = new Map<string, { at: number; leftOut: number }>();
  return ({ outcome, status, group, route, assigned }) => {
    if (outcome === 'OK') return;
    const code: ErrorCode = outcome;
    if (ERRORS[code].blame === 'client') {
      log.debug('request-failed', { outcome, status });
      return;
    }
    const now = clock.now();
    const key = `${outcome} ${assigned}`;
    const last = said.get(key);
    if (last !== undefined && now - last.at < everyMs) {
      last.leftOut += 1;
      return;
    }
    said.set(key, { at: now, leftOut: 0 });
    log.warn('request-failed', { outcome, status, group, route, assigned, leftOut: last?.leftOut ?? 0 });
  };
}

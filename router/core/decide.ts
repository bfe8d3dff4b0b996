import { assertNever } from './assert.ts';
import type { Answer, Decision, Reason, Side, Stage, Stop } from './types.ts';

/** The small closed set a decision depends on. `serve` is already held below the ledger's ceiling. */
export interface Signals {
  readonly stage: Stage;
  readonly stopped: Stop | null;
  readonly serve: Answer;
  readonly shadow: Answer;
}

/**
 * Chooses who answers and whether the other side is watched. Reads no clock, no flag client, no request; total
 * over all signals. `null` = the request belongs to no group. Source: docs/glossary.md, ARCHITECTURE.md.
 */
export function decide(signals: Signals | null): Decision {
  if (signals === null) return answer('legacy', false, 'no-route');
  const { stage, stopped, serve } = signals;
  // A kill stops shadowing too: nothing of the group reaches the service. A trip does not, because shadow
  // traffic is how a recovery is proven.
  const watched = signals.shadow === 'on' && stopped !== 'killed';
  switch (stage) {
    case 'legacy':
      return answer('legacy', false, 'stage');
    case 'shadow':
      return answer('legacy', watched, 'stage');
    case 'canary':
      if (stopped !== null) return answer('legacy', watched, stopped);
      if (serve === 'unknown') return answer('legacy', watched, 'flag-unknown');
      return answer(serve === 'on' ? 'service' : 'legacy', watched, 'flag');
    case 'live':
      if (stopped !== null) return answer('legacy', watched, stopped);
      if (serve === 'unknown') return answer('service', watched, 'flag-unknown');
      return answer(serve === 'off' ? 'legacy' : 'service', watched, 'flag');
    case 'sealed': // No way back any more: legacy may lack what the service has written since.
    case 'retired':
      return answer('service', false, 'stage');
    default:
      return assertNever(stage);
  }
}

function answer(side: Side, shadow: boolean, reason: Reason): Decision {
  return { side, shadow, reason };
}

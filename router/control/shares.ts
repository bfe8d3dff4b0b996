import type { FlagName } from '../core/events.ts';
import type { FlagShare } from '../core/ports.ts';
import { type GroupState, pendingOf } from '../core/rollout.ts';

/** The share the ledger wants a flag to carry, whole percent. */
export function wantedShare(group: GroupState, flag: FlagName): number {
  return flag === 'serve' ? flagShare(group) : Math.ceil(group.shadowShare);
}

/** The flag carries the next whole percent; the ledger's ceiling carries the exact share. Live is all of it. */
function flagShare(group: GroupState): number {
  return group.stage === 'live' || group.stage === 'sealed' || group.stage === 'retired'
    ? 100
    : Math.ceil(group.share);
}

/** Every share that a write of ours may have left in a flag. */
export function ownShares(group: GroupState, flag: FlagName): ReadonlySet<FlagShare> {
  const { readBack, replaced } = group.written[flag];
  const pending = pendingOf(group, flag);
  const intents = pending === null ? replaced : [...replaced, pending];
  return new Set([readBack, ...intents.map(({ to }) => Math.ceil(to))]);
}

import { assertNever } from './assert.ts';
import type { FlagName, Happening, LedgerEvent, Mark, Override } from './events.ts';
import type { AddedRule } from './rules/stored.ts';
import type { Stage } from './types.ts';

/** A share that was decided but not yet read back from the flag. */
export interface Intent {
  readonly seq: number;
  readonly to: number;
}

/** What we know to have written to one flag. */
export interface Written {
  /** The share that was read back last, whole percent; 0 before the first. */
  readonly readBack: number;
  /** False until something was read back. */
  readonly ever: boolean;
  /** Intents that a newer one replaced before they were read back, oldest first; any of them may have been written. */
  readonly replaced: readonly Intent[];
}

export interface Marked {
  readonly mark: Mark;
  readonly reason: string;
  readonly by: string;
  /** RFC 3339 UTC. */
  readonly at: string;
}

/** What the ledger says about one group. */
export interface GroupState {
  readonly name: string;
  readonly groupId: string;
  readonly rev: number;
  /** The rev of the newest decision: acknowledgements of a flag raise `rev` but not this. */
  readonly decidedRev: number;
  readonly epoch: number;
  readonly stage: Stage;
  /** The share of units the ledger allows to the service, percent; the ceiling of the serve flag. */
  readonly share: number;
  /** The share of units whose requests are copied, percent. */
  readonly shadowShare: number;
  readonly killed: boolean;
  readonly pendingServe: Intent | null;
  readonly pendingShadow: Intent | null;
  readonly written: Readonly<Record<FlagName, Written>>;
  /** A person asked to put the flag back, and it was not read back since. */
  readonly restoring: Readonly<Record<FlagName, boolean>>;
  /** What somebody else made of a flag; recorded once, until the flag is ours again. */
  readonly foreign: Readonly<Record<FlagName, Override | null>>;
  /** Comparison rules that people added and did not take back, oldest first. */
  readonly rules: readonly AddedRule[];
  /** Rules ever added, for the name of the next one. */
  readonly rulesAdded: number;
  /** What people say of causes, by id; those that are `new` are not here. */
  readonly marks: ReadonlyMap<string, Marked>;
  /** The newest decision, for people. */
  readonly last: {
    readonly seq: number;
    readonly at: string;
    readonly by: string;
    readonly type: string;
    readonly reason: string | null;
  };
}

export interface LedgerState {
  readonly seq: number;
  readonly groups: ReadonlyMap<string, GroupState>;
}

/** Replaced intents that are remembered per flag; a write older than that is taken for somebody else's. */
const REPLACED_MAX = 100;

/** Say what a flag was read as, or what somebody thinks of a difference; nobody decided about traffic. */
const NO_DECISIONS: readonly LedgerEvent['type'][] = [
  'share.verified',
  'shadow.verified',
  'override.cleared',
  'cause.marked',
  'comparisons.purged',
];

export const EMPTY_LEDGER: LedgerState = { seq: 0, groups: new Map() };

/** State is `events.reduce(fold, EMPTY_LEDGER)`. Throws RangeError on an event no state allows; its text names the seq. */
export function fold(state: LedgerState, event: LedgerEvent): LedgerState {
  const known = state.groups.get(event.group);
  if (event.seq !== state.seq + 1)
    throw new RangeError(`ledger event ${event.seq}: expected seq ${state.seq + 1}`);
  if ((known === undefined) !== (event.type === 'group.created')) {
    throw new RangeError(
      `ledger event ${event.seq}: ${event.type} of group "${event.group}", which ${known === undefined ? 'does not exist' : 'exists'}`,
    );
  }
  const before = known ?? newGroup(event);
  if (event.rev !== before.rev + 1)
    throw new RangeError(
      `ledger event ${event.seq}: expected rev ${before.rev + 1} of group "${event.group}"`,
    );
  const groups = new Map(state.groups);
  const newest = NO_DECISIONS.includes(event.type) ? {} : { decidedRev: event.rev, last: lastOf(event) };
  groups.set(event.group, { ...applied(before, event), rev: event.rev, ...newest });
  return { seq: event.seq, groups };
}

function applied(group: GroupState, event: LedgerEvent): GroupState {
  switch (event.type) {
    case 'group.created':
      return { ...group, groupId: event.body.groupId };
    case 'stage.changed':
      return { ...group, stage: event.body.to };
    case 'share.intended':
      return { ...intended(group, 'serve', event.seq, event.body.to), share: event.body.to };
    case 'share.verified':
      return readBack(group, 'serve', event.body.of, event.body.readBack);
    case 'shadow.intended':
      return { ...intended(group, 'shadow', event.seq, event.body.to), shadowShare: event.body.to };
    case 'shadow.verified':
      return readBack(group, 'shadow', event.body.of, event.body.readBack);
    case 'restore.intended': {
      const both = intended(
        intended(group, 'serve', event.seq, group.share),
        'shadow',
        event.seq,
        group.shadowShare,
      );
      return { ...both, restoring: { serve: true, shadow: true } };
    }
    case 'kill.set':
      return { ...group, killed: true };
    case 'kill.cleared':
      return { ...group, killed: false };
    case 'rollback.decided':
      return {
        ...intended(group, 'serve', event.seq, 0),
        stage: 'canary',
        share: 0,
        epoch: event.body.epoch,
      };
    case 'rule.added': {
      const { id, rule, forced } = event.body;
      const added = { id, rule, forced, at: event.at, by: event.actor.id };
      return { ...group, rules: [...group.rules, added], rulesAdded: group.rulesAdded + 1 };
    }
    case 'rule.removed':
      return { ...group, rules: group.rules.filter(({ id }) => id !== event.body.id) };
    case 'override.detected': {
      const { flag, seen, what = null, by = null, at = null } = event.body;
      return { ...group, foreign: { ...group.foreign, [flag]: { seen, what, by, at } } };
    }
    case 'override.cleared':
      return { ...group, foreign: { ...group.foreign, [event.body.flag]: null } };
    case 'cause.marked':
      return { ...group, marks: marked(group.marks, event) };
    case 'comparisons.purged':
      return group;
    default:
      return assertNever(event);
  }
}

function marked(
  marks: GroupState['marks'],
  { body, actor, at }: Extract<LedgerEvent, { type: 'cause.marked' }>,
): GroupState['marks'] {
  const { cause, mark, reason } = body;
  const others = [...marks].filter(([id]) => id !== cause);
  return new Map(mark === 'new' ? others : [...others, [cause, { mark, reason, by: actor.id, at }]]);
}

/** The intent of a flag that was not read back yet. */
export function pendingOf(group: GroupState, flag: FlagName): Intent | null {
  return flag === 'serve' ? group.pendingServe : group.pendingShadow;
}

function withPending(group: GroupState, flag: FlagName, intent: Intent | null): GroupState {
  return flag === 'serve' ? { ...group, pendingServe: intent } : { ...group, pendingShadow: intent };
}

/** The newest intent is what the flag shall be; the one it replaces may have been written all the same. */
function intended(group: GroupState, flag: FlagName, seq: number, to: number): GroupState {
  const before = pendingOf(group, flag);
  const written = group.written[flag];
  const replaced = [...written.replaced, ...(before === null ? [] : [before])].slice(-REPLACED_MAX);
  return {
    ...withPending(group, flag, { seq, to }),
    written: { ...group.written, [flag]: { ...written, replaced } },
  };
}

function readBack(group: GroupState, flag: FlagName, of: number, share: number): GroupState {
  if (pendingOf(group, flag)?.seq !== of) return group;
  return {
    ...withPending(group, flag, null),
    written: { ...group.written, [flag]: { readBack: share, ever: true, replaced: [] } },
    restoring: { ...group.restoring, [flag]: false },
    foreign: { ...group.foreign, [flag]: null },
  };
}

function newGroup(event: LedgerEvent): GroupState {
  return {
    name: event.group,
    groupId: event.group,
    rev: 0,
    decidedRev: 0,
    epoch: 0,
    stage: 'legacy',
    share: 0,
    shadowShare: 0,
    killed: false,
    pendingServe: null,
    pendingShadow: null,
    written: { serve: UNWRITTEN, shadow: UNWRITTEN },
    restoring: { serve: false, shadow: false },
    foreign: { serve: null, shadow: null },
    rules: [],
    rulesAdded: 0,
    marks: new Map(),
    last: lastOf(event),
  };
}

const UNWRITTEN: Written = { readBack: 0, ever: false, replaced: [] };

function lastOf(event: LedgerEvent): GroupState['last'] {
  const reason = 'reason' in event.body ? event.body.reason : null;
  return {
    seq: event.seq,
    at: event.at,
    by: `${event.actor.kind}:${event.actor.id}`,
    type: event.type,
    reason,
  };
}

/** What a person or the program may ask of a group. */
export type Command =
  | { readonly kind: 'shadow'; readonly sample: number; readonly reason: string | null }
  | { readonly kind: 'shift'; readonly share: number; readonly reason: string | null }
  | { readonly kind: 'stage'; readonly to: Stage; readonly reason: string | null }
  | { readonly kind: 'rollback'; readonly reason: string | null }
  | { readonly kind: 'kill'; readonly reason: string | null }
  | { readonly kind: 'release'; readonly reason: string | null }
  | { readonly kind: 'restore-flags'; readonly reason: string | null };

/** `events` is empty when the group is already so. `next` is the command that helps. */
export type Plan =
  | { readonly kind: 'events'; readonly events: readonly Happening[] }
  | { readonly kind: 'refused'; readonly why: string; readonly next: string };

const STAGES: readonly Stage[] = ['legacy', 'shadow', 'canary', 'live', 'sealed', 'retired'];

/** What a command means in a state: pure, decides nothing about flags, clocks or processes. */
export function plan(group: GroupState, command: Command): Plan {
  switch (command.kind) {
    case 'shadow':
      return planShadow(group, command.sample, command.reason);
    case 'shift':
      return planShift(group, command.share, command.reason);
    case 'stage':
      return planStage(group, command.to, command.reason);
    case 'rollback':
      return planRollback(group, command.reason);
    case 'kill':
      return planKill(group, command.reason);
    case 'release':
      return group.killed ? events({ type: 'kill.cleared', body: { reason: command.reason } }) : events();
    case 'restore-flags':
      return events({ type: 'restore.intended', body: { reason: command.reason } });
    default:
      return assertNever(command);
  }
}

function planShadow(group: GroupState, sample: number, reason: string | null): Plan {
  if (withoutLegacy(group))
    return refused(
      `${group.name} is ${group.stage}: there is no legacy side to compare with`,
      `fig status ${group.name}`,
    );
  const stage: Happening[] = [];
  if (sample > 0 && group.stage === 'legacy') stage.push(stageChange('legacy', 'shadow', reason));
  if (sample === 0 && group.stage === 'shadow') stage.push(stageChange('shadow', 'legacy', reason));
  const share: Happening[] =
    sample === group.shadowShare
      ? []
      : [{ type: 'shadow.intended', body: { from: group.shadowShare, to: sample, reason } }];
  return events(...stage, ...share);
}

function planShift(group: GroupState, share: number, reason: string | null): Plan {
  const { name, stage } = group;
  if (withoutLegacy(group))
    return refused(`${name} is ${stage}: the service answers everything`, `fig status ${name}`);
  if (group.killed && share > 0)
    return refused(
      `${name} was killed; its traffic stays on legacy until it is released`,
      `fig kill ${name} --release`,
    );
  if (stage === 'legacy') {
    // Back is always legal: asking for 0 % where nothing was moved is already so.
    return share === 0
      ? events()
      : refused(`${name} was never shadowed; no stage is skipped on the way up`, `fig shadow ${name} on`);
  }
  if (stage === 'live') {
    return share === 100
      ? events()
      : refused(`${name} is live: every unit is on the service`, `fig stage ${name} canary`);
  }
  const enter: Happening[] = stage === 'shadow' && share > 0 ? [stageChange('shadow', 'canary', reason)] : [];
  const move: Happening[] = share === group.share ? [] : [shareIntended(group, share, reason)];
  return events(...enter, ...move);
}

function planStage(group: GroupState, to: Stage, reason: string | null): Plan {
  const { name, stage, share } = group;
  const step = STAGES.indexOf(to) - STAGES.indexOf(stage);
  if (step === 0) return events();
  if (to === 'sealed' || to === 'retired' || withoutLegacy(group)) {
    return refused(
      `${name} cannot become ${to}: the evidence that sealing needs is not collected yet`,
      `fig status ${name}`,
    );
  }
  if (Math.abs(step) !== 1) {
    const between = STAGES[STAGES.indexOf(stage) + Math.sign(step)];
    return refused(`${name} is ${stage}; stages move one step at a time`, `fig stage ${name} ${between}`);
  }
  const change = stageChange(stage, to, reason);
  if (to === 'live') {
    if (group.killed) return refused(`${name} was killed`, `fig kill ${name} --release`);
    return share === 100
      ? events(change)
      : refused(`${name} is at ${share} %; live needs 100 %`, `fig shift ${name} 100%`);
  }
  // Leaving canary downwards: the ceiling falls with it, so that a later canary starts at nothing.
  if (to === 'shadow' && stage === 'canary' && share > 0)
    return events(change, shareIntended(group, 0, reason));
  return events(change);
}

function planRollback(group: GroupState, reason: string | null): Plan {
  const { name, stage, share } = group;
  if (withoutLegacy(group))
    return refused(
      `${name} is ${stage}: legacy may lack what the service has written since`,
      `fig status ${name}`,
    );
  if (stage === 'live' || (stage === 'canary' && share > 0)) {
    return events({ type: 'rollback.decided', body: { from: share, stage, epoch: group.epoch + 1, reason } });
  }
  return events();
}

function planKill(group: GroupState, reason: string | null): Plan {
  if (withoutLegacy(group))
    return refused(
      `${group.name} is ${group.stage}: there is no legacy to return to`,
      `fig status ${group.name}`,
    );
  return group.killed ? events() : events({ type: 'kill.set', body: { reason } });
}

function withoutLegacy(group: GroupState): boolean {
  return group.stage === 'sealed' || group.stage === 'retired';
}

function stageChange(from: Stage, to: Stage, reason: string | null): Happening {
  return { type: 'stage.changed', body: { from, to, reason } };
}

function shareIntended(group: GroupState, to: number, reason: string | null): Happening {
  return { type: 'share.intended', body: { from: group.share, to, reason } };
}

function events(...happenings: readonly Happening[]): Plan {
  return { kind: 'events', events: happenings };
}

function refused(why: string, next: string): Plan {
  return { kind: 'refused', why, next };
}

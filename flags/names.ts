import type { FlagName } from '../router/core/events.ts';
import type { FlagOwner } from '../router/core/flags.ts';
import type { FlagShare } from '../router/core/ports.ts';

/** Every flag of ours starts with this; nothing else in the project spells it. */
export const FLAG_PREFIX = 'fig.';
/** The context field that carries the sticky key. */
export const STICKY_FIELD = 'figUnit';

/** What both sides know of a strategy: an SDK definition and an admin answer alike. */
export interface StrategyShape {
  readonly name: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly constraints?: readonly unknown[];
  readonly variants?: readonly unknown[];
  readonly segments?: readonly unknown[];
  readonly disabled?: boolean;
}

/** What both sides know of a flag in one environment. */
export interface FlagShape {
  readonly enabled: boolean;
  readonly impressionData?: boolean;
  readonly strategies?: readonly StrategyShape[];
  readonly variants?: readonly unknown[];
  readonly dependencies?: readonly unknown[];
}

/** The flag that assigns units of `group` to the service. `group` must be a group name, never request data. */
export function serveFlag(group: string): string {
  return asKey(`${FLAG_PREFIX}${group}.serve`);
}

/** The flag that says whose requests of `group` are shadowed. */
export function shadowFlag(group: string): string {
  return asKey(`${FLAG_PREFIX}${group}.shadow`);
}

/** The same text in the form in which the engine keeps property names: the SDK looks flags up by it, once per request. */
function asKey(name: string): string {
  return Object.keys({ [name]: null })[0] ?? name;
}

/** The group whose flag has this name; null for any other name. There need not be such a group. */
export function groupFlagOf(name: string): Pick<FlagOwner, 'group' | 'flag'> | null {
  const [, group, flag] = /^fig\.([a-z0-9-]{1,40})\.(serve|shadow)$/.exec(name) ?? [];
  return group === undefined ? null : { group, flag: flag === 'serve' ? 'serve' : 'shadow' };
}

/** Hash seed of the shadow flag: independent of the serve flag's, so that a sample is not a cohort. */
export function shadowGroupId(groupId: string): string {
  return `${groupId}.shadow`;
}

/** The name of one of a group's flags. */
export function flagOf(group: string, flag: FlagName): string {
  return flag === 'serve' ? serveFlag(group) : shadowFlag(group);
}

/** The hash seed of one of a group's flags. */
export function seedOf(groupId: string, flag: FlagName): string {
  return flag === 'serve' ? groupId : shadowGroupId(groupId);
}

/** Lower-case letters, digits and hyphens, 1-40: the only groups a flag can be named after. */
export function isGroupName(group: string): boolean {
  return /^[a-z0-9-]{1,40}$/.test(group);
}

/**
 * Whether a flag is in our shape: enabled, exactly one `flexibleRollout` with a whole percent, sticky by our key,
 * and nothing that could narrow, widen or randomise it. `groupId`: the one it must have, or null for any.
 */
function isCanonical(flag: FlagShape, groupId: string | null): boolean {
  return flag.enabled && isQuiet(flag) && canonicalStrategy(flag, groupId) !== null;
}

/** The one canonical strategy of a flag, enabled or not; null when the strategies are not in our shape. */
export function canonicalStrategy<T extends StrategyShape>(
  flag: { readonly strategies?: readonly T[] },
  groupId: string | null,
): T | null {
  const [strategy, ...others] = flag.strategies ?? [];
  if (strategy === undefined || others.length > 0) return null;
  const { stickiness, groupId: seed } = strategy.parameters ?? {};
  const ours =
    strategy.name === 'flexibleRollout' &&
    strategy.disabled !== true &&
    rolloutOf(strategy) !== null &&
    stickiness === STICKY_FIELD &&
    typeof seed === 'string' &&
    (groupId === null ? seed !== '' : seed === groupId) &&
    isEmpty(strategy.constraints) &&
    isEmpty(strategy.variants) &&
    isEmpty(strategy.segments);
  return ours ? strategy : null;
}

/** Nothing besides its strategies decides about the flag. */
export function isQuiet(flag: FlagShape): boolean {
  return flag.impressionData !== true && isEmpty(flag.variants) && isEmpty(flag.dependencies);
}

/** Percent of units a flag asks for; `missing` for undefined, `custom` for any shape but ours. */
export function shareOf(flag: FlagShape | undefined, groupId: string | null = null): FlagShare {
  if (flag === undefined) return 'missing';
  const strategy = isCanonical(flag, groupId) ? canonicalStrategy(flag, groupId) : null;
  return strategy === null ? 'custom' : (rolloutOf(strategy) ?? 'custom');
}

/** The rollout of a strategy as a whole percent 0-100, or null when it is anything else. */
export function rolloutOf(strategy: StrategyShape): number | null {
  const { rollout } = strategy.parameters ?? {};
  return typeof rollout === 'string' && /^(?:0|[1-9][0-9]?|100)$/.test(rollout) ? Number(rollout) : null;
}

/** Parameters of a canonical strategy. `share`: whole percent 0-100, RangeError otherwise. */
export function canonicalParameters(share: number, groupId: string): Readonly<Record<string, string>> {
  return { rollout: String(wholePercent(share)), stickiness: STICKY_FIELD, groupId };
}

/** `share` itself when it is a whole percent 0-100; RangeError otherwise. */
export function wholePercent(share: number): number {
  if (!Number.isInteger(share) || share < 0 || share > 100) {
    throw new RangeError(`a share is a whole percent from 0 to 100, not ${share}`);
  }
  return share;
}

function isEmpty(list: readonly unknown[] | undefined): boolean {
  return list === undefined || list.length === 0;
}

import { canonicalStrategy, rolloutOf, STICKY_FIELD } from '../names.ts';
import type { AdminFlag, AdminStrategy } from './admin-client.ts';
import { plain } from './words.ts';

/**
 * How a flag departs from our shape, in words for people; null when it does not. `groupId`: the hash seed it must
 * have, or null for any. Without control characters, at most 300 characters: parts of it were typed by somebody.
 */
export function departures(flag: AdminFlag, groupId: string | null): string | null {
  const { strategies, variants, dependencies } = flag;
  const found = [
    ...(flag.enabled ? [] : ['switched off']),
    ...(flag.impressionData === true ? ['impression data is on'] : []),
    ...((variants?.length ?? 0) > 0 ? ['variants of the flag'] : []),
    ...((dependencies?.length ?? 0) > 0 ? [`depends on ${parents(dependencies ?? [])}`] : []),
    ...(canonicalStrategy(flag, groupId) === null ? ofStrategies(strategies, groupId) : []),
  ];
  return found.length === 0 ? null : plain(found.join(', '));
}

function ofStrategies(strategies: readonly AdminStrategy[], groupId: string | null): readonly string[] {
  const [only, ...others] = strategies;
  if (only === undefined) return ['no strategy'];
  if (others.length === 0) return ofStrategy(only, groupId);
  return [`${strategies.length} strategies (${strategies.map(summary).join('; ')})`];
}

function ofStrategy(strategy: AdminStrategy, groupId: string | null): readonly string[] {
  const { parameters = {}, constraints = [], variants = [], segments = [] } = strategy;
  const { rollout, stickiness, groupId: seed } = parameters;
  if (strategy.name !== 'flexibleRollout') return [`strategy ${strategy.name}`];
  return [
    ...(strategy.disabled === true ? ['its strategy is disabled'] : []),
    ...(rolloutOf(strategy) === null ? [`rollout ${JSON.stringify(rollout)}`] : []),
    ...(stickiness === STICKY_FIELD ? [] : [`stickiness ${String(stickiness)}`]),
    ...(seed === groupId || (groupId === null && seed !== '') ? [] : [`hash seed ${JSON.stringify(seed)}`]),
    ...(constraints.length > 0 ? [`constraint ${JSON.stringify(constraints)}`] : []),
    ...(variants.length > 0 ? [`variants ${JSON.stringify(variants)}`] : []),
    ...(segments.length > 0 ? [`segment ${segments.join(' ')}`] : []),
  ];
}

function summary(strategy: AdminStrategy): string {
  const { rollout, stickiness } = strategy.parameters ?? {};
  const share = rollout === undefined ? '' : ` ${String(rollout)} %`;
  const by = stickiness === undefined ? '' : ` by ${String(stickiness)}`;
  return `${strategy.name}${share}${by}${strategy.disabled === true ? ' disabled' : ''}`;
}

function parents(dependencies: readonly unknown[]): string {
  return dependencies
    .map((one) =>
      typeof one === 'object' && one !== null && 'feature' in one ? String(one.feature) : 'another flag',
    )
    .join(' ');
}

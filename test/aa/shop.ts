/** The shop's faults and harmless differences, driven through the comparison. */
import { alarms, found, seededBugs } from '../../demo/evidence.ts';
import type { PathReport } from '../../router/core/noise/model.ts';
import type { CompareRule } from '../../router/core/types.ts';
import { randomOf } from '../helpers/random.ts';
import type { Stack } from '../new-services/open-stack.ts';
import { catalogPaths, reviewPaths } from '../new-services/walk.ts';
import { type Driven, drive } from './drive.ts';

/** Faults that a copy can show, and the service that has them. */
export const FAULTS = [
  { id: 'B01', service: 'catalog' },
  { id: 'B02', service: 'catalog' },
  { id: 'B03', service: 'catalog' },
  { id: 'B04', service: 'catalog' },
  { id: 'B06', service: 'catalog' },
  { id: 'B08', service: 'catalog' },
  { id: 'B13', service: 'reviews' },
] as const;

const OWNED = { owner: 'team', reason: 'random or a clock of its own', expires: '2099-12-31' };

/** The rules of the shop's configuration, which explain what is harmless. */
function shopRules(group: string): readonly CompareRule[] {
  const rid = { path: '/body/rid', action: 'ignore-value', ...OWNED };
  if (group === 'search') return [rid];
  if (group === 'reviews')
    return [
      rid,
      {
        path: '/body/as_of',
        action: 'timestamp',
        pattern: 'DD/MM/YYYY HH:mm:ss.ffffff',
        zone: 'Europe/London',
        toleranceMs: 60_000,
        ...OWNED,
      },
    ];
  return [
    rid,
    { path: '/body/product/also_like/*', action: 'ignore-value', ...OWNED },
    { path: '/body/product/views', action: 'ignore-value', ...OWNED },
  ];
}

/** Legacy in the service's place, without a rule: all that differs is noise. */
export async function againstItself(stack: Stack, pairs: number, seed: number): Promise<Driven> {
  const legacy = originOf(stack.legacy.port);
  const random = chance(seed);
  return drive({ legacy, service: legacy, paths: await pathsOf(stack), pairs, rules: () => [], random });
}

export interface FaultFound {
  readonly id: string;
  readonly driven: Driven;
  /** The fault is a cause of its own. */
  readonly found: boolean;
  /** Differences that it does not explain. */
  readonly alarms: readonly string[];
}

/** A service with one fault and every harmless difference, under the shop's rules. */
export async function withFault(
  stack: Stack,
  { id, service }: (typeof FAULTS)[number],
  pairs: number,
  seed: number,
): Promise<FaultFound> {
  const { port } = await stack.open(service, { bugs: id });
  const paths = (await pathsOf(stack)).filter((path) => isOf(service, path));
  const driven = await drive({
    legacy: originOf(stack.legacy.port),
    service: originOf(port),
    paths,
    pairs,
    rules: shopRules,
    random: chance(seed),
  });
  const bugs = seededBugs([id]);
  const causes = driven.causes;
  return {
    id,
    driven,
    found: bugs.every((bug) => found(bug, causes)),
    alarms: [...new Set(alarms(bugs, causes))],
  };
}

export function regressions(driven: Driven): readonly PathReport[] {
  return driven.noise.flatMap(({ reports }) => reports.filter(({ verdict }) => verdict === 'REGRESSION'));
}

async function pathsOf(stack: Stack): Promise<readonly string[]> {
  return [...catalogPaths(stack.legacy), ...(await reviewPaths(stack.legacy))];
}

/** Scripts are compared as text, in which a random id cannot be told from the rest. */
function isOf(service: 'catalog' | 'reviews', path: string): boolean {
  return path.includes('/reviews') === (service === 'reviews') && !path.includes('callback=');
}

function originOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

function chance(seed: number): () => number {
  const random = randomOf(seed);
  return () => random(2 ** 30) / 2 ** 30;
}

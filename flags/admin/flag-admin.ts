import type {
  FlagChange,
  FlagChanged,
  FlagEvent,
  FlagExport,
  FlagListed,
  FlagReply,
  FlagShown,
} from '../../router/core/flags.ts';
import type { FlagAdmin } from '../../router/core/ports.ts';
import { isRecord, type Json, recordsOf, textOr } from '../json.ts';
import {
  ALL_FLAGS_BYTES_MAX,
  bodyOf,
  createAdminHttp,
  eventsIn,
  type Fetch,
  FlagServerError,
  isFailedTest,
  listOf,
  unexpected,
} from './admin-http.ts';
import { eventOf } from './flag-events.ts';
import { listedOf, type Ownership, shownOf } from './flag-view.ts';
import { strategyText } from './words.ts';

/** Flags whose strategies a list reads, at most; the others are listed without. */
const DETAILS_MAX = 1_000;
/** Flags that are read at the same time. */
const DETAILS_AT_ONCE = 8;
/** Archived flags that are listed, at most. */
const ARCHIVED_MAX = 100;

export interface FlagAdminDeps extends Ownership {
  /** The flag server, embedded or real. */
  readonly url: string;
  /** Admin token. */
  readonly token: string;
  readonly project: string;
  readonly fetch: Fetch;
}

/**
 * Every flag of the project through Unleash's admin API: the same calls for the embedded and a real server. Shares are
 * moved by JSON Patch with a `test` and read back; a PUT that leaves something out resets the hash seed. A flag without
 * an active strategy is never switched on: Unleash would add one that is on for everybody.
 */
export function createFlagAdmin(deps: FlagAdminDeps): FlagAdmin {
  const call = createAdminHttp({ ...deps, bytesMax: ALL_FLAGS_BYTES_MAX });
  const features = `admin/projects/${encodeURIComponent(deps.project)}/features`;

  async function listed(environment: string): Promise<readonly FlagListed[]> {
    const answer = await call('GET', features);
    const rows = listOf('features', answer, 'listing the flags');
    requireEnvironment(environmentsOf(rows), environment);
    const withStrategies = rows.filter((row) =>
      [environment, deps.environment].some((one) => hereOf(row, one)?.['hasStrategies'] !== false),
    );
    const details = await inTurn(withStrategies.slice(0, DETAILS_MAX), DETAILS_AT_ONCE, (row) =>
      detail(textOr(row['name'], '')),
    );
    const known = new Map(details.flatMap((one) => (one === null ? [] : [[one['name'], one] as const])));
    return rows.map((row) => listedOf(known.get(row['name']) ?? row, environment, deps));
  }

  /** Archived flags, all or those whose name contains `query`; null: the server does not list them. */
  async function archivedFlags(query: string | null): Promise<readonly Json[] | null> {
    const wanted = query === null ? '' : `&query=${encodeURIComponent(query)}`;
    const project = encodeURIComponent(`IS:${deps.project}`);
    const answer = await call(
      'GET',
      `admin/search/features?project=${project}&archived=IS:true&limit=${ARCHIVED_MAX}${wanted}`,
    );
    if (answer.status === 404) return null;
    return listOf('features', answer, 'listing the archived flags');
  }

  /** Unleash does not show an archived flag by its name; it only lists it. */
  async function archivedFlag(name: string): Promise<Json | null> {
    return (await archivedFlags(name))?.find((row) => row['name'] === name) ?? null;
  }

  async function detail(name: string): Promise<Json | null> {
    const answer = await call('GET', `${features}/${encodeURIComponent(name)}`);
    if (answer.status === 404) return null;
    const flag = bodyOf(answer, 'reading a flag');
    if (flag['name'] !== name || !Array.isArray(flag['environments']))
      throw unexpected('reading a flag', answer);
    return flag;
  }

  /** The flag in one environment; null: there is no such flag, or it is archived. */
  async function place(name: string, environment: string): Promise<Json | null> {
    const flag = await detail(name);
    if (flag === null) return null;
    requireEnvironment(environmentsOf([flag]), environment);
    return hereOf(flag, environment);
  }

  async function segments(): Promise<readonly Json[]> {
    const answer = await call('GET', 'admin/segments');
    return answer.status === 404 ? [] : listOf('segments', answer, 'reading the segments');
  }

  async function tags(name: string): Promise<readonly Json[] | null> {
    const answer = await call('GET', `admin/features/${encodeURIComponent(name)}/tags`);
    return answer.status === 404 ? null : listOf('tags', answer, 'reading the tags');
  }

  async function events(name: string | null, limit: number): Promise<readonly FlagEvent[]> {
    const found = await eventsIn(call, name, limit);
    return found.map(eventOf).filter((event) => event !== null);
  }

  async function set(name: string, environment: string, percent: number): Promise<FlagChanged> {
    const before = await place(name, environment);
    if (before === null) return { kind: 'unknown' };
    const strategies = recordsOf(before['strategies']);
    const [strategy] = strategies;
    const why = whyNoRollout(name, environment, strategies);
    if (strategy === undefined || why !== null) return { kind: 'refused', why: why ?? '' };
    const old = rolloutOf(strategy);
    const note =
      before['enabled'] === true && strategy['disabled'] !== true
        ? null
        : `${before['enabled'] === true ? 'its strategy is disabled' : `it is off in ${environment}`}: the rollout has no effect yet`;
    if (old === String(percent)) return { kind: 'unchanged', to: rolloutText(old), note };
    const path = `${placeOf(name, environment)}/strategies/${encodeURIComponent(textOr(strategy['id'], ''))}`;
    const answer = await call('PATCH', path, [
      { op: 'test', path: '/parameters/rollout', value: old },
      { op: 'replace', path: '/parameters/rollout', value: String(percent) },
    ]);
    if (isFailedTest(answer) || answer.status === 404)
      return conflict(name, `it had ${rolloutText(old)} a moment ago`);
    bodyOf(answer, 'changing the rollout');
    const after = recordsOf((await place(name, environment))?.['strategies']);
    const now = after.find((one) => one['id'] === strategy['id']);
    if (now === undefined || rolloutOf(now) !== String(percent))
      return conflict(name, 'it was written, and read back as something else');
    return {
      kind: 'changed',
      from: rolloutText(old),
      to: rolloutText(String(percent)),
      note,
      event: await eventLeft(name, environment, `${rolloutText(old)} -> ${percent} %`),
    };
  }

  async function flip(name: string, environment: string, to: 'on' | 'off'): Promise<FlagChanged> {
    const before = await place(name, environment);
    if (before === null) return { kind: 'unknown' };
    const strategies = recordsOf(before['strategies']);
    const words = strategies.map(strategyText).join('; ');
    const note = to === 'on' ? `what decides: ${words}` : null;
    if ((before['enabled'] === true) === (to === 'on')) return { kind: 'unchanged', to, note };
    if (to === 'on' && strategies.every(({ disabled }) => disabled === true)) {
      const what = strategies.length === 0 ? 'no strategy' : 'no strategy that is enabled';
      const why = `${name} has ${what} in ${environment}; switched on like this a real Unleash makes it 100 % for everybody. Add a strategy with an explicit rollout first`;
      return { kind: 'refused', why };
    }
    const answer = await call('POST', `${placeOf(name, environment)}/${to}`);
    // The embedded server refuses what it was too late to see here.
    if (answer.status === 409) return conflict(name, `switching it ${to} was refused`);
    if (answer.status !== 200) throw unexpected(`switching the flag ${to}`, answer);
    const after = await place(name, environment);
    if ((after?.['enabled'] === true) !== (to === 'on'))
      return conflict(name, 'it was switched back at once');
    const from = to === 'on' ? 'off' : 'on';
    return { kind: 'changed', from, to, note, event: await eventLeft(name, environment, `switched ${to}`) };
  }

  async function conflict(name: string, what: string): Promise<FlagChanged> {
    const [last] = await events(name, 1);
    const who = last === undefined ? '' : `; last change: ${last.what} by ${last.by} at ${last.at}`;
    return { kind: 'conflict', why: `${name} is being changed by somebody else: ${what}${who}` };
  }

  /** The newest event of the flag when it says what this change did; null otherwise. */
  async function eventLeft(name: string, environment: string, what: string): Promise<FlagEvent | null> {
    const [last] = await events(name, 1);
    return last?.what === what && last.environment === environment ? last : null;
  }

  function placeOf(name: string, environment: string): string {
    return `${features}/${encodeURIComponent(name)}/environments/${encodeURIComponent(environment)}`;
  }

  return {
    list: (environment, archived) =>
      replied(async () => {
        const flags = await listed(environment);
        if (!archived) return flags;
        const rows = await archivedFlags(null);
        if (rows === null) throw new Unsupported('this flag server does not list archived flags');
        return [...flags, ...rows.map((row) => listedOf(row, environment, deps))];
      }),
    show: (name) =>
      replied(async (): Promise<FlagShown | null> => {
        const flag = (await detail(name)) ?? (await archivedFlag(name));
        if (flag === null) return null;
        const used = recordsOf(flag['environments'])
          .flatMap(({ strategies }) => recordsOf(strategies))
          .some((strategy) => Array.isArray(strategy['segments']) && strategy['segments'].length > 0);
        const beside = { segments: used ? await segments() : [], tags: await tags(name) };
        return shownOf(flag, deps, beside);
      }),
    change: (name, environment, change: FlagChange) =>
      replied(() =>
        change.kind === 'set' ? set(name, environment, change.percent) : flip(name, environment, change.kind),
      ),
    events: (name, limit) => replied(() => events(name, limit)),
    export: () =>
      replied(async (): Promise<FlagExport> => {
        const flags = listOf('features', await call('GET', features), 'listing the flags');
        const environments = new Set([deps.environment, ...environmentsOf(flags)]);
        const bodies: [string, Json][] = [];
        for (const environment of environments) {
          const query = { project: deps.project, environment };
          const answer = await call('POST', 'admin/features-batch/export', query);
          if (answer.status === 404) throw new Unsupported('this flag server cannot export its flags');
          const body = bodyOf(answer, `exporting ${environment}`);
          if (!Array.isArray(body['features']) || !Array.isArray(body['featureStrategies']))
            throw new FlagServerError(`what was exported of ${environment} has another shape`, answer.status);
          bodies.push([environment, body]);
        }
        const named = bodies.some(([, body]) => recordsOf(body['segments']).length > 0);
        const known = named ? await segments() : [];
        return Object.fromEntries(
          bodies.map(([environment, body]) => [environment, withConstraints(body, known)]),
        );
      }),
  };
}

/** An export only names its segments; without their constraints it could not be moved to another server. */
function withConstraints(body: Json, known: readonly Json[]): Json {
  const segments = recordsOf(body['segments']);
  if (segments.length === 0) return body;
  return {
    ...body,
    segments: segments.map((segment) => {
      const { constraints, description } = known.find(({ id }) => id === segment['id']) ?? {};
      return constraints === undefined ? segment : { ...segment, description, constraints };
    }),
  };
}

class Unsupported extends Error {}
class NoEnvironment extends Error {}

async function replied<T>(ask: () => Promise<T>): Promise<FlagReply<T>> {
  try {
    return { kind: 'answered', value: await ask() };
  } catch (error) {
    if (error instanceof Unsupported) return { kind: 'failed', reason: 'unsupported', why: error.message };
    if (error instanceof NoEnvironment)
      return { kind: 'failed', reason: 'no-environment', why: error.message };
    if (!(error instanceof FlagServerError)) throw error;
    const { status, message } = error;
    const denied = status === 401 || status === 403;
    const reason = status === null ? 'unreachable' : denied ? 'denied' : 'unexpected';
    return { kind: 'failed', reason, why: message };
  }
}

function whyNoRollout(name: string, environment: string, strategies: readonly Json[]): string | null {
  const [strategy, ...others] = strategies;
  if (strategy === undefined)
    return `${name} has no strategy in ${environment}: add a flexibleRollout with an explicit rollout first`;
  if (others.length > 0)
    return `${name} has ${strategies.length} strategies in ${environment} (${strategies.map(strategyText).join('; ')}): one share cannot say it, change the strategy that you mean in the flag server`;
  if (strategy['name'] !== 'flexibleRollout' || rolloutOf(strategy) === null)
    return `the strategy of ${name} in ${environment} is ${strategyText(strategy)}, which has no rollout: replace it by a flexibleRollout first`;
  return null;
}

/** As it is written, whatever it is; null: there is none. */
function rolloutOf({ parameters }: Json): string | null {
  const { rollout } = isRecord(parameters) ? parameters : {};
  return textOr(rollout, null);
}

function rolloutText(rollout: string | null): string {
  return `rollout ${rollout} %`;
}

function environmentsOf(flags: readonly Json[]): readonly string[] {
  const names = flags.flatMap(({ environments }) => recordsOf(environments)).map(({ name }) => name);
  return [...new Set(names)].filter((name) => typeof name === 'string');
}

function requireEnvironment(known: readonly string[], environment: string): void {
  if (known.length > 0 && !known.includes(environment))
    throw new NoEnvironment(`there is no environment "${environment}"; known: ${known.join(', ')}`);
}

function hereOf(flag: Json, environment: string): Json | null {
  return recordsOf(flag['environments']).find(({ name }) => name === environment) ?? null;
}

/** `run` on every item, at most `atOnce` at the same time, in the order of the items. */
async function inTurn<T, R>(
  items: readonly T[],
  atOnce: number,
  run: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const lane = async () => {
    for (const [index, item] of waiting) results[index] = await run(item);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return results;
}

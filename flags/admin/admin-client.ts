import { isRecord, type Json, textOr } from '../json.ts';
import type { FlagShape, StrategyShape } from '../names.ts';
import {
  type Answer,
  createAdminHttp,
  eventsIn,
  type Fetch,
  isFailedTest,
  unexpected,
} from './admin-http.ts';

const EVENTS_MAX = 100;

export interface AdminStrategy extends StrategyShape {
  readonly id: string;
  readonly title: string | null;
}

/** A flag as the admin API shows it, reduced to one environment. */
export interface AdminFlag extends FlagShape {
  readonly strategies: readonly AdminStrategy[];
}

export interface NewFlag {
  readonly name: string;
  readonly type: 'release' | 'operational';
  readonly description: string;
}

/** One entry of the event log. */
export interface AdminEvent {
  readonly type: string;
  readonly environment: string | null;
  readonly createdBy: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** The rollout after the event, where it is about a strategy that has one. */
  readonly rollout: string | null;
}

/** The few admin calls that move a flag. Each rejects with FlagServerError on anything unexpected. */
export interface AdminClient {
  /** Null: there is no such flag, or it is archived. */
  flag(name: string): Promise<AdminFlag | null>;
  /** What happened to a flag, newest first, at most 100 events. */
  events(flag: string): Promise<readonly AdminEvent[]>;
  /** False: the name is taken. */
  createFlag(flag: NewFlag): Promise<boolean>;
  addStrategy(flag: string, strategy: object): Promise<void>;
  /** False: a `test` of the patch did not hold. */
  patchStrategy(flag: string, id: string, patch: readonly object[]): Promise<boolean>;
  /** The whole strategy: what a body leaves out is reset. */
  putStrategy(flag: string, id: string, strategy: object): Promise<void>;
  deleteStrategy(flag: string, id: string): Promise<void>;
  removeDependencies(flag: string): Promise<void>;
  stopImpressionData(flag: string): Promise<void>;
  switchOn(flag: string): Promise<void>;
  /** Readers see it no more; its name stays taken. One that is not there is no error. */
  archive(flag: string): Promise<void>;
  /** Off in every environment, whatever it was. */
  revive(flag: string): Promise<void>;
  /** Creates the field with stickiness on; it may exist already. */
  ensureStickyField(name: string, description: string): Promise<void>;
}

export interface AdminClientDeps {
  /** Any address of the server that `parseFlagUrl` takes; TypeError otherwise. */
  readonly url: string;
  /** Admin token. */
  readonly token: string;
  readonly environment: string;
  readonly project: string;
  readonly fetch: Fetch;
}

/** Unleash's admin API over `fetch`: the same calls for the embedded and a real server. Waits 5 s at most. */
export function createAdminClient(deps: AdminClientDeps): AdminClient {
  const call = createAdminHttp(deps);
  const features = `admin/projects/${encodeURIComponent(deps.project)}/features`;

  function placeOf(flag: string): string {
    return `${flagPath(flag)}/environments/${encodeURIComponent(deps.environment)}`;
  }

  function strategyPath(flag: string, id: string): string {
    return `${placeOf(flag)}/strategies/${encodeURIComponent(id)}`;
  }

  function flagPath(flag: string): string {
    return `${features}/${encodeURIComponent(flag)}`;
  }

  async function must(during: string, status: number, called: Promise<Answer>): Promise<void> {
    const answer = await called;
    if (answer.status !== status) throw unexpected(during, answer);
  }

  return {
    async flag(name) {
      const answer = await call('GET', flagPath(name));
      if (answer.status === 404) return null;
      const flag = answer.status === 200 ? flagOf(answer.body, deps.environment) : null;
      if (flag === null) throw unexpected('reading a flag', answer);
      return flag;
    },
    async createFlag(flag) {
      const answer = await call('POST', features, { ...flag, impressionData: false });
      if (answer.status === 409) return false;
      if (answer.status !== 201) throw unexpected('creating a flag', answer);
      return true;
    },
    async addStrategy(flag, strategy) {
      await must('adding a strategy', 200, call('POST', `${placeOf(flag)}/strategies`, strategy));
    },
    async patchStrategy(flag, id, patch) {
      const answer = await call('PATCH', strategyPath(flag, id), patch);
      if (isFailedTest(answer)) return false;
      if (answer.status !== 200) throw unexpected('changing a strategy', answer);
      return true;
    },
    async putStrategy(flag, id, strategy) {
      await must('putting a strategy', 200, call('PUT', strategyPath(flag, id), strategy));
    },
    async deleteStrategy(flag, id) {
      await must('removing a strategy', 200, call('DELETE', strategyPath(flag, id)));
    },
    async removeDependencies(flag) {
      await must('removing dependencies', 200, call('DELETE', `${flagPath(flag)}/dependencies`));
    },
    async stopImpressionData(flag) {
      const patch = [{ op: 'replace', path: '/impressionData', value: false }];
      await must('switching impression data off', 200, call('PATCH', flagPath(flag), patch));
    },
    async archive(flag) {
      const answer = await call('DELETE', flagPath(flag));
      if (answer.status !== 202 && answer.status !== 404) throw unexpected('archiving a flag', answer);
    },
    async revive(flag) {
      await must('reviving a flag', 200, call('POST', `admin/archive/revive/${encodeURIComponent(flag)}`));
    },
    async events(flag) {
      return (await eventsIn(call, flag, EVENTS_MAX)).map(eventOf);
    },
    async switchOn(flag) {
      await must('switching a flag on', 200, call('POST', `${placeOf(flag)}/on`));
    },
    async ensureStickyField(name, description) {
      const known = await call('GET', 'admin/context');
      if (known.status !== 200 || !Array.isArray(known.body))
        throw unexpected('reading context fields', known);
      if (known.body.some((field: unknown) => isRecord(field) && field['name'] === name)) return;
      const answer = await call('POST', 'admin/context', {
        name,
        description,
        stickiness: true,
        legalValues: [],
      });
      // 409: somebody was faster.
      if (answer.status !== 201 && answer.status !== 409)
        throw unexpected('creating a context field', answer);
    },
  };
}

/** The flag in one environment; null when the answer has another shape. */
function flagOf(body: unknown, environment: string): AdminFlag | null {
  if (!isRecord(body)) return null;
  const { impressionData, variants, dependencies, environments } = body;
  if (!Array.isArray(environments)) return null;
  const here: unknown = environments.find((one: unknown) => isRecord(one) && one['name'] === environment);
  if (!isRecord(here)) return null;
  const { enabled, strategies, variants: ownVariants } = here;
  if (typeof enabled !== 'boolean' || !Array.isArray(strategies) || !strategies.every(isStrategy))
    return null;
  return {
    enabled,
    impressionData: impressionData === true,
    strategies,
    variants: [...listOf(variants), ...listOf(ownVariants)],
    dependencies: listOf(dependencies),
  };
}

function eventOf(event: Json): AdminEvent {
  const { type, environment, createdBy, createdAt, data } = event;
  const { parameters } = isRecord(data) ? data : {};
  const { rollout } = isRecord(parameters) ? parameters : {};
  return {
    type: textOr(type, ''),
    environment: textOr(environment, null),
    createdBy: textOr(createdBy, ''),
    createdAt: textOr(createdAt, ''),
    rollout: textOr(rollout, null),
  };
}

function isStrategy(value: unknown): value is AdminStrategy {
  if (!isRecord(value)) return false;
  const { id, name, title, parameters } = value;
  return (
    typeof id === 'string' &&
    typeof name === 'string' &&
    (title === null || title === undefined || typeof title === 'string') &&
    isRecord(parameters)
  );
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

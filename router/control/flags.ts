import { assertNever } from '../core/assert.ts';
import type { Actor } from '../core/events.ts';
import type { FlagChange, FlagEvent, FlagOwner, FlagReply, FlagShown } from '../core/flags.ts';
import type { FlagAdmin, FlagCatalog, FlagReader, FlagRequests, Ledger, Log } from '../core/ports.ts';
import type {
  FlagChangeBody,
  FlagData,
  FlagExportData,
  FlagHistoryEvent,
  FlagReceiptData,
  FlagsData,
  GroupFlag,
} from './api.ts';
import { wantedShare } from './shares.ts';

/** What people do with flags by hand, a group's or their own. Never rejects. */
export interface Flags {
  /** `environment` null: the one that decides about traffic. */
  list(environment: string | null, archived: boolean): Promise<Outcome<FlagsData>>;
  show(name: string): Promise<Outcome<FlagData>>;
  change(name: string, body: FlagChangeBody, actor: Actor): Promise<Outcome<FlagReceiptData>>;
  /** Newest first. `name` null: of all flags. */
  history(name: string | null, limit: number): Promise<Outcome<{ events: readonly FlagHistoryEvent[] }>>;
  export(): Promise<Outcome<FlagExportData>>;
}

export type Outcome<T> =
  | { readonly kind: 'done'; readonly data: T }
  | {
      readonly kind: 'problem';
      readonly status: number;
      readonly code: string;
      readonly detail: string;
      readonly next?: string;
    };

export interface FlagsDeps {
  readonly source: 'embedded' | 'unleash';
  /** What tells this flag server from any other. */
  readonly server: string;
  /** The one that decides about traffic. */
  readonly environment: string;
  /** What the data plane reads. */
  readonly catalog: FlagCatalog;
  /** Null: no admin token was configured. */
  readonly admin: FlagAdmin | null;
  readonly requests: FlagRequests;
  readonly ledger: Pick<Ledger, 'state'>;
  readonly reader: Pick<FlagReader, 'intent'>;
  /** Percent of units the service really gets; null: no such group is configured. */
  effective(group: string): number | null;
  readonly log: Log;
}

/** Events of one flag that `show` names. */
const CHANGES_SHOWN = 5;

export function createFlags(deps: FlagsDeps): Flags {
  const { admin, ledger, reader, requests, server, environment: usual } = deps;
  const seen = admin === null ? 'reader' : 'admin';
  const catalog = admin ?? deps.catalog;

  function groupFlag(owner: FlagOwner): GroupFlag {
    const { group, flag } = owner;
    const state = ledger.state().groups.get(group);
    const asked = state === undefined ? 0 : wantedShare(state, flag);
    const effective = flag === 'serve' ? deps.effective(group) : null;
    return { ...owner, asked, says: reader.intent(group)[flag], effective };
  }

  function withRequest(event: FlagHistoryEvent): FlagHistoryEvent {
    const found = requests.find(server, event);
    return found === null ? event : { ...event, asked: { by: found.by, reason: found.reason } };
  }

  async function historyOf(
    from: FlagAdmin,
    name: string | null,
    limit: number,
  ): Promise<FlagReply<readonly FlagHistoryEvent[]>> {
    const reply = await from.events(name, limit);
    if (reply.kind === 'failed') return reply;
    return { kind: 'answered', value: reply.value.map((event) => withRequest({ ...event, asked: null })) };
  }

  async function change(
    to: FlagAdmin,
    name: string,
    body: FlagChangeBody,
    actor: Actor,
  ): Promise<Outcome<FlagReceiptData>> {
    const { environment = usual, force = false, reason = null } = body;
    const found = await to.show(name);
    if (found.kind === 'failed') return failure(found);
    if (found.value === null) return unknownFlag(name);
    if (found.value.archived)
      return refused(409, 'FLAG_REFUSED', `${name} is archived: revive it in the flag server first`);
    // Another environment decides about no traffic here, but the flag's name is the ledger's in all of them.
    const { owner } = found.value;
    const group = owner === null ? null : groupFlag(owner);
    if (group !== null && !force) return owned(name, group, body);
    const reply = await to.change(name, environment, body);
    if (reply.kind === 'failed') {
      const { reason: cause, why } = reply;
      const known = cause === 'unreachable' ? `${why}; whether ${name} was changed is not known` : why;
      return failure({ kind: 'failed', reason: cause, why: known });
    }
    const changed = reply.value;
    switch (changed.kind) {
      case 'unknown':
        return unknownFlag(name);
      case 'refused':
        return refused(409, 'FLAG_REFUSED', changed.why, `fig flags show ${name}`);
      case 'conflict':
        return refused(412, 'FLAG_MOVED', changed.why, `fig flags history ${name}`);
      case 'changed':
      case 'unchanged': {
        const isNew = changed.kind === 'changed';
        const notes = changed.note === null ? [] : [changed.note];
        if (group !== null && isNew) notes.push(forcedText(group, body));
        if (isNew) {
          deps.log.info('flag.changed', { flag: name, environment, to: changed.to, by: actor.id, reason });
          const lost = keep(changed.event, actor.id, reason);
          if (lost !== null) notes.push(lost);
        }
        const data: FlagReceiptData = {
          flag: name,
          environment,
          status: isNew ? 'changed' : 'already-there',
          from: isNew ? changed.from : null,
          to: changed.to,
          notes,
        };
        return { kind: 'done', data };
      }
      default:
        return assertNever(changed);
    }
  }

  /** Null: kept. Otherwise why not, for the receipt: the change itself stands. */
  function keep(
    event: Pick<FlagEvent, 'id' | 'at'> | null,
    by: string,
    reason: string | null,
  ): string | null {
    if (event === null) return 'its event was not found: who asked and why is in the log only';
    try {
      requests.keep({ server, event: event.id, at: event.at, by, reason });
      return null;
    } catch (error) {
      deps.log.error('flag-request-lost', { event: event.id, error: String(error) });
      return 'the disk did not take it: who asked and why is in the log only';
    }
  }

  return {
    async list(environment, archived) {
      const reply = await catalog.list(environment ?? usual, archived);
      if (reply.kind === 'failed') return failure(reply);
      const flags = reply.value
        .map(({ owner, ...rest }) => ({ ...rest, group: owner === null ? null : groupFlag(owner) }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      return { kind: 'done', data: { environment: environment ?? usual, seen, flags } };
    },
    async show(name) {
      const reply = await catalog.show(name);
      if (reply.kind === 'failed') return failure(reply);
      if (reply.value === null) return unknownFlag(name);
      const history = admin === null ? null : await historyOf(admin, name, CHANGES_SHOWN);
      if (history?.kind === 'failed') return failure(history);
      return {
        kind: 'done',
        data: { seen, flag: withGroup(reply.value), changes: history?.value ?? null },
      };
    },
    async change(name, body, actor) {
      return admin === null ? readOnly('changed') : change(admin, name, body, actor);
    },
    async history(name, limit) {
      if (admin === null) return readOnly('asked for their history');
      const reply = await historyOf(admin, name, limit);
      if (reply.kind === 'failed') return failure(reply);
      // A flag that was deleted still has its history; one that never was has none.
      if (name !== null && reply.value.length === 0) return unknownFlag(name);
      return { kind: 'done', data: { events: reply.value } };
    },
    async export() {
      if (admin === null) return readOnly('exported');
      const reply = await admin.export();
      if (reply.kind === 'failed') return failure(reply);
      return { kind: 'done', data: { source: deps.source, environments: reply.value } };
    },
  };

  function withGroup({ owner, ...rest }: FlagShown): FlagData['flag'] {
    return { ...rest, group: owner === null ? null : groupFlag(owner) };
  }
}

function refused(status: number, code: string, detail: string, next?: string): Outcome<never> {
  return { kind: 'problem', status, code, detail, ...(next === undefined ? {} : { next }) };
}

function unknownFlag(name: string): Outcome<never> {
  return refused(404, 'FLAG_UNKNOWN', `there is no flag "${name}"`, 'fig flags list');
}

function readOnly(what: string): Outcome<never> {
  const detail = `flags cannot be ${what} here: no admin token is configured (flags.adminTokenEnv); they are only read`;
  return refused(403, 'FLAGS_READ_ONLY', detail, 'fig flags list');
}

function failure({ reason, why }: Extract<FlagReply<never>, { kind: 'failed' }>): Outcome<never> {
  switch (reason) {
    case 'unreachable':
      return refused(503, 'FLAGS_UNREACHABLE', why, 'fig status');
    case 'denied':
      return refused(403, 'FLAGS_DENIED', `${why}: check the token that flags.adminTokenEnv names`);
    case 'unsupported':
      return refused(501, 'FLAGS_UNSUPPORTED', why);
    case 'no-environment':
      return refused(404, 'ENVIRONMENT_UNKNOWN', why);
    case 'unexpected':
      return refused(502, 'FLAGS_FAILED', why, 'fig status');
    default:
      return assertNever(reason);
  }
}

/** A group's flag follows its ledger: the command that moves the ledger. */
function owned(name: string, group: GroupFlag, change: FlagChange): Outcome<never> {
  if (change.kind === 'on' && group.foreign)
    return refused(
      409,
      'FLAG_OWNED',
      `${name} belongs to the group ${group.group} and was switched off or reshaped by hand: --force switches it on again, the ledger's share of ${group.asked} % still holds`,
      `fig flags on ${name} --force`,
    );
  const detail = `${name} belongs to the group ${group.group}: the ledger moves it (--force overrides it)`;
  return refused(409, 'FLAG_OWNED', detail, commandFor(group, change));
}

function commandFor({ group, flag, asked }: GroupFlag, change: FlagChange): string {
  const percent = change.kind === 'set' ? change.percent : change.kind === 'on' ? null : 0;
  if (flag === 'shadow') {
    if (percent === 0) return `fig shadow ${group} off`;
    return percent === null ? `fig shadow ${group} on` : `fig shadow ${group} on --sample ${percent}%`;
  }
  if (percent === 0) return `fig rollback ${group}`;
  return `fig shift ${group} ${percent ?? Math.max(1, asked)}%`;
}

function forcedText({ group, flag, asked }: GroupFlag, change: FlagChange): string {
  const holds =
    flag === 'serve'
      ? `the ledger's share of ${asked} % still holds, no unit above it moves`
      : `the ledger asks for ${asked} %`;
  if (change.kind === 'on' || (change.kind === 'set' && change.percent === asked)) return holds;
  const command = flag === 'serve' ? 'shift' : 'shadow';
  return `an override: ${holds}; fig status shows it until fig ${command} ${group} sets the flag again`;
}

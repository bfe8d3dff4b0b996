import { readFileSync } from 'node:fs';

/**
 * The recorded session of an empty unleash-server 7.5.1: requests in their order, the answer of each and the audit
 * events it caused.
 */
const SESSION: readonly RecordedStep[] = JSON.parse(
  readFileSync(new URL('../conformance/unleash-golden.golden.json', import.meta.url), 'utf8'),
);

/** Headers were not recorded; these steps named a client specification that knows segments, so they are listed. */
const LISTED_SEGMENTS: ReadonlySet<number> = new Set([43, 46]);
const EVENTS_MAX = 50;

interface RecordedStep {
  readonly req: {
    readonly method: string;
    readonly path: string;
    readonly auth: 'admin' | 'client' | null;
    readonly body?: unknown;
  };
  readonly res: { readonly status: number; readonly body: unknown };
  readonly events: readonly Json[];
}

/** What a server may do otherwise in one step. */
export interface Exception {
  /** The step is not sent at all. */
  readonly skip?: true;
  /** Of the answer only the status and these keys of its body are compared. */
  readonly only?: readonly string[];
  /** Keys that are absent from the answer, at any depth, are no difference. */
  readonly partial?: true;
  /** Keys that only one of the two may have, at any depth. */
  readonly optional?: readonly string[];
  /** Items of lists with one of these names may be there in addition. */
  readonly extra?: readonly string[];
  /** Lists of these names are compared in the order of their items' names. */
  readonly unordered?: readonly string[];
  /** Another status than the recorded one; the body and the events are then not compared. */
  readonly status?: number;
}

export interface Replay {
  /** Origin of an empty server. */
  readonly url: string;
  readonly adminToken: string;
  /** Of the environment `development`. */
  readonly clientToken: string;
  /** By the number of the step, from 0. */
  readonly exceptions?: Readonly<Record<number, Exception>>;
  /** Whether a step is sent; every one by default. Later steps may depend on it. */
  readonly selected?: (step: number) => boolean;
}

/** One thing that was not as recorded. */
export interface Difference {
  readonly step: number;
  readonly request: string;
  /** `status`, `body.features[0].name`, `events[1].data.rollout`, … */
  readonly path: string;
  readonly recorded: unknown;
  readonly actual: unknown;
}

/**
 * Plays the session against a server and lists every difference in status, body, audit events (type, data,
 * preData, whom they name) and in the grouping of events: one groupId per step. Times, secrets, hashes, revisions
 * and display texts are only compared by their kind; an id that the server chose stands for the recorded one from
 * then on, wherever it occurs, so that a mixed-up id is a difference.
 */
export async function replay(options: Replay): Promise<readonly Difference[]> {
  const { url, adminToken, clientToken, exceptions = {}, selected = () => true } = options;
  const ids = createIds();
  const differences: Difference[] = [];
  let lastEvent = newest(await eventsOf(url, adminToken));

  for (const [step, { req, res, events }] of SESSION.entries()) {
    const exception = exceptions[step] ?? {};
    if (exception.skip === true || !selected(step)) continue;
    const request = `${req.method} ${req.path}`;
    const token = req.auth === 'admin' ? adminToken : req.auth === 'client' ? clientToken : null;
    const answer = await fetch(url + ids.here(req.path), {
      method: req.method,
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: token }),
        ...(LISTED_SEGMENTS.has(step) ? { 'unleash-client-spec': '5.2.0' } : {}),
      },
      ...(req.body === undefined ? {} : { body: ids.here(JSON.stringify(req.body)) }),
    });
    const text = await answer.text();
    const caused = (await eventsOf(url, adminToken)).filter(({ id }) => Number(id) > lastEvent);
    lastEvent = Math.max(lastEvent, newest(caused));

    const found = comparer(ids, exception);
    found.compare('status', exception.status ?? res.status, answer.status);
    if (exception.status === undefined) {
      found.body(res.body, parsed(text));
      found.events(events, caused.toReversed());
    }
    differences.push(...found.differences.map((one) => ({ step, request, ...one })));
  }
  return differences;
}

/** One line for each difference, to be read by a person. */
export function differenceLines(differences: readonly Difference[]): readonly string[] {
  return differences.map(
    ({ step, request, path, recorded, actual }) =>
      `${step} ${request} ${path}: recorded ${shown(recorded)}, is ${shown(actual)}`,
  );
}

type Json = Readonly<Record<string, unknown>>;

/** Which id of this server stands for which recorded one. */
interface Ids {
  /** The text with recorded ids replaced by those of this server. */
  here(text: string): string;
  /** Whether `actual` may stand for `recorded`: always the first time, and only it from then on. */
  same(recorded: string, actual: string): boolean;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function createIds(): Ids {
  const known = new Map<string, string>();
  return {
    here: (text) => [...known].reduce((now, [recorded, actual]) => now.replaceAll(recorded, actual), text),
    same(recorded, actual) {
      const before = known.get(recorded);
      if (before === undefined && [...known.values()].includes(actual)) return false;
      known.set(recorded, before ?? actual);
      return before === undefined || before === actual;
    },
  };
}

/** Values that differ between any two runs; only their kind is compared. */
const MASKS: readonly RegExp[] = [
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  // ULID
  /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/,
  // Secret of a token
  /^(?:\*|default):(?:\*|[a-z]+)\.[\w-]+$/,
  // ETag of the client API, with the epoch that the embedded server puts first
  /^"(?:[0-9a-f]+\.)?[0-9a-f]+:\d+(?::\w+)?"$/,
  /^[0-9a-f]{8}$/,
  /^http:\/\/127\.0\.0\.1:\d+$/,
];
/** Keys whose values are compared by their kind alone: revisions, texts for a UI. */
const KINDS: ReadonlySet<string> = new Set(['revisionId', 'imageUrl', 'label', 'summary']);
/** Figures of a project, counted in the background. */
const STATISTIC = /Window$/;
/** Unleash writes these in the background, so that an answer may or may not have them already. */
const LATE: ReadonlySet<string> = new Set(['lifecycle', 'seenAt']);
/** What is compared of an event. `id` and `createdAt` are every server's own; `label` and `summary` are for a UI. */
const EVENT_KEYS = [
  'type',
  'createdBy',
  'createdByUserId',
  'data',
  'preData',
  'tags',
  'featureName',
  'project',
  'environment',
  'groupType',
] as const;

function comparer(ids: Ids, exception: Exception) {
  const differences: Omit<Difference, 'step' | 'request'>[] = [];

  function compare(path: string, recorded: unknown, actual: unknown): void {
    const differs = () => void differences.push({ path, recorded, actual });
    if (Array.isArray(recorded) && Array.isArray(actual)) {
      lists(path, recorded, actual);
    } else if (isRecord(recorded) && isRecord(actual)) {
      records(path, recorded, actual);
    } else if (typeof recorded === 'string' && typeof actual === 'string') {
      if (UUID.test(recorded) && UUID.test(actual)) {
        if (!ids.same(recorded, actual)) differs();
      } else if (recorded !== actual && !MASKS.some((mask) => mask.test(recorded) && mask.test(actual))) {
        differs();
      }
    } else if (recorded !== actual) {
      differs();
    }
  }

  function lists(path: string, recorded: readonly unknown[], actual: readonly unknown[]): void {
    const extra = new Set<unknown>(exception.extra);
    const known = actual.filter((item) => !isRecord(item) || !extra.has(nameIn(item)));
    for (let i = 0; i < Math.max(recorded.length, known.length); i += 1)
      compare(`${path}[${i}]`, recorded[i], known[i]);
  }

  function records(path: string, recorded: Json, actual: Json): void {
    for (const key of new Set([...Object.keys(recorded), ...Object.keys(actual)])) {
      const theirs = recorded[key];
      const ours = actual[key];
      if (ours === undefined && theirs !== undefined && exception.partial === true) continue;
      if (LATE.has(key)) continue;
      const optional = exception.optional?.includes(key) === true;
      if (optional && (ours === undefined || theirs === undefined)) continue;
      const kindOnly = KINDS.has(key) || STATISTIC.test(key) || (key === 'id' && isEvent(recorded));
      if (kindOnly && typeof theirs === typeof ours) continue;
      const inOrder = exception.unordered?.includes(key) === true ? byName : (value: unknown) => value;
      compare(path === '' ? key : `${path}.${key}`, inOrder(theirs), inOrder(ours));
    }
  }

  return {
    differences,
    compare,
    body(recorded: unknown, actual: unknown): void {
      const { only } = exception;
      if (only === undefined) compare('body', recorded, actual);
      else for (const key of only) compare(`body.${key}`, valueIn(recorded, key), valueIn(actual, key));
    },
    events(recorded: readonly Json[], actual: readonly Json[]): void {
      for (let i = 0; i < Math.max(recorded.length, actual.length); i += 1) {
        const theirs = recorded[i];
        const ours = actual[i];
        const path = `events[${i}]`;
        if (theirs === undefined || ours === undefined)
          compare(`${path}.type`, theirs?.['type'], ours?.['type']);
        else for (const key of EVENT_KEYS) compare(`${path}.${key}`, theirs[key], ours[key]);
      }
      // As many groups as recorded: what one request does is one transaction.
      const groups = (events: readonly Json[]) => new Set(events.map((event) => event['groupId'])).size;
      compare('events.groupIds', groups(recorded), groups(actual));
    },
  };
}

/** The newest events, newest first. */
async function eventsOf(url: string, token: string): Promise<readonly Json[]> {
  const answer = await fetch(`${url}/api/admin/search/events?limit=${EVENTS_MAX}`, {
    headers: { authorization: token },
  });
  const events = valueIn(parsed(await answer.text()), 'events');
  if (!Array.isArray(events)) throw new Error(`the events cannot be read: ${answer.status}`);
  return events.filter(isRecord).toSorted((a, b) => Number(b['id']) - Number(a['id']));
}

function newest(events: readonly Json[]): number {
  return Math.max(0, ...events.map(({ id }) => Number(id)));
}

/** JSON, or the text itself: an empty body stays empty. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function shown(value: unknown): string {
  const text = value === undefined ? 'absent' : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

function valueIn(value: unknown, key: string): unknown {
  return isRecord(value) ? value[key] : undefined;
}

function isEvent(value: Json): boolean {
  return 'preData' in value && 'createdByUserId' in value;
}

function byName(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const key = (item: unknown) => (isRecord(item) ? String(nameIn(item)) : '');
  return value.toSorted((a: unknown, b: unknown) => key(a).localeCompare(key(b)));
}

function nameIn({ name }: Json): unknown {
  return name;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

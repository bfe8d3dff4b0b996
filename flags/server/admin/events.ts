import { EVERY_EVENT } from '../event-search.ts';
import { badRule } from '../problem.ts';
import { EVENT_TYPES } from '../semantics.ts';
import type { EventQuery, StoredEvent } from '../store.ts';
import { shown, wrong } from '../validate.ts';
import { type Admin, parameter } from './routes.ts';

type Query = Readonly<Record<string, unknown>>;

const EVENTS_DEFAULT = 50;
const EVENTS_MAX = 1000;
/** How many events the two older routes answer with, as in Unleash. */
const RECENT_MAX = 100;
const FILTER_VALUES_MAX = 100;
const TEXT_CHARS_MAX = 200;
const DAY_MS = 24 * 60 * 60 * 1000;

/** The audit log: searched, in brief, and of one flag. */
export function addEvents({ at, store }: Admin): void {
  at.get('/search/events', (request, response) => {
    const { events, total } = store.events(searchOf(request.query));
    response.json({ events: events.map(describedEvent), total });
  });
  at.get('/events', (request, response) => {
    const project = parameter(request.query, 'project');
    const which = project === null ? { limit: RECENT_MAX } : { projects: [project] };
    const { events, total } = store.events({ ...EVERY_EVENT, ...which });
    response.json({ version: 1, events: events.map(eventOut), totalEvents: total });
  });
  at.get('/events/:feature', (request, response) => {
    const { feature } = request.params;
    const { events, total } = store.events({ ...EVERY_EVENT, features: [feature] });
    response.json({ version: 1, toggleName: feature, events: events.map(eventOut), totalEvents: total });
  });
}

/** What a search asks for; `IS:value`, or `IS_ANY_OF:value,value`. 400 for what is neither. */
function searchOf(query: Query): EventQuery {
  return {
    ids: numbersOf(query, 'id'),
    groupIds: valuesOf(query, 'groupId'),
    features: valuesOf(query, 'feature'),
    projects: valuesOf(query, 'project'),
    types: valuesOf(query, 'type'),
    environments: valuesOf(query, 'environment'),
    creators: numbersOf(query, 'createdBy'),
    from: dayOf(query, 'from', 0),
    before: dayOf(query, 'to', DAY_MS),
    text: textOf(query),
    limit: countOf(query, 'limit', EVENTS_DEFAULT, 1, EVENTS_MAX),
    offset: countOf(query, 'offset', 0, 0, Number.MAX_SAFE_INTEGER),
  };
}

function valuesOf(query: Query, name: string): readonly string[] | null {
  const value = parameter(query, name);
  if (value === null) return null;
  const values = /^(?:IS|IS_ANY_OF):(.+)$/s
    .exec(value)?.[1]
    ?.split(',')
    .map((one) => one.trim());
  if (values === undefined || values.length > FILTER_VALUES_MAX) {
    throw wrong(`/query/${name}`, `must be IS: or IS_ANY_OF: and 1 to ${FILTER_VALUES_MAX} values`, value);
  }
  return values;
}

function numbersOf(query: Query, name: string): readonly number[] | null {
  const values = valuesOf(query, name);
  if (values === null) return null;
  if (!values.every((value) => /^-?\d{1,15}$/.test(value))) {
    throw wrong(`/query/${name}`, 'must name numbers', values.join(','));
  }
  return values.map(Number);
}

/** The beginning of a day (UTC) plus `shiftMs`, as ISO time. */
function dayOf(query: Query, name: string, shiftMs: number): string | null {
  const value = parameter(query, name);
  if (value === null) return null;
  const day = /^IS:(\d{4}-\d{2}-\d{2})$/.exec(value)?.[1];
  const time = new Date(`${day}T00:00:00.000Z`);
  if (day === undefined || Number.isNaN(time.getTime()) || !time.toISOString().startsWith(day)) {
    throw wrong(`/query/${name}`, 'must be a day as IS:yyyy-MM-dd', value);
  }
  return new Date(time.getTime() + shiftMs).toISOString();
}

function textOf(query: Query): string | null {
  const text = parameter(query, 'query');
  if (text === null || text === '') return null;
  if (text.length > TEXT_CHARS_MAX) {
    throw wrong('/query/query', `must NOT have more than ${TEXT_CHARS_MAX} characters`, text);
  }
  return text;
}

function countOf(query: Query, name: string, otherwise: number, min: number, max: number): number {
  const value = parameter(query, name);
  if (value === null) return otherwise;
  const count = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(count >= min && count <= max)) {
    throw badRule(`the query parameter ${name} is a whole number from ${min} to ${max}, not ${shown(value)}`);
  }
  return count;
}

function eventOut({ groupId, ...event }: StoredEvent) {
  return { ...event, ...(groupId === null ? {} : { groupType: 'transaction', groupId }) };
}

/** With texts for a page that lists events. */
function describedEvent(event: StoredEvent) {
  const { label } = EVENT_TYPES[event.type];
  const about = event.featureName === null ? '' : ` **${event.featureName}**`;
  return { ...eventOut(event), label, summary: `**${event.createdBy}**: ${label}${about}` };
}

import type { RequestHandler } from 'express';
import type { Changes, Reads } from '../store.ts';
import { bodyOf, boolean, need } from '../validate.ts';
import { type Admin, jsonOf } from './routes.ts';

const RETRY_AFTER_S = 60;
/** Calls that change nothing although their method says so, and the one that ends the mode. */
const ALWAYS: ReadonlySet<string> = new Set([
  '/maintenance',
  '/features-batch/export',
  '/features-batch/validate',
  '/features/validate',
  '/segments/validate',
  '/context/validate',
]);

/** The read-only mode: nothing changes while flags move to another server. */
export function addMaintenance({ at, store, change }: Admin): void {
  at.get('/maintenance', (_request, response) => {
    response.json({ enabled: store.readOnly() });
  });
  at.post('/maintenance', (request, response) => {
    const enabled = need(bodyOf(jsonOf(request)), '/body', 'enabled', boolean);
    change(response, (changes) => setReadOnly(changes, enabled));
    response.status(204).end();
  });
}

/** A change of nothing makes no event. */
export function setReadOnly(changes: Changes, enabled: boolean): void {
  const before = changes.readOnly();
  if (before === enabled) return;
  changes.setReadOnly(enabled);
  changes.record({
    type: 'setting-updated',
    project: null,
    environment: null,
    featureName: null,
    data: { id: 'maintenance.mode', enabled },
    preData: { enabled: before },
  });
}

/** Answers 503 to writes in read-only mode; stands before the routes of the admin API. */
export function refuseWhenReadOnly(store: Pick<Reads, 'readOnly'>): RequestHandler {
  return ({ method, path }, response, next) => {
    if (method === 'GET' || method === 'HEAD' || ALWAYS.has(path) || !store.readOnly()) next();
    else {
      response
        .status(503)
        .set('Retry-After', String(RETRY_AFTER_S))
        .json({ message: 'Unleash is currently in maintenance mode.' });
    }
  };
}

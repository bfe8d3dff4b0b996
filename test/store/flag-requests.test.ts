import { expect, onTestFinished, test } from 'vitest';
import { createFlagRequests, FLAG_REQUESTS_MAX } from '../../router/store/flag-requests.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';

const AT = '2026-11-24T12:00:00.000Z';

function store() {
  const db = openDatabase(':memory:', MIGRATIONS);
  onTestFinished(() => void db.close());
  return { db, requests: createFlagRequests(db) };
}

test('a request is found by the event it left, on its own server only', () => {
  const { requests } = store();
  const request = { server: 'embedded', event: 12, at: AT, by: 'ana', reason: 'prices' };
  requests.keep(request);
  expect(requests.find('embedded', { id: 12, at: AT })).toEqual(request);
  expect(requests.find('https://unleash.test/api/', { id: 12, at: AT })).toBe(null);
  expect(requests.find('embedded', { id: 13, at: AT })).toBe(null);
});

test('a server that begins to count anew gives nobody’s request to its events, and takes new ones', () => {
  const { requests } = store();
  const later = '2026-11-25T12:00:00.000Z';
  requests.keep({ server: 'embedded', event: 12, at: AT, by: 'ana', reason: 'prices' });
  expect(requests.find('embedded', { id: 12, at: later })).toBe(null);
  requests.keep({ server: 'embedded', event: 12, at: later, by: 'bob', reason: null });
  expect(requests.find('embedded', { id: 12, at: later })?.by).toBe('bob');
});

test('the oldest are forgotten once there are too many', () => {
  const { db, requests } = store();
  const keepAll = db.transaction(() => {
    for (let event = 1; event <= FLAG_REQUESTS_MAX + 1; event += 1)
      requests.keep({ server: 'embedded', event, at: AT, by: 'ana', reason: null });
  });
  keepAll();
  expect(requests.find('embedded', { id: 1, at: AT })).toBe(null);
  expect(requests.find('embedded', { id: 2, at: AT })).not.toBe(null);
});

import { expect, onTestFinished, test } from 'vitest';
import { createFlagRequests, FLAG_REQUESTS_MAX } from '../../router/store/flag-requests.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';

function store() {
  const db = openDatabase(':memory:', MIGRATIONS);
  onTestFinished(() => void db.close());
  return { db, requests: createFlagRequests(db) };
}

test('a request is found by the event it left, on its own server only', () => {
  const { requests } = store();
  const request = { server: 'embedded', event: 12, by: 'ana', reason: 'prices' };
  requests.keep(request);
  expect(requests.find('embedded', 12)).toEqual(request);
  expect(requests.find('https://unleash.test/api/', 12)).toBe(null);
  expect(requests.find('embedded', 13)).toBe(null);
});

test('the oldest are forgotten once there are too many', () => {
  const { db, requests } = store();
  const keepAll = db.transaction(() => {
    for (let event = 1; event <= FLAG_REQUESTS_MAX + 1; event += 1)
      requests.keep({ server: 'embedded', event, by: 'ana', reason: null });
  });
  keepAll();
  expect(requests.find('embedded', 1)).toBe(null);
  expect(requests.find('embedded', 2)).not.toBe(null);
});

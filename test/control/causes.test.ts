import { expect, onTestFinished, test } from 'vitest';
import { createCauses } from '../../router/control/causes.ts';
import type { CauseDelta } from '../../router/core/ports.ts';
import { createComparisonStore } from '../../router/store/comparisons.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';
import { ANA, controlPlane, quiet, shadowOn } from '../helpers/control.ts';

const WHERE = { route: 'GET /orders/:id', shadowed: 'service', build: 'b1', rules: 'r' } as const;

function world() {
  const db = openDatabase(':memory:', MIGRATIONS);
  onTestFinished(() => void db.close());
  const { ledger, moved, clock } = controlPlane();
  const store = createComparisonStore(db);
  const logged: unknown[] = [];
  const causes = createCauses({
    store,
    ledger,
    groups: () => ['orders'],
    origins: () => ({ legacy: 'http://127.0.0.1:1', service: 'http://127.0.0.1:2' }),
    flush: () => undefined,
    noise: () => null,
    findings: () => [],
    log: { ...quiet, info: (event, fields) => void logged.push([event, fields]) },
  });
  const see = (id: string, build = 'b1', more: Partial<CauseDelta> = {}) => {
    const entry = {
      template: '/body/total',
      kind: 'value',
      severity: 'medium',
      detail: 'numeric-close',
      codes: null,
    } as const;
    const cause: CauseDelta = {
      group: 'orders',
      id,
      severity: 'medium',
      entries: [entry],
      count: 1,
      error: 0,
      firstAt: 1,
      lastAt: 1,
      places: [{ ...WHERE, build, count: 1, lastAt: 1 }],
      shapes: Array(64).fill(0),
      examples: ['{"request":"GET /orders/17","count":1,"differences":[]}'],
      smallest: { method: 'GET', target: '/orders/17', fields: [], hasBody: false, bytes: 9 },
      ...more,
    };
    const counts = [
      { group: 'orders', ...WHERE, build, outcome: 'different', reason: null, count: 1 },
    ] as const;
    store.flush({ at: 1, counts, causes: [cause], forgotten: [], evidence: [], selfTests: [] });
  };
  return { causes, see, ledger, logged, moved, clock };
}

test('a cause is new until somebody says what it is; the ledger has who, when and why', () => {
  const { causes, see, ledger } = world();
  see('c1');
  expect(causes.list('orders')?.causes).toMatchObject([{ id: 'c1', mark: 'new', marked: null }]);
  expect(causes.mark('orders', 'c1', 'bug', 'rounding', ANA)).toMatchObject({ mark: 'bug', by: 'ana' });
  expect(causes.list('orders')?.causes).toMatchObject([
    { mark: 'bug', marked: { reason: 'rounding', by: 'ana', at: '2026-01-01T00:00:00.000Z' } },
  ]);
  expect(ledger.recent('orders', 1)).toMatchObject([
    { type: 'cause.marked', actor: ANA, body: { cause: 'c1', mark: 'bug', reason: 'rounding' } },
  ]);
});

test('a mark survives a new build, and is taken back with new', () => {
  const { causes, see } = world();
  see('c1');
  causes.mark('orders', 'c1', 'noise', 'random', ANA);
  see('c1', 'b2');
  expect(causes.list('orders')?.causes).toMatchObject([{ mark: 'noise', stale: false }]);
  causes.mark('orders', 'c1', 'new', 'it is not', ANA);
  expect(causes.list('orders')?.causes).toMatchObject([{ mark: 'new', marked: null }]);
});

test('a mark is no move: who decided on the rev before it still may', async () => {
  const { causes, see, ledger, moved } = world();
  await moved(shadowOn);
  const before = ledger.state().groups.get('orders');
  see('c1');
  causes.mark('orders', 'c1', 'intended', 'new format', ANA);
  const after = ledger.state().groups.get('orders');
  expect(after).toMatchObject({ decidedRev: before?.decidedRev, last: before?.last });
});

test('looking at a cause gives its examples, a line for each side and the rule that would silence it, and is logged', () => {
  const { causes, see, logged } = world();
  see('c1');
  expect(causes.show('orders', 'c1', ANA)).toMatchObject({
    examples: [{ request: 'GET /orders/17' }],
    curl: {
      legacy: "curl -sS -i 'http://127.0.0.1:1/orders/17'",
      service: "curl -sS -i 'http://127.0.0.1:2/orders/17'",
    },
    rules: [{ path: '/body/total', action: 'number', rel: 1e-9 }],
  });
  expect(logged).toEqual([['cause-read', { group: 'orders', cause: 'c1', actor: 'ana' }]]);
  expect(JSON.stringify(causes.list('orders'))).not.toContain('/orders/17');
});

test('what nobody knows is null: no cause to show or mark, no group to list or purge', () => {
  const { causes } = world();
  expect(causes.show('orders', 'c9', ANA)).toBeNull();
  expect(causes.mark('orders', 'c9', 'bug', 'x', ANA)).toBeNull();
  expect(causes.list('other')).toBeNull();
  expect(causes.purge('other', null, ANA)).toBeNull();
});

test('a purge is in the ledger, and marks outlive it', () => {
  const { causes, see, ledger } = world();
  see('c1');
  causes.mark('orders', 'c1', 'bug', 'rounding', ANA);
  expect(causes.purge('orders', 'personal data', ANA)).toEqual({ group: 'orders', causes: 1 });
  expect(causes.list('orders')?.causes).toEqual([]);
  expect(ledger.recent('orders', 1)).toMatchObject([
    { type: 'comparisons.purged', body: { causes: 1, reason: 'personal data' } },
  ]);
  see('c1');
  expect(causes.list('orders')?.causes).toMatchObject([{ mark: 'bug' }]);
});

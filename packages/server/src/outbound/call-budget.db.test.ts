import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { systemClock } from '#domain/clock';
import { createCallBudgets, postgresBudgetStore } from '#outbound/call-budget';

let database: TestDatabase;
before(async () => {
  database = await createTestDatabase();
});
after(() => database.drop());

const never = new AbortController().signal;

test('processes together never lease more calls than a window has', async () => {
  const store = postgresBudgetStore(database.pool);
  const leases = await Promise.all(Array.from({ length: 60 }, () => store.lease('c1', 86_400_000, 100, 7)));
  const granted = leases.reduce((sum, lease) => sum + lease.granted, 0);
  assert.equal(granted, 100);
  const refused = leases.find((lease) => lease.granted === 0);
  assert.ok(refused !== undefined && refused.retryInMs > 0 && refused.retryInMs <= 86_400_000 * 2);
  assert.equal((await store.lease('c2', 86_400_000, 100, 7)).granted, 7);
  const large = await Promise.all(Array.from({ length: 60 }, () => store.lease('c3', 86_400_000, 1_000, 20)));
  assert.equal(
    large.reduce((sum, lease) => sum + lease.granted, 0),
    1_000,
  );
});

test('two processes with 10 calls a second never make more than that between them', async () => {
  const processes = [1, 2].map(() =>
    createCallBudgets({ store: postgresBudgetStore(database.pool), clock: systemClock }),
  );
  const budget = { key: 'shared', limits: { perSecond: 10 } };
  const startedAt = performance.now();
  await Promise.all(
    processes.flatMap((budgets) => Array.from({ length: 15 }, () => budgets.take(budget, Infinity, never))),
  );
  // 10 at once, 10 a second later, 10 two seconds later: a busy machine can only make it longer.
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs >= 1_990, `30 calls took ${tookMs} ms`);
});

test('a pause asked by the provider holds in every process', async () => {
  const store = postgresBudgetStore(database.pool);
  await store.lease('paused', 1_000, 3, 1);
  await store.pause('paused', 5_000);
  const { granted, retryInMs } = await store.lease('paused', 1_000, 3, 1);
  assert.equal(granted, 0);
  assert.ok(retryInMs > 4_000 && retryInMs <= 5_000);
});

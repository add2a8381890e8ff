import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { clientTransaction } from '#db/client-transaction';
import { createPool } from '#db/pool';
import { testVault } from '#vault/testing';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { systemClock } from '#domain/clock';
import { newId } from '#domain/ids';
import { createEngine, type Engine, type NodeServices, type StartInput } from '#engine/index';

let database: TestDatabase;
const tenant = { orgId: newId(), environment: 'test' as const };
const workflowId = newId();

before(async () => {
  database = await createTestDatabase();
  const document = { nodes: [{ id: '1', node_type: 'start', name: 'Start', data: {} }], edges: [] };
  await database.pool.query(`insert into organization (id, name, slug) values ($1, 'T', 't')`, [
    tenant.orgId,
  ]);
  await database.pool.query(
    `insert into workflow (id, draft_id, org_id, environment, name, draft, published_version, trigger_kind)
     values ($1, $1 || 'd', $2, 'test', 'W', '{}', 1, 'schedule')`,
    [workflowId, tenant.orgId],
  );
  await database.pool.query(
    `insert into workflow_version (id, org_id, environment, workflow_id, version, document) values ($1, $2, 'test', $1, 1, $3)`,
    [workflowId, tenant.orgId, JSON.stringify(document)],
  );
});
after(() => database.drop());

async function withEngine(
  options: { connections: number; queueLimit?: number },
  work: (engine: Engine, pool: ReturnType<typeof createPool>) => Promise<void>,
): Promise<void> {
  const pool = createPool({ url: database.url, max: options.connections });
  const engine = await createEngine(
    {
      pool,
      db: database.db,
      clock: systemClock,
      log: pino({ level: 'silent' }),
      vault: testVault(),
      services: {} as NodeServices,
    },
    { databaseUrl: database.url, concurrency: 5, queueLimit: options.queueLimit ?? 1_000 },
  );
  try {
    await work(engine, pool);
  } finally {
    await engine.drain(1_000);
    await pool.end();
  }
}

function startOf(accountId: string, source: StartInput['source'] = 'schedule', payload: unknown = {}) {
  const linkedAccount = { id: `${accountId}-id`, accountId };
  return { tenant, input: { workflowId, version: 1, linkedAccount, configId: accountId, source, payload } };
}

const countOf = async (accountId: string): Promise<number> => {
  const { rows } = await database.pool.query<{ count: number }>(
    `select count(*)::int as count from execution where account_id = $1`,
    [accountId],
  );
  return rows[0]!.count;
};

test('executions started in a transaction are there only when it commits', async () => {
  await withEngine({ connections: 5 }, async (engine, pool) => {
    const broken = clientTransaction(pool, async (client) => {
      await engine.startInTransaction(client, [startOf('rollback')]);
      throw new Error('the cursor was not saved');
    });
    await assert.rejects(broken, /the cursor was not saved/);
    assert.equal(await countOf('rollback'), 0);
    const large = 'x'.repeat(100_000);
    const ids = await clientTransaction(pool, (client) =>
      engine.startInTransaction(client, [
        startOf('commit', 'polling', { large }),
        startOf('commit', 'sub_flow'),
      ]),
    );
    engine.start();
    engine.wake();
    const [first, second] = await Promise.all(
      ids.map((id) => engine.read(tenant, id, undefined, { isWhole: true })),
    );
    assert.deepEqual([first?.header.source, second?.header.source], ['polling', 'sub_flow']);
    assert.deepEqual(first?.nodes[0]?.output, { large });
  });
});

test('more transactions than connections start executions at once, and none waits for ever', async () => {
  await withEngine({ connections: 3 }, async (engine, pool) => {
    const ids = await Promise.all(
      Array.from({ length: 30 }, () =>
        clientTransaction(pool, (client) => engine.startInTransaction(client, [startOf('crowd')])),
      ),
    );
    assert.equal(new Set(ids.flat()).size, 30);
    assert.equal(await countOf('crowd'), 30);
  });
});

test('a full queue refuses a start in a transaction, and nothing of it is kept', async () => {
  await withEngine({ connections: 3, queueLimit: 2 }, async (engine, pool) => {
    const three = [startOf('full'), startOf('full'), startOf('full')];
    await assert.rejects(
      clientTransaction(pool, (client) => engine.startInTransaction(client, three)),
      { code: 'queue_full' },
    );
    assert.equal(await countOf('full'), 0);
  });
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { Client } from 'pg';
import { tenantTransaction } from '#db/tenant-transaction';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

let database: TestDatabase;
const ours: Tenant = { orgId: newId(), environment: 'test' };
const theirs: Tenant = { orgId: newId(), environment: 'test' };
const oursInProduction: Tenant = { orgId: ours.orgId, environment: 'production' };

before(async () => {
  database = await createTestDatabase();
  for (const { orgId } of [ours, theirs]) {
    await database.db.insertInto('organization').values({ id: orgId, name: orgId, slug: orgId }).execute();
  }
  for (const tenant of [ours, theirs, oursInProduction]) {
    await database.db.insertInto('linked_account').values(account(tenant)).execute();
  }
});
after(() => database.drop());

function account({ orgId, environment }: Tenant) {
  return { id: newId(), org_id: orgId, environment, account_id: `customer of ${orgId} ${environment}` };
}

interface TableFacts {
  readonly name: string;
  readonly has_environment: boolean;
  readonly is_enabled: boolean;
  readonly is_forced: boolean;
  readonly policies: number;
}

/** They belong to the organisation in all of its environments; their policies compare the organisation only. */
const inAllEnvironments = new Set(['variable_definition']);

test('every table that a tenant owns has row-level security, for its owner too', async () => {
  const { rows } = await database.pool.query<TableFacts>(
    `select c.relname as name, c.relrowsecurity as is_enabled, c.relforcerowsecurity as is_forced,
            exists (select from pg_attribute e where e.attrelid = c.oid and e.attname = 'environment') as has_environment,
            (select count(*) from pg_policy p
              where p.polrelid = c.oid and p.polcmd = '*' and p.polqual is not null) as policies
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
     join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped
     where c.relkind in ('r', 'p') and not c.relispartition
     order by c.relname`,
  );
  assert.ok(rows.length >= 14, `expected the tenant tables, found ${rows.length}`);
  const open = rows.filter(
    (t) =>
      t.has_environment === inAllEnvironments.has(t.name) ||
      !t.is_enabled ||
      !t.is_forced ||
      t.policies === 0,
  );
  assert.deepEqual(open, []);
});

test('inside a tenant transaction, a query that forgets its tenant finds only that tenant', async () => {
  const found = await tenantTransaction(database.db, ours, (transaction) =>
    transaction.selectFrom('linked_account').select(['org_id', 'environment']).execute(),
  );
  assert.deepEqual(found, [{ org_id: ours.orgId, environment: 'test' }]);
});

test("inside a tenant transaction, another tenant's rows cannot be made, changed or deleted", async () => {
  for (const other of [theirs, oursInProduction]) {
    await assert.rejects(
      tenantTransaction(database.db, ours, (transaction) =>
        transaction.insertInto('linked_account').values(account(other)).execute(),
      ),
      /row-level security/,
    );
    await assert.rejects(
      tenantTransaction(database.db, ours, (transaction) =>
        transaction
          .updateTable('linked_account')
          .set({ org_id: other.orgId, environment: other.environment })
          .execute(),
      ),
      /row-level security/,
    );
    const { touched, deleted } = await tenantTransaction(database.db, ours, async (transaction) => {
      const touched = await transaction
        .updateTable('linked_account')
        .set({ name: 'taken over' })
        .where('org_id', '=', other.orgId)
        .where('environment', '=', other.environment)
        .executeTakeFirst();
      const deleted = await transaction
        .deleteFrom('linked_account')
        .where('org_id', '=', other.orgId)
        .where('environment', '=', other.environment)
        .executeTakeFirst();
      return { touched: touched.numUpdatedRows, deleted: deleted.numDeletedRows };
    });
    assert.deepEqual([touched, deleted], [0n, 0n]);
  }
});

test('the confinement ends with the transaction, on success and on failure', async () => {
  await tenantTransaction(database.db, ours, async () => undefined);
  await assert.rejects(
    tenantTransaction(database.db, ours, () => Promise.reject(new Error('changed my mind'))),
    /changed my mind/,
  );
  const scopes = await Promise.all(
    Array.from({ length: 10 }, () =>
      sql<{ scope: string }>`select current_setting('inlay.scope') as scope`.execute(database.db),
    ),
  );
  assert.ok(scopes.every(({ rows }) => rows[0]?.scope === 'system'));
});

test('a connection without a scope sees no tenant at all', async () => {
  const bare = new Client({ connectionString: database.url });
  await bare.connect();
  try {
    const { rows } = await bare.query('select id from linked_account');
    assert.deepEqual(rows, []);
  } finally {
    await bare.end();
  }
  const everything = await database.db.selectFrom('linked_account').select('id').execute();
  assert.equal(everything.length, 3);
});

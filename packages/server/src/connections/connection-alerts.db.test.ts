import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { disconnect } from '#connections/disconnect';
import { storeConnection } from '#connections/store-connection';
import { testConnectionDeps } from '#connections/testing';
import { expireConnection, listConnections } from '#db/connection';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { newId } from '#domain/ids';

let database: TestDatabase;
before(async () => {
  database = await createTestDatabase();
});
after(() => database.drop());

test('what becomes of a connection is noted by the transaction that does it, for the rules that listen', async (t) => {
  const deps = testConnectionDeps(t, database);
  const tenant = { orgId: newId(), environment: 'test' as const };
  const account = { id: newId(), accountId: 'ann', name: null };
  await database.pool.query(`insert into organization (id, name, slug) values ($1, 'T', $1)`, [tenant.orgId]);
  await database.pool.query(
    `insert into linked_account (id, org_id, environment, account_id) values ($1, $2, 'test', 'ann')`,
    [account.id, tenant.orgId],
  );
  await database.pool.query(
    `insert into alert_rule (id, org_id, environment, name, watches, events, kind, recipients, watched_since, app_slug)
     select r.id, $1, r.environment, 'R', 'events',
       '{Connection Created,Connection Deleted,Connection Expired}', 'email', '{a@example.com}', now(), r.app_slug
     from (values ('all', 'test', null), ('slack', 'test', 'slack'), ('production', 'production', null))
       as r(id, environment, app_slug)`,
    [tenant.orgId],
  );
  const noted = async () => {
    const { rows } = await database.pool.query<{ text: string }>(
      `with taken as (delete from alert_event returning *)
       select rule_id || ': ' || event || ' ' || (detail ->> 'slug') || ' of ' || (detail ->> 'linked_account_id') as text
       from taken order by id`,
    );
    return rows.map(({ text }) => text);
  };
  const store = (kind: 'oauth2' | 'keybased', inTransaction: () => void = () => undefined) =>
    storeConnection(
      { ...deps, onConnected: async () => inTransaction() },
      {
        tenant,
        linkedAccountId: account.id,
        slug: 'gong',
        credential: { kind } as never,
        accessExpiresAt: null,
        refreshExpiresAt: null,
        grantedScopes: null,
        identifier: 'ann@example.com',
        meta: {},
      },
    );

  await assert.rejects(() =>
    store('keybased', () => {
      throw new Error('the transaction fails');
    }),
  );
  assert.deepEqual(await noted(), [], 'what did not happen is not told');
  await store('keybased');
  await store('keybased');
  await store('oauth2');
  assert.deepEqual(await noted(), Array(3).fill('all: Connection Created gong of ann'));

  const [first] = await listConnections(database.db, tenant, account.id, 'gong');
  const expiry = { reason: 'r', detail: {}, now: new Date() };
  assert.equal(await expireConnection(database.db, first!, expiry), true);
  assert.equal(await expireConnection(database.db, first!, expiry), false);
  assert.deepEqual(await noted(), ['all: Connection Expired gong of ann']);

  const of = { tenant, linkedAccount: account, slug: 'gong' };
  await disconnect(deps, { ...of, authType: 'keybased' });
  assert.deepEqual(await noted(), [], 'one connection of the app is left');
  await disconnect(deps, of);
  await disconnect(deps, of);
  assert.deepEqual(await noted(), ['all: Connection Deleted gong of ann']);
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { AcmeCrm } from '@inlay/example-acme-crm';
import { connectedByOAuth, runningAcme } from '#connections/acme-fixture';
import { openCredential } from '#connections/credential';
import type { ConnectionDeps } from '#connections/deps';
import { type ActionResult, executeAction } from '#connections/execute-action';
import { refreshTokens } from '#connections/token-endpoint';
import { movableClock, refuses, testConnectionDeps } from '#connections/testing';
import { type ConnectionRow, listConnections } from '#db/connection';
import { createDb } from '#db/pool';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

let database: TestDatabase;
before(async () => {
  database = await createTestDatabase();
});
after(() => database.drop());

interface Connected {
  readonly tenant: Tenant;
  readonly linkedAccount: LinkedAccountRef;
  readonly slug: string;
}

function whoAmI(deps: ConnectionDeps, { tenant, linkedAccount, slug }: Connected): Promise<ActionResult> {
  return executeAction(deps, {
    tenant,
    linkedAccountId: linkedAccount.id,
    slug,
    actionId: 'httprequest',
    input: { path: '/users/me' },
  });
}

async function rowOf(deps: ConnectionDeps, { tenant, linkedAccount }: Connected): Promise<ConnectionRow> {
  const [row] = await listConnections(deps.db, tenant, linkedAccount.id);
  assert.ok(row !== undefined);
  return row;
}

async function expiriesLogged({ tenant }: Connected): Promise<unknown[]> {
  const { rows } = await database.pool.query<{ detail: unknown }>(
    `select detail from connection_log where org_id = $1 and event = 'expired'`,
    [tenant.orgId],
  );
  return rows.map((row) => row.detail);
}

const refreshes = (crm: AcmeCrm) =>
  crm.control.stats().tokenRequests['refresh_token'] ?? { succeeded: 0, failed: 0 };

/** Makes the access token due by our clock and dead at the provider. */
function expire(crm: AcmeCrm, clock: { move(ms: number): void }): void {
  clock.move(301_000);
  crm.control.expireAccessTokens();
}

test('200 callers with an expired token cause one refresh, and none of them fails', async (t) => {
  const crm = await runningAcme(t);
  const clock = movableClock();
  const deps = testConnectionDeps(t, database, { clock });
  const connected = await connectedByOAuth(deps, crm);
  expire(crm, clock);
  const results = await Promise.all(Array.from({ length: 200 }, () => whoAmI(deps, connected)));
  assert.deepEqual([...new Set(results.map((result) => result.status))], [200]);
  assert.deepEqual(refreshes(crm), { succeeded: 1, failed: 0 });
  assert.equal((await rowOf(deps, connected)).credential_version, 2);
});

test('200 callers whose token the provider calls dead before its time cause one refresh', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const connected = await connectedByOAuth(deps, crm);
  crm.control.expireAccessTokens();
  const results = await Promise.all(Array.from({ length: 200 }, () => whoAmI(deps, connected)));
  assert.deepEqual([...new Set(results.map((result) => result.status))], [200]);
  assert.deepEqual(refreshes(crm), { succeeded: 1, failed: 0 });
});

test("a dead refresh token expires the connection once, with the provider's words, and is not tried again", async (t) => {
  const crm = await runningAcme(t);
  const clock = movableClock();
  const deps = testConnectionDeps(t, database, { clock });
  const connected = await connectedByOAuth(deps, crm);
  crm.control.revokeGrants();
  expire(crm, clock);
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => whoAmI(deps, connected)));
  for (const result of results) {
    assert.ok(result.status === 'rejected');
    refuses('connection_needs_reauth')(result.reason);
  }
  await assert.rejects(whoAmI(deps, connected), refuses('connection_needs_reauth'));
  assert.deepEqual(refreshes(crm), { succeeded: 0, failed: 1 });
  const logged = await expiriesLogged(connected);
  assert.equal(logged.length, 1);
  assert.equal((logged[0] as { error: string }).error, 'invalid_grant');
  assert.equal((await rowOf(deps, connected)).status, 'expired');
});

test('a provider in trouble keeps the connection active and is left alone for a while', async (t) => {
  const crm = await runningAcme(t);
  const clock = movableClock();
  const deps = testConnectionDeps(t, database, { clock });
  const connected = await connectedByOAuth(deps, crm);
  expire(crm, clock);
  for (const fault of [{ status: 503 }, { status: 429 }]) {
    crm.control.resetStats();
    crm.control.setFaults({ tokenEndpoint: { ...fault, times: 1 } });
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => whoAmI(deps, connected)));
    for (const result of results) {
      assert.ok(result.status === 'rejected');
      refuses('refresh_unavailable')(result.reason);
    }
    assert.equal((await rowOf(deps, connected)).status, 'active');
    clock.move(60_000);
  }
  assert.equal((await whoAmI(deps, connected)).status, 200);
  const row = await rowOf(deps, connected);
  assert.deepEqual([row.refresh_failures, row.refresh_retry_at], [0, null]);
  assert.deepEqual(await expiriesLogged(connected), []);
});

test('a renewal that fails before the old token has ended does not fail the call', async (t) => {
  const crm = await runningAcme(t);
  const clock = movableClock();
  const deps = testConnectionDeps(t, database, { clock });
  const connected = await connectedByOAuth(deps, crm);
  clock.move(280_000); // 300 s of life, due 30 s before the end
  crm.control.setFaults({ tokenEndpoint: { status: 503, times: 1 } });
  assert.equal((await whoAmI(deps, connected)).status, 200);
  assert.equal((await rowOf(deps, connected)).refresh_failures, 1);
  clock.move(10_000);
  assert.equal((await whoAmI(deps, connected)).status, 200);
  assert.deepEqual(refreshes(crm).succeeded, 1);
});

test('a process that died between the token answer and its storage leaves a clean expiry, not a loop', async (t) => {
  const crm = await runningAcme(t);
  const clock = movableClock();
  const deps = testConnectionDeps(t, database, { clock });
  const connected = await connectedByOAuth(deps, crm);
  expire(crm, clock);
  const row = await rowOf(deps, connected);
  const credential = openCredential(deps.vault, row);
  const connector = deps.connectors.get('acme-crm');
  assert.ok(credential.kind === 'oauth2' && credential.refreshToken !== undefined);
  assert.ok(connector?.auth.oauth2 !== undefined);
  // The dead process: lease taken, token rotated at the provider, nothing stored.
  await database.pool.query(
    `update connection set refresh_lease_owner = 'dead', refresh_lease_until = clock_timestamp() + interval '400 ms' where id = $1`,
    [row.id],
  );
  await refreshTokens(
    deps.outbound,
    {
      connector,
      oauth2: connector.auth.oauth2,
      client: credential.client,
      place: { meta: row.meta, vars: { acme_base_url: crm.url } },
      now: clock.now(),
    },
    { refreshToken: credential.refreshToken, redirectUri: credential.redirectUri },
  );
  await assert.rejects(whoAmI(deps, connected), refuses('connection_needs_reauth'));
  await assert.rejects(whoAmI(deps, connected), refuses('connection_needs_reauth'));
  assert.equal((await expiriesLogged(connected)).length, 1);
  assert.deepEqual(refreshes(crm), { succeeded: 1, failed: 1 });
});

test('invalid_grant for a token that another process has replaced meanwhile is a lost race, not the end', async (t) => {
  const crm = await runningAcme(t);
  const clock = movableClock();
  const deps = testConnectionDeps(t, database, { clock });
  const connected = await connectedByOAuth(deps, crm);
  expire(crm, clock);
  const before = await rowOf(deps, connected);
  // Another process: renewals under way are shared by database handle.
  const winner = { ...deps, db: createDb(database.pool) };
  const loser: ConnectionDeps = {
    ...deps,
    outbound: {
      ...deps.outbound,
      async send(request) {
        if (!String(request.url).endsWith('/oauth/token')) return deps.outbound.send(request);
        // It was so slow that its lease ran out, and the winner was served first.
        await database.pool.query('update connection set refresh_lease_until = null where id = $1', [
          before.id,
        ]);
        assert.equal((await whoAmI(winner, connected)).status, 200);
        const body = Buffer.from('{"error":"invalid_grant"}');
        return { status: 400, headers: { 'content-type': 'application/json' }, body, url: '' };
      },
    },
  };
  assert.equal((await whoAmI(loser, connected)).status, 200);
  assert.equal((await rowOf(deps, connected)).status, 'active');
  assert.deepEqual(await expiriesLogged(connected), []);
  assert.deepEqual(refreshes(crm), { succeeded: 1, failed: 0 });
});

test('a connection without a refresh token ends when its access token does', async (t) => {
  const crm = await runningAcme(t);
  const clock = movableClock();
  const deps = testConnectionDeps(t, database, { clock });
  const connected = await connectedByOAuth(deps, crm);
  const row = await rowOf(deps, connected);
  const { refreshToken: _gone, ...credential } = openCredential(deps.vault, row) as { refreshToken?: string };
  await database.pool.query('update connection set credential_sealed = $2 where id = $1', [
    row.id,
    deps.vault.sealJson(credential, `connection.credential_sealed:${row.id}`),
  ]);
  clock.move(290_000);
  assert.equal((await whoAmI(deps, connected)).status, 200);
  clock.move(10_001);
  await assert.rejects(whoAmI(deps, connected), refuses('connection_needs_reauth'));
  assert.equal((await expiriesLogged(connected)).length, 1);
});

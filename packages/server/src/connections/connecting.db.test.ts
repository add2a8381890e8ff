import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { acmeAccount, acmeKey, connectedByOAuth, consent, runningAcme } from '#connections/acme-fixture';
import { findApp } from '#connections/apps';
import { connectWithKeys } from '#connections/connect-with-keys';
import { openCredential } from '#connections/credential';
import { disconnect } from '#connections/disconnect';
import { executeAction } from '#connections/execute-action';
import { importOAuthCredential } from '#connections/import-credential';
import { finishOAuth, startOAuth } from '#connections/oauth-flow';
import { movableClock, refuses, testAccount, testConnectionDeps } from '#connections/testing';
import { listConnections } from '#db/connection';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

let database: TestDatabase;
before(async () => {
  database = await createTestDatabase();
});
after(() => database.drop());

async function logOf(tenant: Tenant): Promise<string[]> {
  const { rows } = await database.pool.query<{ event: string }>(
    'select event from connection_log where org_id = $1 order by id',
    [tenant.orgId],
  );
  return rows.map((row) => row.event);
}

async function countOf(table: 'connection' | 'config', tenant: Tenant): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>(
    `select count(*)::int as n from ${table} where org_id = $1`,
    [tenant.orgId],
  );
  return rows[0]?.n ?? -1;
}

test('an account authorizes at a certified server, is connected with its identity, and can be called for', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const { tenant, linkedAccount, slug } = await connectedByOAuth(deps, crm);
  const app = await findApp(deps, tenant, linkedAccount.id, slug);
  assert.equal(app.isConnected && !app.needsReauth, true);
  assert.deepEqual(
    app.connections.map(({ authType, status, identifier }) => ({ authType, status, identifier })),
    [{ authType: 'oauth2', status: 'active', identifier: 'ada@analytical.example' }],
  );
  assert.deepEqual(await logOf(tenant), ['created']);
  const { rows } = await database.pool.query<{
    credential_sealed: Buffer;
    granted_scopes: string[];
    meta: object;
  }>('select credential_sealed, granted_scopes, meta from connection where org_id = $1', [tenant.orgId]);
  assert.deepEqual(rows[0]?.granted_scopes.toSorted(), ['offline_access', 'users:read']);
  assert.deepEqual(Object.keys(rows[0].meta).toSorted(), ['company_id', 'user_id']);
  assert.equal(rows[0].credential_sealed.includes('inlay-test-secret'), false);

  const result = await executeAction(deps, {
    tenant,
    linkedAccountId: linkedAccount.id,
    slug,
    actionId: 'httprequest',
    input: { path: '/users/me' },
  });
  assert.equal(result.status, 200);
  assert.equal((result.data as { email: string }).email, 'ada@analytical.example');
});

test('the authorize URL asks for required, chosen and custom scopes, with PKCE and the exact callback', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const account = await acmeAccount(deps, crm);
  await database.pool.query(
    `update app_setting set optional_scopes = '{contacts:read}', custom_scopes = '{beta}' where org_id = $1`,
    [account.tenant.orgId],
  );
  const { authUrl } = await startOAuth(deps, { ...account, slug: 'acme-crm', params: {} });
  const query = Object.fromEntries(new URL(authUrl).searchParams);
  assert.equal(query['scope'], 'users:read offline_access contacts:read beta');
  assert.equal(query['redirect_uri'], 'http://localhost:9/api/v1/acme-crm/callback');
  assert.equal(query['code_challenge_method'], 'S256');
  assert.match(query['state'] ?? '', /^[\w-]{43}$/);
  const { rows } = await database.pool.query<{ flow_sealed: Buffer; state_hash: Buffer }>(
    'select flow_sealed, state_hash from oauth_state where org_id = $1',
    [account.tenant.orgId],
  );
  assert.equal(rows[0]?.flow_sealed.includes('verifier'), false);
  assert.equal(rows[0]?.state_hash.toString('base64url') === query['state'], false);
});

test('a state works once, for its own app, for fifteen minutes', async (t) => {
  const crm = await runningAcme(t);
  const clock = movableClock();
  const deps = testConnectionDeps(t, database, { clock });
  const account = await acmeAccount(deps, crm);
  const start = async () =>
    consent((await startOAuth(deps, { ...account, slug: 'acme-crm', params: {} })).authUrl);
  const finish = async (query: URLSearchParams, slug = 'acme-crm') => {
    const outcome = await finishOAuth(deps, { slug, query });
    return outcome.kind === 'connected' ? 'connected' : (outcome.app ?? 'unknown state');
  };

  const query = await start();
  assert.equal(await finish(query, 'gong'), 'unknown state');
  const both = await Promise.all([finish(query), finish(query)]);
  assert.deepEqual(both.toSorted(), ['connected', 'unknown state']);
  assert.equal(await finish(query), 'unknown state');
  const late = await start();
  clock.move(15 * 60_000 + 1);
  assert.equal(await finish(late), 'unknown state');
  assert.equal(await finish(new URLSearchParams({ state: 'made-up', code: 'x' })), 'unknown state');
  assert.equal(await finish(new URLSearchParams({ code: 'x' })), 'unknown state');
  assert.deepEqual(await logOf(account.tenant), ['created']);
});

test('consent that is denied is told in words and stores nothing', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const account = await acmeAccount(deps, crm);
  const { authUrl } = await startOAuth(deps, {
    ...account,
    slug: 'acme-crm',
    params: {},
    returnTo: '/connect/abc?x=1',
  });
  const outcome = await finishOAuth(deps, { slug: 'acme-crm', query: await consent(authUrl, 'deny') });
  assert.ok(outcome.kind === 'failed');
  assert.match(outcome.message, /Access was not allowed. Nothing was stored/);
  assert.match(outcome.providerError ?? '', /access_denied/);
  assert.equal(outcome.returnTo, 'http://localhost:9/connect/abc?x=1');
  assert.equal(await countOf('connection', account.tenant), 0);
  assert.deepEqual(await logOf(account.tenant), ['failed']);
});

test('a wrong client secret names the redirect URL to compare; an unknown scope lists what was asked for', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const account = await acmeAccount(deps, crm);
  const { authUrl } = await startOAuth(deps, { ...account, slug: 'acme-crm', params: {} });
  const query = await consent(authUrl);
  query.set('code', 'forged');
  const forged = await finishOAuth(deps, { slug: 'acme-crm', query });
  assert.ok(forged.kind === 'failed');
  assert.match(forged.providerError ?? '', /invalid_grant/);
  assert.deepEqual(forged.hint, {
    kind: 'client',
    redirectUri: 'http://localhost:9/api/v1/acme-crm/callback',
  });

  const again = new URL((await startOAuth(deps, { ...account, slug: 'acme-crm', params: {} })).authUrl);
  const refused = await finishOAuth(deps, {
    slug: 'acme-crm',
    query: new URLSearchParams({
      state: again.searchParams.get('state') ?? '',
      error: 'invalid_scope',
      error_description: 'requested scope is not allowed <script>',
    }),
  });
  assert.ok(refused.kind === 'failed');
  assert.match(refused.providerError ?? '', /requested scope is not allowed <script>.*invalid_scope/);
  assert.deepEqual(refused.hint, { kind: 'scopes', requested: ['users:read', 'offline_access'] });
});

test('a return address on another origin is refused', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const account = await acmeAccount(deps, crm);
  for (const returnTo of [
    'https://evil.example/',
    '//evil.example',
    'http://localhost:99/',
    'javascript:alert(1)',
  ]) {
    await assert.rejects(
      startOAuth(deps, { ...account, slug: 'acme-crm', params: {}, returnTo }),
      refuses('invalid_request', /return_to: must be a page on http:\/\/localhost:9/),
      returnTo,
    );
  }
});

test('keys are asked of the provider first: refused ones, and ones it cannot judge now, are not stored', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const account = await acmeAccount(deps, crm);
  const save = (fields: Record<string, unknown>) =>
    connectWithKeys(deps, { ...account, slug: 'acme-crm', fields });
  await assert.rejects(
    save({ apiKey: 'acme_key_wrong' }),
    refuses('credential_rejected', /^Failed to verify credentials: /),
  );
  await assert.rejects(save({}), refuses('action_parameter_missing', /'apiKey'/));
  await assert.rejects(save({ apiKey: '  ' }), refuses('action_parameter_missing'));
  crm.control.setFaults({ api: { status: 503, times: 9 } });
  await assert.rejects(save({ apiKey: acmeKey }), refuses('provider_unreachable', /could not be verified/));
  crm.control.clearFaults();
  assert.equal(await countOf('connection', account.tenant), 0);

  await save({ apiKey: acmeKey });
  const app = await findApp(deps, account.tenant, account.linkedAccount.id, 'acme-crm');
  assert.deepEqual(
    app.connections.map((one) => [one.authType, one.identifier]),
    [['keybased', 'ada@analytical.example']],
  );
});

test('authorizing again replaces the credential in place and notes a different account behind it', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const { tenant, linkedAccount, slug } = await connectedByOAuth(deps, crm);
  const before = await findApp(deps, tenant, linkedAccount.id, slug);
  await database.pool.query(`update connection set status = 'expired' where org_id = $1`, [tenant.orgId]);
  const { authUrl } = await startOAuth(deps, { tenant, linkedAccount, slug, params: {} });
  const query = await consent(authUrl, 'allow', 'grace@cobol.example');
  const outcome = await finishOAuth(deps, { slug, query });
  assert.equal(outcome.kind, 'connected');
  const after = await findApp(deps, tenant, linkedAccount.id, slug);
  assert.equal(after.needsReauth, false);
  assert.equal(after.connections[0]?.connectionId, before.connections[0]?.connectionId);
  assert.deepEqual(await logOf(tenant), ['created', 'reauthenticated', 'account_changed']);
});

test('disconnecting removes the credential and the configs, and the provider forgets the grant', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const { tenant, linkedAccount, slug } = await connectedByOAuth(deps, crm);
  await connectWithKeys(deps, { tenant, linkedAccount, slug, fields: { apiKey: acmeKey } });
  await database.db
    .insertInto('config')
    .values({
      id: newId(),
      org_id: tenant.orgId,
      environment: tenant.environment,
      linked_account_id: linkedAccount.id,
      app_slug: slug,
      config_id: 'c1',
    })
    .execute();
  assert.equal(await disconnect(deps, { tenant, linkedAccount, slug, authType: 'oauth2' }), true);
  assert.equal(await countOf('config', tenant), 1);
  // What the provider still holds of the grant: nothing to revoke.
  assert.equal(crm.control.revokeGrants({ clientId: 'inlay-test' }), 0);
  const call = {
    tenant,
    linkedAccountId: linkedAccount.id,
    slug,
    actionId: 'httprequest',
    input: { path: '/users/me' },
  };
  assert.equal((await executeAction(deps, call)).status, 200);

  await disconnect(deps, { tenant, linkedAccount, slug });
  assert.equal(await countOf('config', tenant), 0);
  await assert.rejects(executeAction(deps, call), refuses('not_connected'));
  assert.equal(await disconnect(deps, { tenant, linkedAccount, slug }), false);
  assert.deepEqual(await logOf(tenant), ['created', 'created', 'deleted', 'deleted']);
});

test('another tenant finds neither app nor connection', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const { tenant, linkedAccount, slug } = await connectedByOAuth(deps, crm);
  const foreign = await acmeAccount(deps, crm);
  const call = {
    linkedAccountId: linkedAccount.id,
    slug,
    actionId: 'httprequest',
    input: { path: '/users/me' },
  };
  await assert.rejects(executeAction(deps, { ...call, tenant: foreign.tenant }), refuses('app_not_found'));
  await assert.rejects(
    executeAction(deps, { ...call, tenant: { ...tenant, environment: 'production' } }),
    refuses('app_not_found'),
  );
  assert.equal(await disconnect(deps, { tenant: foreign.tenant, linkedAccount, slug }), false);
});

test('a disabled app is hidden and not called, and comes back with its connections', async (t) => {
  const crm = await runningAcme(t);
  const deps = testConnectionDeps(t, database);
  const { tenant, linkedAccount, slug } = await connectedByOAuth(deps, crm);
  const enable = (is: boolean) =>
    database.pool.query('update app_setting set is_enabled = $2 where org_id = $1', [tenant.orgId, is]);
  await enable(false);
  await assert.rejects(findApp(deps, tenant, linkedAccount.id, slug), refuses('app_not_found'));
  await enable(true);
  assert.equal((await findApp(deps, tenant, linkedAccount.id, slug)).isConnected, true);
});

test('imported tokens are renewed by the client that obtained them', async (t) => {
  const crm = await runningAcme(t);
  const clock = movableClock();
  const deps = testConnectionDeps(t, database, { clock });
  const origin = await connectedByOAuth(deps, crm);
  const [row] = await listConnections(deps.db, origin.tenant, origin.linkedAccount.id);
  assert.ok(row !== undefined);
  const credential = openCredential(deps.vault, row);
  assert.ok(credential.kind === 'oauth2');

  const target = await testAccount(deps, { slug: 'acme-crm', variables: { acme_base_url: crm.url } });
  const fields = {
    access_token: credential.accessToken,
    refresh_token: credential.refreshToken ?? '',
    expires_at: clock.now().toISOString(),
    client_id: 'inlay-test',
    client_secret: 'inlay-test-secret',
  };
  assert.deepEqual(await importOAuthCredential(deps, { ...target, slug: 'acme-crm', fields }), {
    isNew: true,
  });
  const result = await executeAction(deps, {
    tenant: target.tenant,
    linkedAccountId: target.linkedAccount.id,
    slug: 'acme-crm',
    actionId: 'httprequest',
    input: { path: '/users/me' },
  });
  assert.equal(result.status, 200);
  assert.deepEqual(crm.control.stats().tokenRequests['refresh_token'], { succeeded: 1, failed: 0 });
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { newId } from '#domain/ids';

let api: TestApi;
let cookie: string;

before(async () => {
  api = await createTestApi();
  cookie = await signUp('ada@example.com');
});
after(() => api.close());

async function signUp(email: string): Promise<string> {
  const body = { email, password: 'correct horse', name: 'A', organization: email };
  const { cookies } = await call('POST', '/sign-up', { body, as: '' });
  return cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
}

interface CallOptions {
  readonly body?: unknown;
  readonly as?: string;
  readonly environment?: 'test' | 'production';
}

async function call(method: 'GET' | 'POST' | 'PATCH', path: string, options: CallOptions = {}) {
  const { body, as = cookie, environment = 'test' } = options;
  const answer = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers: {
      ...(as !== '' && { cookie: as }),
      'x-inlay-environment': environment,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), text: answer.body, cookies: answer.cookies };
}

test('the catalogue says what is enabled in the environment that is looked at', async () => {
  assert.equal((await call('PATCH', '/apps/gong', { body: { is_enabled: true } })).status, 200);
  const enabled = async (environment: 'test' | 'production') =>
    (await call('GET', '/apps', { environment })).body.apps
      .filter((app: { is_enabled: boolean }) => app.is_enabled)
      .map((app: { slug: string }) => app.slug);
  assert.deepEqual([await enabled('test'), await enabled('production')], [['gong'], []]);
  await call('PATCH', '/apps/gong', { body: { is_enabled: false } });
  assert.deepEqual(await enabled('test'), []);
});

test('an app tells its scopes, actions, triggers, guide and the callback to register', async () => {
  const { body } = await call('GET', '/apps/gong');
  assert.equal(body.settings.callback_url, 'http://localhost:3000/api/v1/gong/callback');
  assert.deepEqual(
    body.mandatory_scopes.map(({ id }: { id: string }) => id),
    ['api:users:read'],
  );
  assert.ok(body.offered_scopes.every(({ description }: { description: string }) => description !== ''));
  assert.ok(body.actions.some(({ id }: { id: string }) => id === 'listCalls'));
  assert.ok(body.triggers.length > 0);
  assert.match(body.setup_guide, /^# /);
  const acme = (await call('GET', '/apps/acme-crm')).body;
  assert.equal(acme.documentation_url, null, 'its address is not known yet');
  const variables = { acme_base_url: 'http://localhost:4400' };
  const saved = await call('PATCH', '/apps/acme-crm', { body: { variables } });
  assert.equal(saved.body.documentation_url, 'http://localhost:4400/openapi.json');
});

test('a client secret is stored, never listed, and shown only when asked for', async () => {
  const body = { client_id: 'the-client', client_secret: 'the-secret', custom_scopes: ['api:own'] };
  const saved = await call('PATCH', '/apps/gong', { body });
  assert.deepEqual(
    [saved.body.settings.client_id, saved.body.settings.has_client_secret, saved.body.settings.custom_scopes],
    ['the-client', true, ['api:own']],
  );
  assert.equal(saved.text.includes('the-secret'), false);
  // Saving something else keeps it.
  await call('PATCH', '/apps/gong', { body: { optional_scopes: ['api:calls:read:basic'] } });
  const revealed = await call('POST', '/apps/gong/client-secret/reveal', { body: {} });
  assert.deepEqual(revealed.body, { client_secret: 'the-secret' });
});

test('wrong settings are refused by field', async () => {
  const refused = async (body: object) => {
    const answer = await call('PATCH', '/apps/gong', { body });
    assert.equal(answer.status, 400);
    return answer.body.message as string;
  };
  assert.match(await refused({ credential_source: 'ours' }), /this installation has no Gong client/);
  assert.match(await refused({ optional_scopes: ['made:up'] }), /"made:up" is not one of the app's scopes/);
  assert.match(await refused({ custom_scopes: ['two words'] }), /"two words" is not a scope/);
  assert.match(await refused({ client_id: ' ' }), /client_id/);
  assert.equal((await call('GET', '/apps/nosuchapp')).status, 404);
});

test("another organisation sees its own settings, not another's secret", async () => {
  const stranger = await signUp('stranger@example.com');
  const theirs = await call('GET', '/apps/gong', { as: stranger });
  assert.equal(theirs.body.settings.client_id, null);
  const reveal = await call('POST', '/apps/gong/client-secret/reveal', { body: {}, as: stranger });
  assert.equal(reveal.status, 404);
  for (const [method, path] of [
    ['GET', '/apps'],
    ['GET', '/apps/gong'],
    ['PATCH', '/apps/gong'],
    ['POST', '/apps/gong/client-secret/reveal'],
    ['GET', '/linked-accounts/x/connections'],
    ['GET', '/executions'],
    ['GET', `/executions/${newId()}`],
    ['POST', `/executions/${newId()}/stop`],
    ['POST', `/executions/${newId()}/rerun`],
  ] as const) {
    assert.equal((await call(method, path, { as: '' })).status, 401, `${method} ${path}`);
  }
});

test('a linked account tells its connections, what happened and what was chosen, without credentials', async () => {
  const created = await call('POST', '/linked-accounts', { body: { linked_account_id: 'jon' } });
  const orgId = (await call('GET', '/session')).body.organization.id as string;
  const tenant = { org_id: orgId, environment: 'test' as const };
  const linked = { ...tenant, linked_account_id: created.body._id as string, app_slug: 'gong' };
  const { db } = api.database;
  await db
    .insertInto('connection')
    .values({
      ...linked,
      id: newId(),
      auth_type: 'oauth2',
      status: 'expired',
      status_reason: 'Gong no longer accepts the authorization.',
      credential_sealed: Buffer.from('sealed-credential'),
      granted_scopes: ['api:users:read'],
      identifier: JSON.stringify({ email: 'jon@winterfell.example' }),
      connected_at: new Date('2026-01-02T03:04:05.000Z'),
      access_expires_at: null,
      refresh_expires_at: null,
    })
    .execute();
  await db
    .insertInto('connection_log')
    .values({ ...linked, id: newId(), event: 'expired', auth_type: 'oauth2', detail: '{}' })
    .execute();
  await db
    .insertInto('config')
    .values({ ...linked, id: newId(), config_id: 'jon', field_values: '{}', labels: null })
    .execute();

  const answer = await call('GET', '/linked-accounts/jon/connections');
  assert.equal(answer.status, 200, answer.text);
  const [connection] = answer.body.connections;
  assert.deepEqual(
    [connection.app.name, connection.status, connection.status_reason, connection.granted_scopes],
    ['Gong', 'expired', 'Gong no longer accepts the authorization.', ['api:users:read']],
  );
  assert.equal(connection.identifier, '{"email":"jon@winterfell.example"}');
  assert.deepEqual(
    answer.body.log.map(({ event }: { event: string }) => event),
    ['expired'],
  );
  assert.deepEqual(
    answer.body.configs.map(({ config_id: id }: { config_id: string }) => id),
    ['jon'],
  );
  assert.equal(answer.text.includes(Buffer.from('sealed-credential').toString('base64')), false);
  const elsewhere = await call('GET', '/linked-accounts/jon/connections', { environment: 'production' });
  assert.equal(elsewhere.status, 404);
});

test('executions are filtered by state, account and time, and bad filters are named', async () => {
  assert.deepEqual((await call('GET', '/executions?account=nobody')).body.totalDocs, 0);
  assert.equal((await call('GET', '/executions?status=completed&from=2026-01-01T00:00')).status, 200);
  assert.match((await call('GET', '/executions?status=done')).body.message, /status/);
  assert.match((await call('GET', '/executions?from=yesterday')).body.message, /from/);
  assert.equal((await call('GET', `/executions/${newId()}`)).status, 404);
});

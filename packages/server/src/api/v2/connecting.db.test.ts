import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { AcmeCrm } from '@inlay/example-acme-crm';
import { createTestApi, type TestApi } from '#api/testing';
// oxlint-disable-next-line no-restricted-imports -- a fixture of tests, which the feature's index must not offer
import { acmeKey, consent, runningAcme } from '#connections/acme-fixture';
import { saveAppSettings } from '#connections/index';

const publicUrl = 'http://localhost:3000';
const callback = `${publicUrl}/api/v1/acme-crm/callback`;
const cleanups: (() => unknown)[] = [];
let api: TestApi;
let crm: AcmeCrm;

before(async () => {
  crm = await runningAcme(
    { after: (work) => cleanups.push(work as () => unknown) },
    { redirectUri: callback },
  );
  api = await createTestApi({ config: { publicUrl } });
  await saveAppSettings(api.deps, api.org.tenant, 'acme-crm', {
    isEnabled: true,
    credentialSource: 'own',
    clientId: 'inlay-test',
    clientSecret: 'inlay-test-secret',
    variables: { acme_base_url: crm.url },
  });
});
after(async () => {
  await api.close();
  for (const cleanup of cleanups) await cleanup();
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  // The wire's shapes are what the tests look at.
  readonly body: { [key: string]: unknown };
}

async function call(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  url: string,
  account?: string,
  payload?: object,
): Promise<Answer> {
  const response = await api.app.inject({
    method,
    url,
    headers: {
      ...(account !== undefined && { 'x-api-key': api.org.keys.test, linked_account_id: account }),
    },
    ...(payload !== undefined && { payload }),
  });
  const isJson = String(response.headers['content-type']).startsWith('application/json');
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    body: isJson ? (JSON.parse(response.body) as Answer['body']) : {},
  };
}

async function tokenOf(account: string): Promise<string> {
  const response = await api.app.inject({
    method: 'POST',
    url: '/api/v2/public/session-token',
    headers: { 'x-api-key': api.org.keys.test },
    payload: { linked_account_id: account },
  });
  return response.json().token;
}

test('connect as the browser SDK does: integrate, consent, callback page, poll, disconnect', async () => {
  await api.addLinkedAccount('browser');
  const headers = { authorization: `Bearer ${await tokenOf('browser')}` };
  const poll = async () =>
    (await api.app.inject({ url: '/api/v2/f-sdk/application/acme-crm', headers })).json() as Answer['body'];
  const fresh = await poll();
  assert.deepEqual(
    [fresh['connected'], fresh['reauth_required'], fresh['connected_accounts']],
    [false, false, []],
  );
  assert.deepEqual([fresh['auth_type'], fresh['slug'], fresh['type']], ['oauth2', 'acme-crm', 'acme-crm']);

  const started = await api.app.inject({ url: '/api/v1/acme-crm/integrate?', headers });
  const { auth_url: authUrl } = started.json() as { auth_url: string };
  assert.equal(new URL(authUrl).searchParams.get('redirect_uri'), callback);
  const query = await consent(authUrl);
  const page = await call('GET', `/api/v1/acme-crm/callback?${query.toString()}`);
  assert.equal(page.status, 200);
  assert.match(page.text, /Acme CRM is connected/);
  assert.match(page.text, /ada@analytical\.example/);
  assert.match(page.text, /Test Company can now use it for <strong>browser<\/strong>/);
  assert.match(String(page.headers['content-security-policy']), /default-src 'none'; script-src 'self'/);
  assert.equal(page.headers['cross-origin-opener-policy'], undefined);
  assert.equal(/<script(?![^>]*src=)|<style|\son\w+=|javascript:/i.test(page.text), false);

  const connected = await poll();
  assert.equal(connected['connected'], true);
  const [account] = connected['connected_accounts'] as Record<string, unknown>[];
  assert.deepEqual(
    [account?.['auth_type'], account?.['status'], account?.['identifier']],
    ['oauth2', 'active', 'ada@analytical.example'],
  );

  const gone = await api.app.inject({
    method: 'DELETE',
    url: '/api/v1/linked-acc/integration/acme-crm',
    headers,
  });
  assert.equal(gone.statusCode, 200);
  assert.equal(gone.json().account_id, 'browser');
  assert.equal((await poll())['connected'], false);
});

test('the callback page believes nothing without a known state, and echoes nothing of the query', async () => {
  const evil = '"><script>alert(1)</script>';
  for (const query of [
    '',
    '?code=1',
    `?state=${encodeURIComponent(evil)}&error=${encodeURIComponent(evil)}&error_description=${encodeURIComponent(evil)}`,
  ]) {
    const page = await call('GET', `/api/v1/acme-crm/callback${query}`);
    assert.equal(page.status, 400);
    assert.match(page.text, /used already or is too old/);
    assert.equal(page.text.includes('alert(1)'), false);
  }
});

test("a provider's error is shown in its own words, escaped, with the scopes to compare", async () => {
  await api.addLinkedAccount('scopes');
  const { body } = await call(
    'GET',
    '/api/v2/public/linked-account/integration/oauth-url/acme-crm',
    'scopes',
  );
  const state = new URL(String(body['auth_url'])).searchParams.get('state') ?? '';
  const query = new URLSearchParams({
    state,
    error: 'invalid_scope',
    error_description: 'scope <b>users:read</b> is not allowed',
  });
  const page = await call('GET', `/api/v1/acme-crm/callback?${query.toString()}`);
  assert.equal(page.status, 400);
  assert.match(page.text, /scope &lt;b&gt;users:read&lt;\/b&gt; is not allowed \(invalid_scope\)/);
  assert.match(page.text, /<li><code>users:read<\/code><\/li>/);
});

test("keys: a missing field is named, a wrong key is refused in Cobalt's words, a right one connects", async () => {
  await api.addLinkedAccount('keys');
  const save = (payload: object) =>
    call('PUT', '/api/v2/public/linked-account/integration/save-key-credentials/acme-crm', 'keys', payload);
  const missing = await save({});
  assert.deepEqual(
    [missing.status, missing.body['message']],
    [400, "Required parameter 'apiKey' is missing"],
  );
  const wrong = await save({ apiKey: 'nope' });
  assert.equal(wrong.status, 400);
  assert.match(String(wrong.body['message']), /^Failed to verify credentials: /);
  assert.equal((await call('GET', '/api/v2/public/application/acme-crm', 'keys')).body['connected'], false);
  assert.deepEqual((await save({ apiKey: acmeKey })).body, { success: true });
  assert.equal((await call('GET', '/api/v2/public/application/acme-crm', 'keys')).body['connected'], true);
});

test('actions are listed, described and executed; a refusal by the provider keeps its detail', async () => {
  await api.addLinkedAccount('actions');
  const base = '/api/v2/integration-schema/acme-crm/actions';
  const notConnected = await call('POST', `${base}/listContacts/execute`, 'actions', {});
  assert.deepEqual([notConnected.status, notConnected.body['error_code']], [400, 'VALIDATION_ERROR']);
  await call('PUT', '/api/v2/public/linked-account/integration/save-key-credentials/acme-crm', 'actions', {
    apiKey: acmeKey,
  });
  const list = (await call('GET', base, 'actions')).text;
  assert.match(list, /"action_id":"httprequest"/);
  const schema = JSON.parse((await call('GET', `${base}/getContact`, 'actions')).text) as { name: string }[];
  assert.ok(schema.length > 0);
  const missing = await call('POST', `${base}/getContact/execute`, 'actions', {});
  assert.equal(missing.status, 400);
  assert.match(String(missing.body['message']), /^Required parameter '\w+' is missing$/);
  const done = await call('POST', `${base}/listContacts/execute`, 'actions', {});
  assert.deepEqual([done.status, done.body['node_status'], done.body['http_status']], [200, 'Success', 200]);
  const refused = await call('POST', `${base}/httprequest/execute`, 'actions', { path: '/nowhere' });
  assert.deepEqual(
    [refused.status, refused.body['node_status'], refused.body['http_status']],
    [200, 'Errored', 404],
  );
  const unknown = await call('POST', `${base}/fly/execute`, 'actions', {});
  assert.deepEqual(
    [unknown.status, unknown.body['message']],
    [404, 'Action fly not found in Application acme-crm'],
  );
  const away = await call('POST', `${base}/httprequest/execute`, 'actions', {
    path: 'http://169.254.169.254/',
  });
  assert.equal(away.status, 400);
  assert.match(String(away.body['message']), /may not go to/);
});

test('an app that is not enabled, or unknown, is a 404 everywhere', async () => {
  await api.addLinkedAccount('none');
  for (const [method, url] of [
    ['GET', '/api/v2/public/application/gong'],
    ['GET', '/api/v2/public/linked-account/integration/oauth-url/gong'],
    ['PUT', '/api/v2/public/linked-account/integration/save-key-credentials/gong'],
    ['POST', '/api/v2/integration-schema/gong/actions/listCalls/execute'],
    ['GET', '/api/v2/public/application/nothing'],
    ['GET', '/api/v2/public/auth-structure/nothing'],
  ] as const) {
    assert.equal(
      (await call(method, url, 'none', method === 'GET' ? undefined : {})).status,
      404,
      `${method} ${url}`,
    );
  }
  // Removing what is not there changes nothing.
  assert.equal(
    (await call('DELETE', '/api/v2/public/linked-account/integration/acme-crm', 'none')).status,
    200,
  );
});

test('every one of these routes refuses a stranger', async () => {
  for (const [method, url] of [
    ['GET', '/api/v2/public/application'],
    ['GET', '/api/v2/public/application/acme-crm'],
    ['GET', '/api/v2/f-sdk/application'],
    ['GET', '/api/v2/f-sdk/application/acme-crm'],
    ['GET', '/api/v2/public/linked-account/integration/oauth-url/acme-crm'],
    ['GET', '/api/v1/acme-crm/integrate'],
    ['POST', '/api/v1/acme-crm/integrate'],
    ['PUT', '/api/v2/public/linked-account/integration/save-key-credentials/acme-crm'],
    ['POST', '/api/v2/app/acme-crm/save'],
    ['DELETE', '/api/v2/public/linked-account/integration/acme-crm'],
    ['DELETE', '/api/v1/linked-acc/integration/acme-crm'],
    ['GET', '/api/v2/integration-schema/acme-crm/actions'],
    ['GET', '/api/v2/integration-schema/acme-crm/actions/httprequest'],
    ['POST', '/api/v2/integration-schema/acme-crm/actions/httprequest/execute'],
  ] as const) {
    assert.equal((await call(method, url)).status, 401, `${method} ${url}`);
  }
});

test('credentials of another system are taken over in both shapes, and tried first', async () => {
  await api.addLinkedAccount('moved');
  const move = (authObject: unknown) =>
    call('PUT', '/api/v2/public/migrate-token', 'moved', { slug: 'acme-crm', auth_object: authObject });
  for (const [authObject, text] of [
    [{ oauth2: { access_token: 'dead', refresh_token: 'r' } }, /^Failed to verify credentials: /],
    [{ access_token: 'dead', nonsense: 'x' }, /auth_object\.nonsense: is not a token field/],
    [{ refresh_token: 'r' }, /auth_object\.access_token: is required/],
    [{ apiKey: 'nope' }, /^Failed to verify credentials: /],
    [{ apiKey: 7 }, /auth_object/],
  ] as const) {
    const answer = await move(authObject);
    assert.equal(answer.status, 400, JSON.stringify(authObject));
    assert.match(String(answer.body['message']), text);
  }
  assert.equal((await call('GET', '/api/v2/public/application/acme-crm', 'moved')).body['connected'], false);
  const first = await move({ keybased: { apiKey: acmeKey } });
  assert.deepEqual(first.body, { success: true, message: 'Integration - acme-crm created' });
  const second = await move({ apiKey: acmeKey });
  assert.deepEqual(second.body, { success: true, message: 'Integration - acme-crm updated' });
});

test('whichever way an account connects, its default config is there, and workflows that switch themselves on are', async () => {
  const asCompany = { headers: { 'x-api-key': api.org.keys.test } };
  const made = await api.app.inject({
    ...asCompany,
    method: 'POST',
    url: '/api/v2/public/workflow',
    payload: { name: 'By itself', slug: 'acme-crm', autoEnable: true },
  });
  const { _id: id } = made.json().workflow;
  const publish = `/api/v2/public/workflow/${id}/publish`;
  await api.app.inject({ ...asCompany, method: 'PUT', url: publish, payload: {} });

  const ways: Record<string, (account: string) => Promise<unknown>> = {
    'by-oauth': async (account) => {
      const url = '/api/v2/public/linked-account/integration/oauth-url/acme-crm';
      const query = await consent(String((await call('GET', url, account)).body['auth_url']));
      return call('GET', `/api/v1/acme-crm/callback?${query.toString()}`);
    },
    'by-key': (account) =>
      call('PUT', '/api/v2/public/linked-account/integration/save-key-credentials/acme-crm', account, {
        apiKey: acmeKey,
      }),
    'by-import': (account) =>
      call('PUT', '/api/v2/public/migrate-token', account, {
        slug: 'acme-crm',
        auth_object: { keybased: { apiKey: acmeKey } },
      }),
  };
  const config = '/api/v2/f-sdk/slug/acme-crm/config';
  for (const [account, connect] of Object.entries(ways)) {
    await api.addLinkedAccount(account);
    const headers = { authorization: `Bearer ${await tokenOf(account)}` };
    const read = async () => (await api.app.inject({ url: config, headers })).json() as Answer['body'];
    assert.equal((await read())['status_code'], 404);
    await connect(account);
    const { config_id: configId, workflows } = await read();
    assert.equal(configId, account);
    assert.deepEqual(
      (workflows as { name: string; enabled: boolean }[]).map(({ name, enabled }) => [name, enabled]),
      [['By itself', true]],
      account,
    );
    // What the account removed does not come back when it authorizes again.
    await api.app.inject({ method: 'DELETE', url: config, headers });
    await connect(account);
    assert.equal((await read())['status_code'], 404, account);
  }
});

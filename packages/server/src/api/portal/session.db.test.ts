import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('Test2');
});
after(() => api.close());

async function newLinkToken(properties: Record<string, unknown> = {}, configId?: string): Promise<string> {
  const query = new URLSearchParams({
    linked_account_id: 'Test2',
    ...(configId !== undefined && { config_id: configId }),
  });
  const answer = await api.app.inject({
    method: 'POST',
    url: `/api/v2/public/connect-url?${query.toString()}`,
    headers: { 'x-api-key': api.org.keys.test },
    payload: properties,
  });
  assert.equal(answer.statusCode, 200, answer.body);
  return new URL(answer.json().hosted_url).pathname.split('/').at(-1)!;
}

const open = (token: unknown, cookie?: string) => exchange({ token }, cookie);

function exchange(body: Record<string, unknown>, cookie?: string) {
  return api.app.inject({
    method: 'POST',
    url: '/api/portal/session',
    headers: { ...(cookie !== undefined && { cookie }) },
    payload: body,
  });
}

test('opening a link gives a session of its account, the look that was asked for and the config', async () => {
  const look = { color: '#000000', bgColor: '#00FF23', name: 'Jon Snow' };
  const answer = await open(await newLinkToken(look, 'second'));
  assert.equal(answer.statusCode, 200, answer.body);
  const { token, organization, properties, config_id } = answer.json();
  assert.deepEqual([organization.name, properties, config_id], ['Test Company', look, 'second']);
  const account = await api.app.inject({
    url: '/api/v2/public/session/active-linked-account',
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(account.json().account_id, 'Test2');
});

test('the first browser keeps the link for its reloads, another one is refused', async () => {
  const token = await newLinkToken();
  const first = await open(token);
  const header = String(first.headers['set-cookie']);
  assert.match(header, /^inlay-browser=[\w-]{43}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
  const cookie = header.split(';')[0]!;
  assert.equal((await open(token, cookie)).statusCode, 200);
  const byName = { link: first.json().link };
  assert.equal((await exchange(byName, cookie)).json().properties !== undefined, true);
  assert.equal((await exchange(byName)).statusCode, 403);
  assert.equal((await open(token)).statusCode, 403);
  assert.equal((await open(token, `inlay-browser=${'x'.repeat(43)}`)).statusCode, 403);
});

test('an unknown, malformed or missing token opens nothing', async () => {
  assert.equal((await open('a'.repeat(43))).statusCode, 404);
  for (const token of ['', 7, undefined, 'x'.repeat(5_000)]) {
    assert.equal((await open(token)).statusCode, 400, JSON.stringify(token));
  }
});

test('the name of a link that nobody opened yet opens nothing', async () => {
  const token = await newLinkToken();
  const link = createHash('sha256').update(token).digest('hex');
  assert.equal((await exchange({ link })).statusCode, 404);
});

test('the way back to the organisation is a web address or absent', async () => {
  const setReturnUrl = (address: string) =>
    api.database.db
      .updateTable('organization')
      .set({ settings: JSON.stringify({ portal_return_url: address }) })
      .where('id', '=', api.org.orgId)
      .execute();
  await setReturnUrl('javascript:alert(1)');
  assert.equal((await open(await newLinkToken())).json().organization.return_url, undefined);
  await setReturnUrl('https://winterfell.example/settings');
  const { organization } = (await open(await newLinkToken())).json();
  assert.equal(organization.return_url, 'https://winterfell.example/settings');
});

test('the last failure of an app is told to its own account only', async () => {
  const other = await api.addLinkedAccount('other');
  await api.database.db
    .insertInto('connection_log')
    .values({
      id: 'f'.repeat(24),
      org_id: api.org.orgId,
      environment: 'test',
      linked_account_id: other.id,
      app_slug: 'acme-crm',
      event: 'failed',
      auth_type: 'oauth2',
      detail: JSON.stringify({ error: 'access_denied', message: 'Not allowed.' }),
    })
    .execute();
  const failureFor = async (accountId: string) => {
    const issued = await api.app.inject({
      method: 'POST',
      url: '/api/v2/public/session-token',
      headers: { 'x-api-key': api.org.keys.test },
      payload: { linked_account_id: accountId },
    });
    const answer = await api.app.inject({
      url: '/api/portal/apps/acme-crm/last-failure',
      headers: { authorization: `Bearer ${issued.json().token}` },
    });
    return answer.json();
  };
  assert.deepEqual(await failureFor('other'), {
    id: 'f'.repeat(24),
    is_denial: true,
    message: 'Not allowed.',
  });
  assert.deepEqual(await failureFor('Test2'), {});
});

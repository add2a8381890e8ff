import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi, type TestOrganization } from '#api/testing';
import { keyHolders } from '#db/api-key';
import { apiKeysOf, hashApiKey, regenerateApiKey } from '#organizations/index';

let api: TestApi;
let other: TestOrganization;
before(async () => {
  api = await createTestApi();
  other = await api.addOrganization('Other');
  await api.addLinkedAccount('mine');
  await api.addLinkedAccount('theirs', other.tenant);
});
after(() => api.close());

async function tokenOf(organization: TestOrganization, accountId: string): Promise<string> {
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v2/public/session-token',
    headers: { 'x-api-key': organization.keys.test },
    payload: { linked_account_id: accountId },
  });
  return answer.json().token;
}

test('every route but the public ones refuses a caller without a credential', async () => {
  const guarded = api.app.registeredRoutes.filter(({ auth }) => auth !== 'none');
  assert.ok(guarded.length >= 10, `${guarded.length} guarded routes`);
  for (const { method, url } of guarded) {
    const answer = await api.app.inject({
      method: method as 'GET',
      url: url.replaceAll(/:\w+/g, 'some-id').replace('*', 'some/path'),
      headers: { 'content-type': 'application/json' },
      ...(method !== 'GET' && method !== 'HEAD' && { payload: '{}' }),
    });
    assert.equal(answer.statusCode, 401, `${method} ${url} answered ${answer.statusCode}`);
    assert.notEqual(answer.headers['x-trace-id'], undefined);
  }
});

test('the routes that anybody may call are exactly these', () => {
  const open = api.app.registeredRoutes.filter(({ auth, method }) => auth === 'none' && method !== 'HEAD');
  assert.deepEqual(
    open.map(({ method, url }) => `${method} ${url}`).toSorted((a, b) => a.localeCompare(b)),
    [
      'GET /*',
      'GET /api/v1/:slug/callback',
      'GET /api/v1/callback.css',
      'GET /api/v1/callback.js',
      'GET /api/v1/webhook/:slug/:target',
      'GET /api/v2/public/auth-structure/:slug',
      'GET /api/v2/public/human-tasks/:id',
      'GET /assets/*',
      'GET /connect',
      'GET /connect/:token',
      'GET /connect/apps/:slug',
      'GET /connect/assets/*',
      'GET /files/:token/:name',
      'GET /healthz',
      'GET /icons/:file',
      'GET /openapi.json',
      'GET /readyz',
      'GET /reference',
      'GET /reference/scalar.js',
      'GET /tasks/:id',
      'GET /tasks/page.css',
      'POST /api/admin/sign-in',
      'POST /api/admin/sign-up',
      'POST /api/portal/session',
      'POST /api/v1/webhook-trigger/:tenant/:workflow_id/:linked_account_id',
      'POST /api/v1/webhook/:slug/:target',
      'POST /api/v1/workflows/webhooks/:webhook_id',
      'POST /api/v2/public/human-tasks/:id',
      'POST /tasks/:id',
    ],
  );
});

test('a key works under any spelling of its header and no wrong key works', async () => {
  const list = (headers: Record<string, string>) =>
    api.app.inject({ method: 'GET', url: '/api/v2/public/linked-account', headers });
  for (const name of ['X-API-Key', 'x-api-key', 'X-Api-Key']) {
    assert.equal((await list({ [name]: api.org.keys.test })).statusCode, 200);
  }
  for (const wrong of [
    'tk00000000-0000-0000-0000-000000000000',
    '',
    `${api.org.keys.test} `.repeat(2),
    'x'.repeat(9000),
  ]) {
    const answer = await list({ 'x-api-key': wrong });
    assert.equal(answer.statusCode, 401);
    assert.equal(answer.json().message, 'Invalid Credentials');
  }
});

test('a stranger is refused before the body is read', async () => {
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v2/public/linked-account',
    headers: { 'content-type': 'application/json' },
    payload: '{ not json',
  });
  assert.equal(answer.statusCode, 401);
});

test('a session token on an operation of the organization answers 403, a key on one of a session too', async () => {
  const session = await api.app.inject({
    method: 'DELETE',
    url: '/api/v2/public/linked-account/mine',
    headers: { authorization: `Bearer ${await tokenOf(api.org, 'mine')}` },
  });
  assert.equal(session.statusCode, 403);
  assert.match(session.json().message, /API key/);
  const key = await api.app.inject({
    method: 'GET',
    url: '/api/v3/org/basics',
    headers: { 'x-api-key': api.org.keys.test },
  });
  assert.equal(key.statusCode, 403);
});

test('with both credentials the key decides whose data, and the token only names the account', async () => {
  const connectUrl = (headers: Record<string, string>) =>
    api.app.inject({ method: 'POST', url: '/api/v2/public/connect-url', headers, payload: {} });
  const mine = `Bearer ${await tokenOf(api.org, 'mine')}`;
  const theirs = `Bearer ${await tokenOf(other, 'theirs')}`;
  const both = await connectUrl({ 'x-api-key': api.org.keys.test, authorization: mine });
  assert.equal(both.statusCode, 200, both.body);
  const mixed = await connectUrl({ 'x-api-key': api.org.keys.test, authorization: theirs });
  assert.equal(mixed.statusCode, 401);
  const wrongKey = await connectUrl({ 'x-api-key': 'tkwrong', authorization: mine });
  assert.equal(wrongKey.statusCode, 401);
});

test('a session cannot act for another account by naming it', async () => {
  await api.addLinkedAccount('victim');
  const answer = await api.app.inject({
    method: 'GET',
    url: '/api/v2/public/session/active-linked-account?linked_account_id=victim',
    headers: { authorization: `Bearer ${await tokenOf(api.org, 'mine')}`, linked_account_id: 'victim' },
  });
  assert.equal(answer.json().account_id, 'mine');
});

test('an id in a UTF-8 header finds its account', async () => {
  await api.addLinkedAccount('Zoë');
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v2/public/connect-url',
    headers: { 'x-api-key': api.org.keys.test, linked_account_id: Buffer.from('Zoë').toString('latin1') },
    payload: {},
  });
  assert.equal(answer.statusCode, 200, answer.body);
});

test('a regenerated key takes over from the next request on', async () => {
  const organization = await api.addOrganization('Rotating');
  const [key] = (await apiKeysOf(api.deps, organization.orgId)).filter(
    ({ environment }) => environment === 'test',
  );
  const fresh = await regenerateApiKey(api.deps, organization.tenant, key?.id ?? '');
  assert.match(fresh, /^tk[0-9a-f-]{36}$/);
  const status = async (value: string) =>
    (
      await api.app.inject({
        method: 'GET',
        url: '/api/v2/public/linked-account',
        headers: { 'x-api-key': value },
      })
    ).statusCode;
  assert.deepEqual([await status(organization.keys.test), await status(fresh)], [401, 200]);
});

test('a limit answers 429 with Retry-After, for the noisy credential only', async () => {
  const limited = await createTestApi({ config: { rateLimitPerMinute: 60 } });
  try {
    const quiet = await limited.addOrganization('Quiet');
    const call = (apiKey: string) =>
      limited.app.inject({
        method: 'GET',
        url: '/api/v2/public/linked-account',
        headers: { 'x-api-key': apiKey },
      });
    const answers = [];
    for (let index = 0; index < 14; index += 1) answers.push(await call(limited.org.keys.test));
    const refused = answers.filter(({ statusCode }) => statusCode === 429);
    assert.ok(refused.length >= 2, `${refused.length} refused`);
    assert.match(String(refused[0]?.headers['retry-after']), /^\d+$/);
    assert.equal(refused[0]?.json().error_code, 'RATE_LIMITED');
    assert.equal((await call(quiet.keys.test)).statusCode, 200);
  } finally {
    await limited.close();
  }
});

test('of many that ask at the same moment each gets its own answer, a wrong key among them too', async () => {
  const holders = keyHolders(api.database.pool);
  const { test: key } = api.org.keys;
  const asked = Array.from({ length: 40 }, () => [
    { key, accountId: 'mine', expected: [api.org.tenant.orgId, 'mine'] },
    { key: other.keys.test, accountId: 'theirs', expected: [other.tenant.orgId, 'theirs'] },
    { key, accountId: 'theirs', expected: [api.org.tenant.orgId, undefined] },
    { key, accountId: undefined, expected: [api.org.tenant.orgId, undefined] },
    { key: 'tk-wrong', accountId: 'mine', expected: [undefined, undefined] },
    { key, accountId: 'PostgreSQL\u0000refuses this', expected: 'refused' },
  ]).flat();
  const answers = await Promise.allSettled(
    asked.map((question) =>
      holders.commit({ keyHash: hashApiKey(question.key), accountId: question.accountId }),
    ),
  );
  const seen = answers.map((answer) =>
    answer.status === 'rejected'
      ? 'refused'
      : [answer.value?.tenant.orgId, answer.value?.linkedAccount?.accountId],
  );
  assert.deepEqual(
    seen,
    asked.map(({ expected }) => expected),
  );
});

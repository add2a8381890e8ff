import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi, type TestOrganization } from '#api/testing';
import { newId } from '#domain/ids';
import { changeOrganization } from '#organizations/index';

let api: TestApi;
let other: TestOrganization;
before(async () => {
  api = await createTestApi();
  other = await api.addOrganization('Other Company');
});
after(() => api.close());

const path = '/api/v2/public/linked-account';

function call(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  url: string,
  body?: unknown,
  headers: Record<string, string> = { 'x-api-key': api.org.keys.test },
) {
  return api.app.inject({
    method,
    url,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
}

async function sessionFor(accountId: string): Promise<{ authorization: string }> {
  const answer = await call('POST', '/api/v2/public/session-token', { linked_account_id: accountId });
  assert.equal(answer.statusCode, 200, answer.body);
  return { authorization: `Bearer ${answer.json().token}` };
}

test("the quickstart's call creates a linked account", async () => {
  const answer = await api.app.inject({
    method: 'POST',
    url: path,
    headers: { 'X-API-Key': api.org.keys.test, 'Content-Type': 'application/json' },
    payload: '{\n    "linked_account_id": "Test2",\n    "name": "Test account 2"\n}',
  });
  assert.equal(answer.statusCode, 200, answer.body);
  const account = answer.json();
  assert.match(account._id, /^[0-9a-f]{24}$/);
  assert.deepEqual(
    [account.account_id, account.name, account.environment, account.associated_org, account.udf],
    ['Test2', 'Test account 2', 'test', api.org.orgId, []],
  );
  assert.match(account.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal('integrations' in account, false);
});

test('an id that exists is refused by name, and free in the other environment', async () => {
  await call('POST', path, { linked_account_id: 'twice' });
  const again = await call('POST', path, { linked_account_id: 'twice' });
  assert.equal(again.statusCode, 400);
  assert.equal(again.json().message, 'Linked account with id twice already exists in the test environment');
  const elsewhere = await call(
    'POST',
    path,
    { account_id: 'twice' },
    { 'x-api-key': api.org.keys.production },
  );
  assert.equal(elsewhere.statusCode, 200);
  assert.equal(elsewhere.json().environment, 'production');
});

test('twenty concurrent creations of one id make one record', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => call('POST', path, { linked_account_id: 'race' })),
  );
  const statuses = answers.map((answer) => answer.statusCode).toSorted((a, b) => a - b);
  assert.deepEqual(statuses, [200, ...Array.from({ length: 19 }, () => 400)]);
  const list = await call('GET', `${path}?limit=100`);
  assert.equal(list.json().docs.filter((doc: { account_id: string }) => doc.account_id === 'race').length, 1);
});

test('ten concurrent upserts of one new id create it once and keep every field', async () => {
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      call('PUT', path, { linked_account_id: 'upserted', udf: { [`field${index}`]: index } }),
    ),
  );
  assert.deepEqual(
    answers.map((answer) => answer.statusCode),
    Array.from({ length: 10 }, () => 200),
  );
  assert.equal(answers.filter((answer) => answer.json().new_account === true).length, 1);
  const account = (await call('GET', `${path}/upserted`)).json();
  assert.equal(account.udf.length, 10);
});

test('a missing, empty or wrong id is named in the answer', async () => {
  for (const body of [{}, { linked_account_id: '' }, undefined]) {
    const answer = await call('POST', path, body);
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.json().error_code, 'INVALID_LINKED_ACCOUNT_ID');
    assert.match(answer.json().message, /^linked_account_id required/);
  }
  const wrong = await call('POST', path, { linked_account_id: { id: 1 } });
  assert.equal(wrong.json().error_code, 'VALIDATION_ERROR');
  assert.equal(wrong.json().errors[0].path, 'linked_account_id');
});

test('udf and credentials merge by key, unknown fields come back, secrets do not', async () => {
  await call('POST', path, {
    linked_account_id: 'fields',
    udf: [{ key_name: 'plan', key_value: 'gold' }],
    your_app: { auth_credentials: { token: 'secret-one' } },
    email: 'customer@example.com',
  });
  const changed = await call('PUT', path, {
    payload: { linked_account_id: 'fields', udf: { seats: 5, plan: 'silver' }, name: 'Named' },
  });
  assert.equal(changed.json().new_account, false);
  const answer = await call('GET', `${path}/fields`);
  const account = answer.json();
  assert.deepEqual(
    account.udf.map((field: { key_name: string; key_value: unknown }) => [field.key_name, field.key_value]),
    [
      ['plan', 'silver'],
      ['seats', 5],
    ],
  );
  assert.equal(account.email, 'customer@example.com');
  assert.equal(account.name, 'Named');
  assert.equal(account.integrations[0].type, 'custom');
  assert.equal(answer.body.includes('secret-one'), false);
});

test('credentials without values and doubled key names are refused', async () => {
  const missing = await call('POST', path, { linked_account_id: 'x1', your_app: { app_id: 'a' } });
  assert.equal(missing.statusCode, 400);
  assert.match(missing.json().message, /your_app\.auth_credentials/);
  const doubled = await call('PUT', path, {
    linked_account_id: 'x2',
    your_app: {
      auth_credentials: [
        { key_name: 'a', key_value: '1' },
        { key_name: 'a', key_value: '2' },
      ],
    },
  });
  assert.equal(doubled.statusCode, 400);
  assert.equal(doubled.json().message, 'Duplicate Auth key_name not allowed');
});

test('own-app credentials are added, updated and removed one by one', async () => {
  await call('POST', path, { linked_account_id: 'own', your_app: { auth_credentials: { a: '1' } } });
  const session = await sessionFor('own');
  const at = (key: string) => `${path}/default-app/auth-credentials/${key}`;
  assert.equal((await call('PUT', at('b'), { value: 2 }, session)).json().action, 'added');
  assert.equal((await call('PUT', at('b'), { value: 'two' }, session)).json().action, 'updated');
  assert.equal((await call('DELETE', at('b'), undefined, session)).statusCode, 200);
  assert.equal((await call('DELETE', at('b'), undefined, session)).statusCode, 404);
  await call('POST', path, { linked_account_id: 'own-none' });
  assert.equal((await call('PUT', at('b'), { value: 2 }, await sessionFor('own-none'))).statusCode, 404);
});

test('ids with colons, at signs, slashes, spaces and letters of any script are found again', async () => {
  for (const id of ['account:12345', 'user@host', 'a/b c', 'Zoë 東京', '100%', 'a+b']) {
    assert.equal((await call('POST', path, { linked_account_id: id })).statusCode, 200, id);
    const answer = await call('GET', `${path}/${encodeURIComponent(id)}`);
    assert.equal(answer.json().account_id, id);
  }
});

test("another organization's account and an unknown one answer the same 404", async () => {
  await call('POST', path, { linked_account_id: 'mine' });
  for (const [url, headers] of [
    [`${path}/mine`, { 'x-api-key': other.keys.test }],
    [`${path}/mine`, { 'x-api-key': api.org.keys.production }],
    [`${path}/nobody`, { 'x-api-key': api.org.keys.test }],
  ] as const) {
    for (const method of ['GET', 'DELETE'] as const) {
      const answer = await call(method, url, undefined, headers);
      assert.equal(answer.statusCode, 404);
      assert.match(answer.json().message, /^Linked Account with account id \w+ for org/);
    }
  }
  assert.equal((await call('GET', `${path}/mine`)).statusCode, 200);
});

test('a session reads its own account only, and may change it', async () => {
  await call('POST', path, { linked_account_id: 'me' });
  await call('POST', path, { linked_account_id: 'you' });
  const session = await sessionFor('me');
  assert.equal((await call('GET', `${path}/me`, undefined, session)).statusCode, 200);
  assert.equal((await call('GET', `${path}/you`, undefined, session)).statusCode, 404);
  const changed = await call('PUT', path, { linked_account_id: 'you', name: 'Renamed' }, session);
  assert.deepEqual([changed.json().account_id, changed.json().name], ['me', 'Renamed']);
  const active = await call('GET', '/api/v2/public/session/active-linked-account', undefined, session);
  assert.equal(active.json().account_id, 'me');
});

test('the list pages newest first with all ten members and tolerates nonsense', async () => {
  const tenant = (await api.addOrganization('Paged')).keys.test;
  for (let index = 0; index < 12; index += 1) {
    await call('POST', path, { linked_account_id: `p${index}` }, { 'x-api-key': tenant });
  }
  const first = (await call('GET', `${path}/?limit=5&page=2`, undefined, { 'x-api-key': tenant })).json();
  assert.deepEqual(
    first.docs.map((doc: { account_id: string }) => doc.account_id),
    ['p6', 'p5', 'p4', 'p3', 'p2'],
  );
  const { docs: _docs, ...envelope } = first;
  assert.deepEqual(envelope, {
    totalDocs: 12,
    limit: 5,
    totalPages: 3,
    page: 2,
    pagingCounter: 6,
    hasPrevPage: true,
    hasNextPage: true,
    prevPage: 1,
    nextPage: 3,
  });
  const odd = (await call('GET', `${path}?limit=-3&page=zero`, undefined, { 'x-api-key': tenant })).json();
  assert.deepEqual([odd.limit, odd.page, odd.docs.length], [10, 1, 10]);
  const past = (await call('GET', `${path}?page=9`, undefined, { 'x-api-key': tenant })).json();
  assert.deepEqual([past.docs, past.totalDocs], [[], 12]);
});

test('a deleted account takes its session tokens with it', async () => {
  await call('POST', path, { linked_account_id: 'gone' });
  const session = await sessionFor('gone');
  const deleted = await call('DELETE', `${path}/gone`);
  assert.deepEqual(deleted.json(), { message: 'User deleted successfully' });
  const answer = await call('GET', '/api/v2/public/session/active-linked-account', undefined, session);
  assert.equal(answer.statusCode, 401);
  assert.equal(answer.json().error_code, 'INVALID_TOKEN');
});

test('the designated test user is not deleted', async () => {
  const organization = await api.addOrganization('With test user');
  const headers = { 'x-api-key': organization.keys.test };
  await call('POST', path, { linked_account_id: 'tester' }, headers);
  await changeOrganization(api.deps, organization.orgId, { settings: { test_linked_account_id: 'tester' } });
  const answer = await call('DELETE', `${path}/tester`, undefined, headers);
  assert.equal(answer.statusCode, 400);
  assert.match(answer.json().message, /test user/);
});

test('executions of a deleted account stop, those of another account wait on', async () => {
  const accounts = await Promise.all(['stopping', 'waiting'].map((id) => api.addLinkedAccount(id)));
  for (const account of accounts) {
    await api.database.pool.query(
      `insert into execution (id, org_id, environment, workflow_id, linked_account_id, account_id, config_id, source,
                              mode, state, timeout_s)
       values ($1, $2, 'test', 'w', $3, $4, 'c', 'event', 'async', 'waiting', 60)`,
      [newId(), api.org.orgId, account.id, account.accountId],
    );
  }
  assert.equal((await call('DELETE', `${path}/stopping`)).statusCode, 200);
  const { rows } = await api.database.pool.query(
    `select account_id, state from execution where account_id in ('stopping', 'waiting') order by account_id`,
  );
  assert.deepEqual(rows, [
    { account_id: 'stopping', state: 'stopped' },
    { account_id: 'waiting', state: 'waiting' },
  ]);
});

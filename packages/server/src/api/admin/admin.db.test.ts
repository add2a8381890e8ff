import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
let now = new Date();
before(async () => {
  api = await createTestApi({ clock: { now: () => now } });
});
after(() => api.close());

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

function call(
  method: Method,
  url: string,
  options: { cookie?: string; body?: unknown; headers?: object } = {},
) {
  return api.app.inject({
    method,
    url: `/api/admin${url}`,
    headers: {
      ...(options.cookie !== undefined && { cookie: options.cookie }),
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body !== undefined && { payload: JSON.stringify(options.body) }),
  });
}

const cookieOf = (answer: { cookies: { name: string; value: string }[] }) =>
  answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');

async function signUp(email: string, organization = `Company of ${email}`): Promise<string> {
  const body = { email, password: 'correct horse', name: 'Ada', organization };
  const answer = await call('POST', '/sign-up', { body });
  assert.equal(answer.statusCode, 200, answer.body);
  return cookieOf(answer);
}

const signIn = (email: string, password: string) => call('POST', '/sign-in', { body: { email, password } });

test('signing up makes an organization with a key in each environment', async () => {
  const cookie = await signUp('ada@example.com', 'Ada & Co.');
  const session = (await call('GET', '/session', { cookie })).json();
  assert.deepEqual(
    [session.user.email, session.organization.name, session.role, session.environment],
    ['ada@example.com', 'Ada & Co.', 'owner', 'test'],
  );
  const { keys } = (await call('GET', '/api-keys', { cookie })).json();
  assert.deepEqual(
    keys.map((key: { environment: string }) => key.environment),
    ['test', 'production'],
  );
  const revealed = await call('POST', `/api-keys/${keys[0].id}/reveal`, { cookie, body: {} });
  const used = await api.app.inject({
    method: 'GET',
    url: '/api/v2/public/linked-account',
    headers: { 'x-api-key': revealed.json().key },
  });
  assert.equal(used.statusCode, 200);
  const organization = (await call('GET', '/organization', { cookie })).json();
  assert.match(organization.slug, /^ada-co-\w{6}$/);
});

test('the session cookie is out of reach of scripts and of other sites', async () => {
  const answer = await call('POST', '/sign-up', {
    body: { email: 'cookie@example.com', password: 'correct horse', name: 'C', organization: 'C' },
  });
  const cookie = answer.cookies.find(({ name }) => name.includes('session_token'));
  assert.equal(cookie?.httpOnly, true);
  assert.equal(cookie?.sameSite, 'Lax');
  assert.equal(answer.body.includes(cookie?.value ?? '?'), false);
});

test('a wrong password and an unknown email answer the same', async () => {
  await signUp('known@example.com');
  const [wrong, unknown] = [
    await signIn('known@example.com', 'not it at all'),
    await signIn('nobody@example.com', 'not it at all'),
  ];
  assert.deepEqual([wrong.statusCode, unknown.statusCode], [401, 401]);
  assert.equal(wrong.json().message, unknown.json().message);
});

test('five failures lock an email for five minutes, even for the right password', async () => {
  await signUp('locked@example.com');
  for (let attempt = 0; attempt < 5; attempt += 1) await signIn('LOCKED@example.com', 'guess number x');
  const locked = await signIn('locked@example.com', 'correct horse');
  assert.equal(locked.statusCode, 429);
  assert.match(String(locked.headers['retry-after']), /^(300|29\d)$/);
  now = new Date(now.getTime() + 5 * 60_000 + 1000);
  assert.equal((await signIn('locked@example.com', 'correct horse')).statusCode, 200);
});

test('a signed-out cookie opens nothing', async () => {
  const cookie = await signUp('leaving@example.com');
  assert.equal((await call('POST', '/sign-out', { cookie, body: {} })).statusCode, 200);
  assert.equal((await call('GET', '/session', { cookie })).statusCode, 401);
});

test('a change that another site asks for is refused, one from the own page is not', async () => {
  const cookie = await signUp('origin@example.com');
  const change = (headers: object) =>
    call('PATCH', '/organization', { cookie, headers, body: { name: 'Renamed' } });
  assert.equal((await change({ origin: 'https://evil.example' })).statusCode, 403);
  assert.equal((await change({ origin: 'null' })).statusCode, 403);
  assert.equal((await change({ 'sec-fetch-site': 'cross-site' })).statusCode, 403);
  assert.equal((await change({ origin: 'http://localhost:3000' })).statusCode, 200);
  const forcedSignIn = await call('POST', '/sign-in', {
    headers: { origin: 'https://evil.example' },
    body: { email: 'origin@example.com', password: 'correct horse' },
  });
  assert.equal(forcedSignIn.statusCode, 403);
});

test("another organization's key cannot be shown or replaced", async () => {
  const [mine, theirs] = [await signUp('one@example.com'), await signUp('two@example.com')];
  const { keys } = (await call('GET', '/api-keys', { cookie: theirs })).json();
  const body = { environment: 'test' };
  for (const verb of ['reveal', 'regenerate']) {
    const answer = await call('POST', `/api-keys/${keys[0].id}/${verb}`, { cookie: mine, body });
    assert.equal(answer.statusCode, 404);
  }
});

test('a member who is no owner or admin cannot show, replace or change what is for them alone', async () => {
  const cookie = await signUp('member@example.com');
  const { keys } = (await call('GET', '/api-keys', { cookie })).json();
  const { db } = api.database;
  const user = db.selectFrom('console_user').select('id').where('email', '=', 'member@example.com');
  await db.updateTable('organization_member').set({ role: 'member' }).where('user_id', '=', user).execute();
  const forbidden: [Method, string, object][] = [
    ['POST', `/api-keys/${keys[0].id}/reveal`, { environment: 'test' }],
    ['POST', `/api-keys/${keys[0].id}/regenerate`, { environment: 'test' }],
    ['PATCH', '/organization', { name: 'Renamed' }],
    ['PATCH', '/apps/gong', { is_enabled: true }],
    ['POST', '/apps/gong/client-secret/reveal', {}],
  ];
  for (const [method, url, body] of forbidden) {
    const answer = await call(method, url, { cookie, body });
    assert.deepEqual([url, answer.statusCode], [url, 403]);
  }
  const { organization } = (await call('GET', '/session', { cookie })).json();
  assert.equal(organization.name, 'Company of member@example.com');
});

test('linked accounts follow the environment of the header, and get a portal link', async () => {
  const cookie = await signUp('env@example.com');
  const production = { 'x-inlay-environment': 'production' };
  await call('POST', '/linked-accounts', {
    cookie,
    headers: production,
    body: { account_id: 'p1', name: 'P' },
  });
  assert.equal((await call('GET', '/linked-accounts', { cookie })).json().totalDocs, 0);
  const list = (await call('GET', '/linked-accounts?search=P', { cookie, headers: production })).json();
  assert.equal(list.docs[0].account_id, 'p1');
  const link = await call('POST', '/linked-accounts/p1/portal-link', {
    cookie,
    headers: production,
    body: {},
  });
  assert.match(link.json().hosted_url, /\/connect\/[\w-]{43}$/);
  const odd = await call('GET', '/linked-accounts', {
    cookie,
    headers: { 'x-inlay-environment': 'staging' },
  });
  assert.equal(odd.statusCode, 400);
});

test('a taken email and a short password are refused in words', async () => {
  await signUp('taken@example.com');
  const again = await call('POST', '/sign-up', {
    body: { email: 'taken@example.com', password: 'correct horse', name: 'T', organization: 'T' },
  });
  assert.equal(again.statusCode, 400);
  assert.match(again.json().message, /already exists/i);
  const short = await call('POST', '/sign-up', {
    body: { email: 'short@example.com', password: 'short', name: 'S', organization: 'S' },
  });
  assert.equal(short.json().errors[0].path, 'password');
});

test('a changed password signs every other browser out, and the old one is refused', async () => {
  const [here, elsewhere] = [
    await signUp('change@example.com'),
    cookieOf(await signIn('change@example.com', 'correct horse')),
  ];
  const change = (current_password: string) =>
    call('POST', '/change-password', {
      cookie: here,
      body: { current_password, new_password: 'a better password' },
    });
  const wrong = await change('not the current one');
  assert.deepEqual([wrong.statusCode, wrong.json().errors[0].path], [400, 'current_password']);
  const changed = await change('correct horse');
  assert.equal(changed.statusCode, 200, changed.body);
  assert.equal((await call('GET', '/session', { cookie: elsewhere })).statusCode, 401);
  assert.equal((await call('GET', '/session', { cookie: cookieOf(changed) })).statusCode, 200);
  assert.equal((await signIn('change@example.com', 'correct horse')).statusCode, 401);
});

test('where sign-up is closed nobody makes an organization', async () => {
  const closed = await createTestApi({ config: { signUp: 'closed' } });
  try {
    const answer = await closed.app.inject({
      method: 'POST',
      url: '/api/admin/sign-up',
      payload: { email: 'stranger@example.com', password: 'correct horse', name: 'S', organization: 'S' },
    });
    assert.equal(answer.statusCode, 403);
    assert.match(answer.json().message, /INLAY_SIGN_UP/);
  } finally {
    await closed.close();
  }
});

test('an owner limits what an account runs at the same time; a number that is none is refused', async () => {
  const cookie = await signUp('limits@example.com');
  const body = { account_id: 'acme', name: 'Acme' };
  assert.equal((await call('POST', '/linked-accounts', { cookie, body })).statusCode, 200);
  const put = (url: string, body: unknown) => call('PUT', url, { cookie, body });
  assert.deepEqual((await call('GET', '/limits', { cookie })).json(), { running_per_account: null });
  await put('/limits', { running_per_account: 20 });
  await put('/linked-accounts/acme/limits', { running: 5 });
  assert.deepEqual((await call('GET', '/limits', { cookie })).json(), { running_per_account: 20 });
  assert.deepEqual((await call('GET', '/linked-accounts/acme/limits', { cookie })).json(), { running: 5 });
  const refused = await put('/limits', { running_per_account: 0 });
  assert.equal(refused.statusCode, 400);
  assert.match(refused.body, /running_per_account.*at least 1/);
  assert.equal((await put('/linked-accounts/nobody/limits', { running: 1 })).statusCode, 404);
  const other = await signUp('other-limits@example.com');
  assert.equal((await call('GET', '/linked-accounts/acme/limits', { cookie: other })).statusCode, 404);
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { deleteExpiredSessionTokens } from '#db/session-token';

let api: TestApi;
let now = new Date('2026-11-21T08:00:00.250Z');
before(async () => {
  api = await createTestApi({ clock: { now: () => now } });
  await api.addLinkedAccount('12345678');
});
after(() => api.close());

const key = () => ({ 'x-api-key': api.org.keys.test });

function post(url: string, headers: Record<string, string>, body?: unknown) {
  return api.app.inject({
    method: 'POST',
    url,
    headers: { ...headers, 'content-type': 'application/json' },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
}

const get = (url: string, headers: Record<string, string>) => api.app.inject({ method: 'GET', url, headers });

async function newToken(): Promise<string> {
  const url = '/api/v2/public/session-token?force_refresh=true';
  return (await post(url, key(), { linked_account_id: '12345678' })).json().token;
}

test("the quickstart's call creates a session token of 24 hours with the documented claims", async () => {
  const answer = await post('/api/v2/public/session-token', key(), { linked_account_id: '12345678' });
  assert.equal(answer.statusCode, 200, answer.body);
  const { token, expires_in, refresh_token, refresh_expires_in } = answer.json();
  assert.equal(expires_in, 86_399);
  assert.ok(refresh_token.length > 20 && refresh_expires_in > expires_in);
  const [head, claims] = token
    .split('.')
    .slice(0, 2)
    .map((part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  assert.equal(head.alg, 'HS256');
  assert.deepEqual(
    [claims.org_id, claims.linked_account_id, claims.environment, claims.exp - claims.iat],
    [api.org.orgId, '12345678', 'test', 86_400],
  );
  assert.match(claims.jti, /^[0-9a-f-]{36}$/);
});

test('a token is handed out again until half of its life is over, or a new one is asked for', async () => {
  await api.addLinkedAccount('reuse');
  const ask = async (query = '') =>
    (await post(`/api/v2/public/session-token${query}`, key(), { linked_account_id: 'reuse' })).json();
  const first = await ask();
  now = new Date(now.getTime() + 11 * 3_600_000);
  const reused = await ask();
  assert.equal(reused.token, first.token);
  assert.equal(reused.expires_in, 13 * 3600 - 1);
  now = new Date(now.getTime() + 2 * 3_600_000);
  const later = await ask();
  assert.notEqual(later.token, first.token);
  assert.notEqual((await ask('?force_refresh=true')).token, later.token);
});

test('tokens that nobody can use any more are forgotten, unless a hosted page still reads what stands with them', async () => {
  await api.addLinkedAccount('forgotten');
  const { pool } = api.database;
  const ask = { linked_account_id: 'forgotten' };
  for (let n = 0; n < 4; n += 1) await post('/api/v2/public/session-token?force_refresh=true', key(), ask);
  const of = `linked_account_id = (select id from linked_account where account_id = 'forgotten')`;
  const { rows } = await pool.query<{ jti: string }>(
    `select jti from session_token where ${of} order by jti`,
  );
  const [living, old, recent, read] = rows.map(({ jti }) => jti);
  const expire = (jti: string | undefined, ago: string, until: string | null = null) =>
    pool.query(
      `update session_token set expires_at = now() - $2::interval, hosted_properties_until = now() + $3::interval
       where jti = $1`,
      [jti, ago, until],
    );
  await expire(living, '-1 hour');
  await expire(old, '25 hours');
  await expire(recent, '23 hours');
  await expire(read, '25 hours', '1 day');
  await pool.query(
    `insert into connect_link (token_hash, org_id, environment, linked_account_id, session_jti, expires_at)
     select '\\x01', org_id, environment, linked_account_id, jti, now() from session_token where jti = $1`,
    [old],
  );
  await deleteExpiredSessionTokens(pool);
  const { rows: left } = await pool.query<{ jti: string }>(`select jti from session_token where ${of}`);
  assert.deepEqual(new Set(left.map(({ jti }) => jti)), new Set([living, recent, read]));
});

test('a revoked token dies at once, and revoking it again is refused', async () => {
  const bearer = { authorization: `Bearer ${await newToken()}` };
  const revoked = await post('/api/v2/public/session-token/revoke', bearer);
  assert.deepEqual(revoked.json(), { success: true, revoked_count: 1 });
  for (const answer of [
    await post('/api/v2/public/session-token/revoke', bearer),
    await get('/api/v3/org/basics', bearer),
  ]) {
    assert.equal(answer.statusCode, 401);
    assert.deepEqual([answer.json().error_code, answer.json().message], ['INVALID_TOKEN', 'Invalid token']);
  }
});

test('an expired, forged, unsigned or foreign token is refused', async () => {
  const token = await newToken();
  const [, claims, signature] = token.split('.');
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
  const hs512 = Buffer.from('{"alg":"HS512","typ":"JWT"}').toString('base64url');
  for (const forged of [
    `${none}.${claims}.`,
    `${hs512}.${claims}.${signature}`,
    `${token.slice(0, -4)}AAAA`,
    'not-a-token',
  ]) {
    const answer = await get('/api/v3/org/basics', { authorization: `Bearer ${forged}` });
    assert.equal(answer.statusCode, 401, forged);
  }
  const start = now;
  now = new Date(start.getTime() + 25 * 3_600_000);
  assert.equal((await get('/api/v3/org/basics', { authorization: `Bearer ${token}` })).statusCode, 401);
  now = start;
});

test('an unknown account gets no token and is not created', async () => {
  const answer = await post('/api/v2/public/session-token', key(), { linked_account_id: 'nobody' });
  assert.equal(answer.statusCode, 400);
  assert.equal(answer.json().message, 'No linked account found for account id : nobody in environment test');
  assert.equal((await get('/api/v2/public/linked-account/nobody', key())).statusCode, 404);
});

test("the quickstart's connect-url keeps the look and answers a link without the session token in it", async () => {
  const token = await newToken();
  const look = { color: '#000000', bgColor: '#00FF23', name: 'Jon Snow', extra: { kept: [1] } };
  const answer = await post('/api/v2/public/connect-url', { authorization: `Bearer ${token}` }, look);
  assert.match(answer.json().hosted_url, /^http:\/\/localhost:3000\/connect\/[\w-]{43}$/);
  const bearer = { authorization: `Bearer ${token}` };
  assert.deepEqual((await get('/api/v2/public/hosted-properties', bearer)).json(), look);
  const basics = (await get('/api/v3/org/basics', bearer)).json();
  assert.deepEqual(
    [basics.name, basics.linked_account_id, basics.branding.name],
    ['Test Company', '12345678', 'Jon Snow'],
  );
});

test('connect-url takes an API key with an account, in any of its places', async () => {
  const url = '/api/v2/public/connect-url';
  const attempts = [
    await post(`${url}?linked_account_id=12345678&config_id=my%20config`, key(), {}),
    await post(`${url}?config_id=my%20config`, { ...key(), linked_account_id: '12345678' }, {}),
    await post(`${url}?config_id=my%20config`, { ...key(), 'linked-account-id': '12345678' }, {}),
    await post(`${url}?config_id=my%20config`, key(), { linked_account_id: '12345678' }),
  ];
  for (const answer of attempts) {
    assert.equal(answer.statusCode, 200, answer.body);
    assert.match(answer.json().hosted_url, /\?config_id=my\+config$/);
  }
  const without = await post(url, key(), {});
  assert.equal(without.statusCode, 400);
  assert.equal(without.json().error_code, 'INVALID_LINKED_ACCOUNT_ID');
  const unknown = await post(`${url}?linked_account_id=nobody`, key(), {});
  assert.equal(unknown.statusCode, 404);
});

test('hosted properties are an empty object when none were given', async () => {
  const bearer = { authorization: `Bearer ${await newToken()}` };
  assert.deepEqual((await get('/api/v2/public/hosted-properties', bearer)).json(), {});
});

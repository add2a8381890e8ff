import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
let cookie = '';
before(async () => {
  api = await createTestApi({ config: { logRetention: { defaultDays: 30, maximumDays: 90 } } });
  cookie = await signUp('ada@example.com');
});
after(() => api.close());

async function signUp(email: string): Promise<string> {
  const answer = await call('POST', '/sign-up', {
    email,
    password: 'correct horse',
    name: 'A',
    organization: email,
  });
  return answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
}

async function call(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown, as = cookie) {
  const answer = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers: {
      ...(as !== '' && { cookie: as }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), cookies: answer.cookies };
}

test('an organisation chooses how long it keeps its logs, and goes back to the default', async () => {
  const byDefault = { days: 30, chosen_days: null, default_days: 30, maximum_days: 90 };
  assert.deepEqual((await call('GET', '/retention')).body, byDefault);
  const chosen = await call('PUT', '/retention', { days: 7 });
  assert.deepEqual([chosen.status, chosen.body.days, chosen.body.chosen_days], [200, 7, 7]);
  const stranger = await signUp('eve@example.com');
  assert.deepEqual((await call('GET', '/retention', undefined, stranger)).body, byDefault);
  assert.deepEqual((await call('GET', '/usage')).body.stored, {
    log_bytes: 0,
    log_days: 7,
    file_bytes: 0,
    table_records: 0,
  });
  assert.deepEqual((await call('PUT', '/retention', { days: null })).body, byDefault);
});

test('days out of bounds are refused by name, with the setting that bounds them', async () => {
  const wrong: [unknown, RegExp][] = [
    [{ days: 91 }, /days: is 91; .* at most 90 days \(INLAY_LOG_RETENTION_MAX_DAYS\)/],
    [{ days: 0 }, /days: is at least 1/],
    [{ days: 1.5 }, /days: is no whole number/],
    [{ days: '7' }, /days: is no whole number/],
    [{}, /days/],
  ];
  for (const [body, message] of wrong) {
    const answer = await call('PUT', '/retention', body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.match(answer.body.message, message);
  }
});

test('only owners and admins choose', async () => {
  const { pool } = api.database;
  await pool.query(`update organization_member set role = 'member'`);
  assert.equal((await call('PUT', '/retention', { days: 7 })).status, 403);
  assert.equal((await call('GET', '/retention')).status, 200);
  assert.equal((await call('GET', '/retention', undefined, '')).status, 401);
});

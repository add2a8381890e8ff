import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
let cookie: string;

before(async () => {
  api = await createTestApi();
  const answer = await call('POST', '/sign-up', {
    email: 'ada@example.com',
    password: 'correct horse',
    name: 'Ada',
    organization: 'Variables',
  });
  cookie = answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
});
after(() => api.close());

async function call(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  environment = 'test',
) {
  const answer = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers: {
      ...(cookie !== undefined && { cookie }),
      'x-inlay-environment': environment,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), cookies: answer.cookies, text: answer.body };
}

test('a variable is defined once, and has a value in each environment', async () => {
  const made = await call('POST', '/variables', { name: 'BASE_URL', scope: 'org', format: 'url' });
  assert.equal(made.status, 200, made.text);
  const { id } = made.body;
  const value = { value: 'https://test.example' };
  assert.equal((await call('PUT', `/variables/${id}/value`, value)).body.value, value.value);
  assert.equal((await call('GET', `/variables/${id}/values`, undefined, 'production')).body.totalDocs, 0);
  const [stored] = (await call('GET', `/variables/${id}/values`)).body.docs;
  assert.deepEqual([stored.value, stored.updated_by], [value.value, 'ada@example.com']);
  await call('DELETE', `/variable-values/${stored.id}`);
  assert.equal((await call('GET', `/variables/${id}/values`)).body.totalDocs, 0);
  await call('DELETE', `/variables/${id}`);
  assert.equal((await call('GET', `/variables/${id}/values`)).status, 404);
});

test('an encrypted value is not readable in the dashboard either', async () => {
  const { body } = await call('POST', '/variables', { name: 'KEY', scope: 'workspace', is_encrypted: true });
  const set = await call('PUT', `/variables/${body.id}/value`, { value: 'nobody-reads-this' });
  const list = await call('GET', `/variables/${body.id}/values`);
  for (const { text } of [set, list]) {
    assert.ok(text.includes('[REDACTED]') && !text.includes('nobody-reads-this'), text);
  }
});

test('a misspelt "is_encrypted" is refused by name, so no secret is stored in clear', async () => {
  const answer = await call('POST', '/variables', { name: 'SPELT', scope: 'org', encrypted: true });
  assert.deepEqual([answer.status, /encrypted/.test(answer.body.message)], [400, true], answer.text);
});

test('what a variable is stays as it was; only its description changes', async () => {
  const { body } = await call('POST', '/variables', { name: 'FIXED', scope: 'org' });
  const changed = await call('PATCH', `/variables/${body.id}`, { description: 'why it is' });
  assert.equal(changed.body.description, 'why it is');
  const scope = await call('PATCH', `/variables/${body.id}`, { description: 'x', scope: 'workflow' });
  assert.deepEqual([scope.status, /only the description/.test(scope.body.message)], [400, true], scope.text);
});

test('names that no template can spell, and names that are taken, are refused', async () => {
  for (const name of ['', '9LIVES', 'with space', 'a.b', '__proto__', 'x'.repeat(101)]) {
    const answer = await call('POST', '/variables', { name, scope: 'org' });
    assert.deepEqual([answer.status, /name/.test(answer.body.message)], [400, true], answer.text);
  }
  await call('POST', '/variables', { name: 'TAKEN', scope: 'org' });
  assert.equal((await call('POST', '/variables', { name: 'TAKEN', scope: 'org' })).status, 409);
  assert.equal((await call('POST', '/variables', { name: 'TAKEN', scope: 'workflow' })).status, 200);
});

test('who is not signed in, or has no role of power, changes nothing', async () => {
  const { body } = await call('POST', '/variables', { name: 'GUARDED', scope: 'org' });
  const { pool } = api.database;
  await pool.query(`update organization_member set role = 'member'`);
  const value = { value: 'x' };
  const refused = [
    await call('POST', '/variables', { name: 'NEW', scope: 'org' }),
    await call('PUT', `/variables/${body.id}/value`, value),
    await call('DELETE', `/variables/${body.id}`),
  ];
  assert.deepEqual(
    refused.map(({ status }) => status),
    [403, 403, 403],
  );
  await pool.query(`update organization_member set role = 'owner'`);
  const stranger = await api.app.inject({ method: 'GET', url: '/api/admin/variables' });
  assert.equal(stranger.statusCode, 401);
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
before(async () => {
  api = await createTestApi();
});
after(() => api.close());

test('an unknown route answers 404 as JSON with a trace id', async () => {
  const answer = await api.app.inject({ method: 'GET', url: '/api/v2/public/nothing' });
  assert.equal(answer.statusCode, 404);
  assert.equal(answer.json().request_id, answer.headers['x-trace-id']);
  assert.equal(answer.json().error_code, 'RESOURCE_NOT_FOUND');
});

test('a method that a path does not have answers 405 and nothing else', async () => {
  const answer = await api.app.inject({ method: 'DELETE', url: '/readyz' });
  assert.equal(answer.statusCode, 405);
  assert.equal(answer.json().message, 'DELETE is not allowed here. Use GET, HEAD.');
});

test('doubled and trailing slashes are the same path', async () => {
  const answer = await api.app.inject({ method: 'GET', url: '//readyz/' });
  assert.equal(answer.statusCode, 200, answer.body);
});

test('a path that is not percent-encoded answers 400 as JSON', async () => {
  const answer = await api.app.inject({ method: 'GET', url: '/api/%zz' });
  assert.equal(answer.statusCode, 400);
  assert.match(answer.json().message, /percent-encoded/);
});

test('a preflight is answered without a credential and names every context header', async () => {
  const answer = await api.app.inject({
    method: 'OPTIONS',
    url: '/api/v2/public/linked-account',
    headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
  });
  assert.equal(answer.statusCode, 204);
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  for (const name of ['authorization', 'linked_account_id', 'slug', 'config_id', 'sync_execution']) {
    assert.ok(String(answer.headers['access-control-allow-headers']).includes(name), name);
  }
});

test("the dashboard's own API allows no other origin", async () => {
  const answer = await api.app.inject({
    method: 'GET',
    url: '/api/admin/session',
    headers: { origin: 'https://evil.example' },
  });
  assert.equal(answer.headers['access-control-allow-origin'], undefined);
});

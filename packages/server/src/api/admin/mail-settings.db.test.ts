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
    organization: 'Ada & Co.',
  });
  cookie = answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
});
after(() => api.close());

function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: unknown, environment = 'test') {
  return api.app.inject({
    method,
    url: `/api/admin${url}`,
    headers: {
      'x-inlay-environment': environment,
      ...(cookie !== undefined && { cookie }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
}

const server = { host: 'mail.example.com', port: 587, username: 'u', default_from: 'Acme <a@example.com>' };

test('mail settings are written and read for one environment, and the password is never shown', async () => {
  assert.deepEqual((await call('GET', '/mail-settings')).json(), { settings: null });
  const written = await call('PUT', '/mail-settings', { ...server, password: 'hunter2' });
  assert.equal(written.statusCode, 200, written.body);
  const shown = { settings: { ...server, security: 'starttls', has_password: true } };
  assert.deepEqual(written.json(), shown);
  assert.deepEqual((await call('GET', '/mail-settings')).json(), shown);
  assert.deepEqual((await call('GET', '/mail-settings', undefined, 'production')).json(), { settings: null });
  assert.deepEqual((await call('DELETE', '/mail-settings')).json(), { removed: true });
});

test('a test message to a server inside the network is refused with the reason', async () => {
  await call('PUT', '/mail-settings', { ...server, host: '10.1.2.3' });
  const answer = await call('POST', '/mail-settings/test', { to: 'ann@example.com' });
  assert.equal(answer.statusCode, 400);
  assert.match(answer.json().message, /"10\.1\.2\.3:587" are refused: it is a private network/);
});

test('wrong mail settings are refused by the name of the field', async () => {
  const wrong: [object, RegExp][] = [
    [{ host: 'a b' }, /host: is not a host name/],
    [{ port: 0 }, /port/],
    [{ security: 'ssl' }, /security/],
    [{ default_from: 'a@example.com\r\nBcc: b@example.com' }, /default_from: is not an e-mail address/],
  ];
  for (const [change, text] of wrong) {
    const answer = await call('PUT', '/mail-settings', { ...server, ...change });
    assert.equal(answer.statusCode, 400);
    assert.match(answer.json().message, text);
  }
});

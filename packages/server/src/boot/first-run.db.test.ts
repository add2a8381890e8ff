import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { acmeClientId } from '#boot/acme-crm';
import { ensureFirstOrganization, openDemo } from '#boot/first-run';
import { saveAppSettings } from '#connections/index';
import { findAppSetting } from '#db/app-setting';
import type { Tenant } from '#domain/tenant';

let api: TestApi;
before(async () => {
  api = await createTestApi();
});
after(() => api.close());

test('programs that start at once on a new database make one organisation, whose owner and keys work', async () => {
  const found = await Promise.all(Array.from({ length: 4 }, () => ensureFirstOrganization(api.deps)));
  const [first] = found;
  assert.ok(first?.owner);
  assert.deepEqual(found, Array(4).fill(first));

  const signIn = await api.app.inject({
    method: 'POST',
    url: '/api/admin/sign-in',
    headers: { origin: api.deps.config.publicUrl },
    payload: first.owner,
  });
  assert.equal(signIn.statusCode, 200, signIn.body);

  for (const key of [first.keys.test, first.keys.production]) {
    const answer = await api.app.inject({
      method: 'GET',
      url: '/api/v2/public/linked-account',
      headers: { 'x-api-key': key },
    });
    assert.equal(answer.statusCode, 200, answer.body);
  }
});

test('a first password that its owner changed is not shown any more', async () => {
  const { owner } = await ensureFirstOrganization(api.deps);
  assert.ok(owner);
  const signIn = await api.app.inject({ method: 'POST', url: '/api/admin/sign-in', payload: owner });
  const cookie = signIn.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
  const changed = await api.app.inject({
    method: 'POST',
    url: '/api/admin/change-password',
    headers: { cookie },
    payload: { current_password: owner.password, new_password: 'a better password' },
  });
  assert.equal(changed.statusCode, 200, changed.body);
  assert.equal((await ensureFirstOrganization(api.deps)).owner, null);
});

test('the demo follows Acme CRM to another address, but leaves a client that somebody entered', async () => {
  const { orgId } = await ensureFirstOrganization(api.deps);
  const tenant: Tenant = { orgId, environment: 'test' };
  await openDemo(api.deps, { orgId, acmeUrl: 'http://localhost:4400' });
  const { linkedAccountId, portalUrl } = await openDemo(api.deps, {
    orgId,
    acmeUrl: 'http://localhost:5400',
  });
  assert.equal(linkedAccountId, 'demo-customer');
  assert.match(portalUrl, /^http:\/\/localhost:3000\/connect\/[\w-]{43}$/);
  const moved = await findAppSetting(api.deps.db, tenant, 'acme-crm');
  assert.deepEqual(
    [moved?.client_id, moved?.variables],
    [acmeClientId, { acme_base_url: 'http://localhost:5400' }],
  );

  await saveAppSettings(api.deps, tenant, 'acme-crm', { clientId: 'my-own', clientSecret: 'my-own-secret' });
  await openDemo(api.deps, { orgId, acmeUrl: 'http://localhost:6400' });
  const kept = await findAppSetting(api.deps.db, tenant, 'acme-crm');
  assert.deepEqual(
    [kept?.client_id, kept?.variables],
    ['my-own', { acme_base_url: 'http://localhost:5400' }],
  );
});

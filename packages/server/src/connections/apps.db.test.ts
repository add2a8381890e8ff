import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findApp, findCatalogueApp, listApps, listCatalogue, saveAppSettings } from '#connections/apps';
import { startOAuth } from '#connections/oauth-flow';
import { refuses, testAccount, testConnectionDeps } from '#connections/testing';
import { createTestDatabase, type TestDatabase } from '#db/testing';

let database: TestDatabase;
before(async () => {
  database = await createTestDatabase();
});
after(() => database.drop());

const ours = { gong: { clientId: 'operator-client', clientSecret: 'operator-secret' } };

test('the catalogue shows every app, enabled or not; an account sees the enabled ones of its environment', async (t) => {
  const deps = testConnectionDeps(t, database);
  const { tenant, linkedAccount } = await testAccount(deps, { slug: 'gong' });
  const catalogue = await listCatalogue(deps, tenant);
  assert.deepEqual(
    catalogue.map((app) => app.connector.name),
    catalogue.map((app) => app.connector.name).toSorted(),
  );
  assert.equal(catalogue.find((app) => app.connector.slug === 'gong')?.settings.isEnabled, true);
  assert.equal(catalogue.find((app) => app.connector.slug === 'acme-crm')?.settings.isEnabled, false);
  assert.deepEqual(
    (await listApps(deps, tenant, linkedAccount.id)).map((app) => app.connector.slug),
    ['gong'],
  );
  assert.deepEqual(await listApps(deps, { ...tenant, environment: 'production' }, linkedAccount.id), []);
});

test('settings show the exact callback URL and the locked scopes, and never the client secret', async (t) => {
  const deps = testConnectionDeps(t, database, {
    config: { publicUrl: 'https://inlay.example/', appCredentials: {} },
  });
  const { tenant } = await testAccount(deps, { slug: 'gong' });
  const { settings, authTypes } = await saveAppSettings(deps, tenant, 'gong', {
    clientId: ' pasted-id ',
    clientSecret: 'pasted-secret\n',
    credentialSource: 'own',
  });
  assert.equal(settings.callbackUrl, 'https://inlay.example/api/v1/gong/callback');
  assert.deepEqual(settings.requiredScopes, ['api:users:read']);
  assert.deepEqual([settings.clientId, settings.hasClientSecret], ['pasted-id', true]);
  assert.equal(JSON.stringify(settings).includes('pasted-secret'), false);
  assert.deepEqual(authTypes, ['oauth2', 'keybased']);
  // Saving something else keeps what was entered.
  const later = await saveAppSettings(deps, tenant, 'gong', { customScopes: ['api:new'] });
  assert.deepEqual([later.settings.clientId, later.settings.hasClientSecret], ['pasted-id', true]);
});

test('"our credentials" are the operator\'s, and greyed out where there are none', async (t) => {
  const without = testConnectionDeps(t, database);
  const { tenant, linkedAccount } = await testAccount(without, { slug: 'gong' });
  assert.equal((await findCatalogueApp(without, tenant, 'gong')).settings.hasOurCredentials, false);
  await assert.rejects(
    saveAppSettings(without, tenant, 'gong', { credentialSource: 'ours' }),
    refuses('invalid_request', /INLAY_APP_GONG_CLIENT_ID/),
  );
  const input = { tenant, linkedAccount, slug: 'gong', params: {} };
  await assert.rejects(startOAuth(without, input), refuses('app_not_configured', /Settings page/));
  // Keys need nothing of the SaaS company.
  assert.deepEqual((await findApp(without, tenant, linkedAccount.id, 'gong')).authTypes, ['keybased']);

  const withOurs = { ...without, config: { ...without.config, appCredentials: ours } };
  await saveAppSettings(withOurs, tenant, 'gong', { credentialSource: 'ours' });
  const { authUrl } = await startOAuth(withOurs, input);
  assert.equal(new URL(authUrl).searchParams.get('client_id'), 'operator-client');
  const fresh = await testAccount(withOurs, { slug: 'gong' });
  assert.equal((await findCatalogueApp(withOurs, fresh.tenant, 'gong')).settings.credentialSource, 'ours');
});

test("an operator's client is not lent where an organisation chooses the address of the token endpoint", async (t) => {
  const deps = testConnectionDeps(t, database, {
    config: {
      publicUrl: 'https://inlay.example',
      appCredentials: { 'acme-crm': { clientId: 'operator', clientSecret: 'the-operators-secret' } },
    },
  });
  const { tenant } = await testAccount(deps, { slug: 'gong' });
  await assert.rejects(
    saveAppSettings(deps, tenant, 'acme-crm', { credentialSource: 'ours' }),
    refuses('invalid_request', /address of your choice, so the client has to be your own/),
  );
  const { settings, authTypes } = await saveAppSettings(deps, tenant, 'acme-crm', {
    isEnabled: true,
    variables: { acme_base_url: 'https://attacker.example' },
  });
  assert.deepEqual([settings.credentialSource, settings.hasOurCredentials], ['own', false]);
  assert.equal(authTypes.includes('oauth2'), false);
});

test("optional scopes come from the app's list, custom ones must look like scopes", async (t) => {
  const deps = testConnectionDeps(t, database);
  const { tenant } = await testAccount(deps, { slug: 'gong' });
  await assert.rejects(
    saveAppSettings(deps, tenant, 'gong', { optionalScopes: ['api:everything'] }),
    refuses('invalid_request', /optionalScopes: "api:everything" is not one of the app's scopes/),
  );
  for (const scope of ['two words', '', 'quo"te', 'ümlaut']) {
    await assert.rejects(
      saveAppSettings(deps, tenant, 'gong', { customScopes: [scope] }),
      refuses('invalid_request', /customScopes/),
    );
  }
  const { settings } = await saveAppSettings(deps, tenant, 'gong', {
    optionalScopes: ['api:calls:read:basic'],
    customScopes: ['api:beta'],
  });
  assert.deepEqual(
    [settings.optionalScopes, settings.customScopes],
    [['api:calls:read:basic'], ['api:beta']],
  );
});

test('an app that this build does not have cannot be enabled', async (t) => {
  const deps = testConnectionDeps(t, database);
  const { tenant } = await testAccount(deps, { slug: 'gong' });
  await assert.rejects(
    saveAppSettings(deps, tenant, '../etc', { isEnabled: true }),
    refuses('app_not_found'),
  );
});

test("variables are checked by the connector's fields", async (t) => {
  const deps = testConnectionDeps(t, database);
  const { tenant } = await testAccount(deps, { slug: 'gong' });
  await assert.rejects(
    saveAppSettings(deps, tenant, 'acme-crm', { variables: { acme_base_url: 'not a url' } }),
    refuses('invalid_request', /acme_base_url/),
  );
});

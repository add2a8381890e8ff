import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  allow,
  api,
  callback,
  connect,
  formAction,
  refresh,
  runningCrm,
  tokenRequest,
} from './acme-fixture.ts';
import { type HttpBrowser, httpBrowser } from './http-browser.ts';
import { demoApiKey } from './seed.ts';
import type { AcmeCrm } from './server.ts';

async function signedIn(crm: AcmeCrm, email = 'ada@analytical.example'): Promise<HttpBrowser> {
  const browser = httpBrowser(callback);
  const page = await browser.post(`${crm.url}/sign-in`, { email, password: 'demo' });
  assert.match(page.text, /<h1>Contacts<\/h1>/);
  return browser;
}

test('a contact made by the API is on the page of its company, escaped, and of no other', async (t) => {
  const crm = await runningCrm(t);
  const body = { name: '<script>alert(1)</script>', email: 'x@y.example' };
  await api(crm, 'POST', '/contacts', { key: demoApiKey, body });
  const ada = await signedIn(crm);
  const page = await ada.get(`${crm.url}/app/contacts`);
  assert.match(page.text, /&lt;script&gt;alert\(1\)/);
  assert.doesNotMatch(page.text, /<script/);
  const grace = await signedIn(crm, 'grace@cobol.example');
  assert.doesNotMatch((await grace.get(`${crm.url}/app/contacts`)).text, /x@y\.example/);
});

test('pages ask a stranger to sign in and then go where they wanted, but never to another site', async (t) => {
  const crm = await runningCrm(t);
  const page = await httpBrowser(callback).get(`${crm.url}/developers`);
  assert.match(page.url, /\?return_to=%2Fdevelopers$/);
  assert.match(page.text, /name="return_to" value="\/developers"/);
  const evil = await httpBrowser(callback).get(`${crm.url}/?return_to=//evil.example`);
  assert.match(evil.text, /name="return_to" value="\/app\/contacts"/);
});

test('an app registered in the developer console can connect; deleted, it cannot', async (t) => {
  const crm = await runningCrm(t, { clients: [] });
  const browser = await signedIn(crm);
  const bad = await browser.post(`${crm.url}/developers/apps`, {
    name: 'My App',
    redirect_uris: 'not a url',
  });
  assert.equal(bad.status, 422);
  assert.match(bad.text, /Redirect URI: must be an absolute http or https URL/);
  const page = await browser.post(`${crm.url}/developers/apps`, [
    ['name', 'My App'],
    ['redirect_uris', callback],
    ['redirect_uris', ''],
    ['scopes', 'contacts:read'],
    ['scopes', 'users:read'],
  ]);
  const client_id = /id="client-id">([^<]+)</.exec(page.text)?.[1] ?? '';
  const client_secret = /id="client-secret">([^<]+)</.exec(page.text)?.[1] ?? '';
  const back = await allow(crm, { browser, params: { client_id } });
  const fields = {
    grant_type: 'authorization_code',
    code: back.searchParams.get('code') ?? '',
    redirect_uri: callback,
  };
  const client = { client_id, client_secret, name: '', redirect_uris: [] };
  const response = await tokenRequest(crm, fields, client);
  const tokens = (await response.json()) as { access_token: string; scope: string };
  // It asked for nothing in particular and got what it registered.
  assert.equal(tokens.scope, 'contacts:read users:read');

  const grace = await signedIn(crm, 'grace@cobol.example');
  assert.equal((await grace.get(`${crm.url}/developers/apps/${client_id}`)).status, 404);
  assert.equal((await grace.post(`${crm.url}/developers/apps/${client_id}/delete`)).status, 404);
  await browser.post(`${crm.url}/developers/apps/${client_id}/delete`);
  assert.equal((await api(crm, 'GET', '/contacts', { token: tokens.access_token })).status, 401);
});

test('an API key made in the settings works until it is deleted', async (t) => {
  const crm = await runningCrm(t);
  const browser = await signedIn(crm, 'grace@cobol.example');
  const page = await browser.post(`${crm.url}/app/settings/keys`, { name: 'Script' });
  const key = /id="new-key">([^<]+)</.exec(page.text)?.[1] ?? '';
  const list = (await (await api(crm, 'GET', '/contacts', { key })).json()) as { data: unknown[] };
  assert.equal(list.data.length, 2);
  const id = /keys\/(key_[^/]+)\/delete/.exec(page.text)?.[1];
  const after = await browser.post(`${crm.url}/app/settings/keys/${id}/delete`);
  assert.doesNotMatch(after.text, /Script/);
  assert.equal((await api(crm, 'GET', '/contacts', { key })).status, 401);
});

test('a person sees the apps they connected and ends the access of one', async (t) => {
  const crm = await runningCrm(t);
  const browser = await signedIn(crm);
  const tokens = await connect(crm, { browser });
  const page = await browser.get(`${crm.url}/app/settings`);
  assert.match(page.text, /aria-label="Disconnect Test App"/);
  const action = formAction(page, '/disconnect');
  const grace = await signedIn(crm, 'grace@cobol.example');
  await grace.post(action);
  assert.equal((await refresh(crm, tokens.refresh_token)).status, 200);

  const after = await browser.post(action);
  assert.match(after.text, /You have not connected any app/);
  assert.equal((await api(crm, 'GET', '/contacts', { token: tokens.access_token })).status, 401);
});

test('a form sent by another site is refused', async (t) => {
  const crm = await runningCrm(t);
  const response = await fetch(`${crm.url}/sign-in`, {
    method: 'POST',
    headers: { origin: 'https://evil.example' },
    body: new URLSearchParams({ email: 'ada@analytical.example', password: 'demo' }),
  });
  assert.equal(response.status, 403);
  assert.equal(response.headers.get('set-cookie'), null);
  // Under no-referrer a browser would send "Origin: null" with our own forms too.
  assert.equal(response.headers.get('referrer-policy'), 'same-origin');
});

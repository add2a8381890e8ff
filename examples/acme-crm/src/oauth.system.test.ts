import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  allow,
  api,
  authorizeUrl,
  callback,
  connect,
  formAction,
  newPkce,
  refresh,
  runningCrm,
  testClient,
  type Tokens,
  tokenRequest,
} from './acme-fixture.ts';
import { httpBrowser } from './http-browser.ts';
import { startAcmeCrm } from './server.ts';

const errorOf = async (response: Response) => ((await response.json()) as { error: string }).error;

test('a person signs in, allows the app, and its code with PKCE becomes tokens for their company', async (t) => {
  const crm = await runningCrm(t);
  const { verifier, challenge } = newPkce();
  const browser = httpBrowser(callback);
  const signIn = await browser.get(
    authorizeUrl(crm, {
      scope: 'contacts:read users:read offline_access',
      code_challenge: challenge,
      code_challenge_method: 'S256',
    }),
  );
  assert.match(signIn.text, /to connect <strong>Test App<\/strong>/);
  const wrong = await browser.post(formAction(signIn, '/sign-in'), {
    email: 'ada@analytical.example',
    password: 'x',
  });
  assert.equal(wrong.status, 401);
  assert.match(wrong.text, /Email or password is wrong/);

  const consent = await browser.post(formAction(wrong, '/sign-in'), {
    email: 'ada@analytical.example',
    password: 'demo',
  });
  assert.match(consent.text, /Test App wants to use your Acme CRM account/);
  assert.match(consent.text, /See your contacts/);
  assert.doesNotMatch(consent.text, /See your deals/);
  assert.match(consent.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  assert.doesNotMatch(consent.text, /<script/);

  const done = await browser.post(formAction(consent, '/allow'));
  const back = new URL(done.location ?? '');
  assert.equal(back.origin + back.pathname, callback);
  assert.equal(back.searchParams.get('state'), 's1');
  const code = back.searchParams.get('code') ?? '';

  const fields = { grant_type: 'authorization_code', code, redirect_uri: callback };
  const withoutVerifier = await tokenRequest(crm, { ...fields, code_verifier: newPkce().verifier });
  assert.equal(await errorOf(withoutVerifier), 'invalid_grant');
  const response = await tokenRequest(crm, { ...fields, code_verifier: verifier });
  const tokens = (await response.json()) as Tokens;
  assert.equal(response.status, 200, JSON.stringify(tokens));
  assert.equal(tokens.expires_in, 300);
  assert.equal(tokens.scope, 'contacts:read users:read offline_access');
  const me = await api(crm, 'GET', '/users/me', { token: tokens.access_token });
  assert.deepEqual(await me.json(), {
    id: 'usr_ada',
    email: 'ada@analytical.example',
    name: 'Ada Lovelace',
    company: { id: 'analytical-engines', name: 'Analytical Engines' },
  });
});

test('Deny sends access_denied with a description back to the app', async (t) => {
  const crm = await runningCrm(t);
  const browser = httpBrowser(callback);
  const signIn = await browser.get(authorizeUrl(crm));
  const consent = await browser.post(formAction(signIn, '/sign-in'), {
    email: 'grace@cobol.example',
    password: 'demo',
  });
  const done = await browser.post(formAction(consent, '/deny'));
  const back = new URL(done.location ?? '');
  assert.equal(back.searchParams.get('error'), 'access_denied');
  assert.equal(back.searchParams.get('error_description'), 'The user denied access.');
  assert.equal(back.searchParams.get('state'), 's1');
});

test('a signed-in person is not asked to sign in again, always to consent, and can change account', async (t) => {
  const crm = await runningCrm(t);
  const browser = httpBrowser(callback);
  await allow(crm, { browser });
  const consent = await browser.get(authorizeUrl(crm));
  assert.match(consent.text, /Signed in as <strong>ada@analytical.example/);
  const signIn = await browser.post(formAction(consent, '/switch'));
  const other = await browser.post(formAction(signIn, '/sign-in'), {
    email: 'grace@cobol.example',
    password: 'demo',
  });
  assert.match(other.text, /Signed in as <strong>grace@cobol.example/);
  const done = await browser.post(formAction(other, '/allow'));
  assert.ok(new URL(done.location ?? '').searchParams.get('code'));
});

test('another site cannot answer for a person: without the interaction cookie nothing happens', async (t) => {
  const crm = await runningCrm(t);
  const consent = await httpBrowser(callback).get(authorizeUrl(crm));
  const uid = /interaction\/([^/"]+)/.exec(consent.text)?.[1];
  const stranger = await httpBrowser(callback).post(`${crm.url}/interaction/${uid}/allow`);
  assert.equal(stranger.status, 400);
  assert.match(stranger.text, /This page has expired/);
});

test('a redirect URI that differs in one character is refused on a readable page', async (t) => {
  const crm = await runningCrm(t);
  const page = await httpBrowser(callback).get(authorizeUrl(crm, { redirect_uri: `${callback}/` }));
  assert.equal(page.status, 400);
  assert.match(page.text, /must match exactly/);
  const unknown = await httpBrowser(callback).get(authorizeUrl(crm, { client_id: 'nobody' }));
  assert.match(unknown.text, /client ID may be wrong/);
});

test('a scope the CRM does not have, or the app did not register, is invalid_scope', async (t) => {
  const narrow = { ...testClient, scopes: ['contacts:read'] as const };
  const crm = await runningCrm(t, { clients: [{ ...narrow, scopes: [...narrow.scopes] }] });
  for (const scope of ['contacts:read calls:read', 'contacts:read deals:read']) {
    const page = await httpBrowser(callback).get(authorizeUrl(crm, { scope }));
    assert.equal(new URL(page.location ?? '').searchParams.get('error'), 'invalid_scope', scope);
  }
});

test('an app registered with PKCE required is refused without it', async (t) => {
  const crm = await runningCrm(t, { clients: [{ ...testClient, require_pkce: true }] });
  const page = await httpBrowser(callback).get(authorizeUrl(crm));
  assert.equal(new URL(page.location ?? '').searchParams.get('error'), 'invalid_request');
});

test('a refresh rotates the token; using the old one again ends the whole grant', async (t) => {
  const crm = await runningCrm(t);
  const first = await connect(crm);
  const second = (await (await refresh(crm, first.refresh_token)).json()) as Tokens;
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal((await api(crm, 'GET', '/contacts', { token: second.access_token })).status, 200);

  const reuse = await refresh(crm, first.refresh_token);
  assert.equal(reuse.status, 400);
  assert.equal(await errorOf(reuse), 'invalid_grant');
  assert.equal(await errorOf(await refresh(crm, second.refresh_token)), 'invalid_grant');
  assert.equal((await api(crm, 'GET', '/contacts', { token: second.access_token })).status, 401);
  const { tokenRequests, tokenErrors } = crm.control.stats();
  assert.deepEqual(tokenRequests['refresh_token'], { succeeded: 1, failed: 2 });
  assert.deepEqual(tokenErrors, { invalid_grant: 2 });
});

test('of many concurrent uses of one refresh token at most one succeeds', async (t) => {
  const crm = await runningCrm(t);
  const { refresh_token } = await connect(crm);
  const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(crm, refresh_token)));
  const succeeded = answers.filter(({ status }) => status === 200);
  assert.equal(succeeded.length, 1);
  const tokens = (await succeeded[0]?.json()) as Tokens;
  assert.equal(await errorOf(await refresh(crm, tokens.refresh_token)), 'invalid_grant');
  assert.equal((await api(crm, 'GET', '/contacts', { token: tokens.access_token })).status, 401);
});

test('each authorization is a grant of its own: revoking one leaves the other', async (t) => {
  const crm = await runningCrm(t);
  const browser = httpBrowser(callback);
  const first = await connect(crm, { browser });
  const second = await connect(crm, { browser });
  const revoked = await fetch(`${crm.url}/oauth/revoke`, {
    method: 'POST',
    body: new URLSearchParams({
      token: first.refresh_token,
      client_id: testClient.client_id,
      client_secret: testClient.client_secret,
    }),
  });
  assert.equal(revoked.status, 200);
  assert.equal((await api(crm, 'GET', '/contacts', { token: first.access_token })).status, 401);
  assert.equal(await errorOf(await refresh(crm, first.refresh_token)), 'invalid_grant');
  assert.equal((await refresh(crm, second.refresh_token)).status, 200);
});

test('client credentials, sent in the body, give a token that acts for the company of the app', async (t) => {
  const crm = await runningCrm(t, { clients: [{ ...testClient, company_id: 'cobol-corp' }] });
  const response = await fetch(`${crm.url}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      scope: 'contacts:read users:read',
      client_id: testClient.client_id,
      client_secret: testClient.client_secret,
    }),
  });
  const { access_token: token } = (await response.json()) as Tokens;
  const list = (await (await api(crm, 'GET', '/contacts', { token })).json()) as { data: { name: string }[] };
  assert.deepEqual(
    list.data.map(({ name }) => name),
    ['Jean Bartik', 'Howard Aiken'],
  );
  assert.equal((await api(crm, 'GET', '/users/me', { token })).status, 403);
});

test('a wrong client secret is invalid_client', async (t) => {
  const crm = await runningCrm(t);
  const client = { ...testClient, client_secret: 'wrong-secret-123' };
  const response = await tokenRequest(crm, { grant_type: 'client_credentials' }, client);
  assert.equal(response.status, 401);
  assert.equal(await errorOf(response), 'invalid_client');
});

test('contacts, grants, tokens and sign-ins survive a restart', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'acme-'));
  t.after(() => rm(dataDir, { recursive: true }));
  const browser = httpBrowser(callback);
  const before = await startAcmeCrm({ dataDir, clients: [testClient] });
  const tokens = await connect(before, { browser }).finally(() => before.close());

  await assert.rejects(fetch(before.url), 'the first one has stopped');
  // The same address as before, and no clients given: they are in the store.
  const after = await runningCrm(t, { dataDir, clients: [], port: Number(new URL(before.url).port) });
  const list = (await (await api(after, 'GET', '/contacts', { token: tokens.access_token })).json()) as {
    data: unknown[];
  };
  assert.equal(list.data.length, 3);
  assert.equal((await refresh(after, tokens.refresh_token)).status, 200);
  assert.match((await browser.get(authorizeUrl(after))).text, /Signed in as <strong>ada@/);
});

test('ordered faults: a status for a while, a refusal for one user, an answer lost after the work', async (t) => {
  const crm = await runningCrm(t);
  const tokens = await connect(crm);
  crm.control.setFaults({ tokenEndpoint: { status: 503, times: 2 } });
  assert.equal((await refresh(crm, tokens.refresh_token)).status, 503);
  assert.equal((await refresh(crm, tokens.refresh_token)).status, 503);
  crm.control.setFaults({ tokenEndpoint: { error: 'invalid_grant', userId: 'usr_grace' } });
  const second = (await (await refresh(crm, tokens.refresh_token)).json()) as Tokens;
  crm.control.setFaults({ tokenEndpoint: { error: 'invalid_grant', userId: 'usr_ada' } });
  assert.equal(await errorOf(await refresh(crm, second.refresh_token)), 'invalid_grant');
  crm.control.setFaults({ tokenEndpoint: { dropResponse: true } });
  await assert.rejects(refresh(crm, second.refresh_token));
  // The work was done: the token is used up.
  assert.equal(await errorOf(await refresh(crm, second.refresh_token)), 'invalid_grant');
});

test('expired access tokens are refused and refreshed; revoked grants are gone', async (t) => {
  const crm = await runningCrm(t);
  const tokens = await connect(crm);
  assert.equal(crm.control.expireAccessTokens({ userId: 'usr_grace' }), 0);
  assert.equal(crm.control.expireAccessTokens({ userId: 'usr_ada' }), 1);
  const refused = await api(crm, 'GET', '/contacts', { token: tokens.access_token });
  assert.equal(refused.status, 401);
  assert.match(refused.headers.get('www-authenticate') ?? '', /error="invalid_token"/);
  const next = (await (await refresh(crm, tokens.refresh_token)).json()) as Tokens;
  assert.equal(crm.control.revokeGrants({ clientId: testClient.client_id }), 1);
  assert.equal((await api(crm, 'GET', '/contacts', { token: next.access_token })).status, 401);
  assert.equal(await errorOf(await refresh(crm, next.refresh_token)), 'invalid_grant');
});

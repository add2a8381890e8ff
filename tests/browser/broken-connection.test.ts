import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AcmeCrm, startAcmeCrm } from '@inlay/example-acme-crm';
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { type Console, signInToConsole } from '../console.ts';
import { type Answer, freePort, type RunningInlay, startInlay, until } from '../inlay.ts';
import { signInAtAcme } from './acme.ts';
import { openBrowser, watchForErrors } from './chromium.ts';

/**
 * A connection that breaks and is mended, on the real program: spec/connect J5. The tests are the steps of one
 * story, in order. The provider is an Acme CRM of this process, so that it can be told to misbehave.
 */
const account = 'demo-customer';
const ada = 'ada@analytical.example';
const grace = 'grace@cobol.example';
const contact = { name: 'Arya Stark', email: 'arya@winterfell.example' };

let inlay: RunningInlay;
let acme: AcmeCrm;
let admin: Console;
let browser: Browser;
/** The customer's browser, and its tab with the portal. */
let customer: BrowserContext;
let portal: Page;
let portalErrors: readonly string[];

before(async () => {
  const port = await freePort();
  [inlay, browser] = await Promise.all([
    startInlay({ isOnTestServer: true, env: { INLAY_EGRESS_ALLOW: `127.0.0.1:${port},[::1]:${port}` } }),
    openBrowser(),
  ]);
  const client = { id: 'inlay-broken-connection', secret: 'a-secret-of-this-test' };
  acme = await startAcmeCrm({
    port,
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        name: 'Winterfell Cloud',
        redirect_uris: [`${inlay.url}/api/v1/acme-crm/callback`],
      },
    ],
  });
  admin = await signInToConsole(inlay);
  const saved = await admin('PATCH', 'apps/acme-crm', {
    body: {
      credential_source: 'own',
      client_id: client.id,
      client_secret: client.secret,
      variables: { acme_base_url: acme.url },
    },
  });
  assert.equal(saved.status, 200, JSON.stringify(saved.body));
  customer = await browser.newContext({ reducedMotion: 'reduce' });
  portal = await customer.newPage();
  portal.setDefaultTimeout(15_000);
  portalErrors = watchForErrors(portal);
});
after(async () => {
  await browser?.close();
  await inlay?.stop();
  await acme?.close();
});

test('the customer connects by OAuth and switches the workflow on; an event makes a contact', async () => {
  await portal.goto(inlay.demo.portalUrl);
  await portal.getByRole('link', { name: /Acme CRM/ }).click();
  await authorize(portal, 'Connect', ada);
  await portal.getByText(`Connected as ${ada}`).waitFor();

  await portal.getByRole('switch').check();
  await portal.getByRole('combobox', { name: 'Status' }).click();
  await portal.getByRole('option', { name: 'Customer' }).click();
  await portal.getByRole('button', { name: 'Save', exact: true }).click();
  await portal.getByText('Saved', { exact: true }).first().waitFor();
  assert.equal((await runOfEvent(contact)).status, 'COMPLETED');
});

test('20 calls at once with an access token that has ended cause one refresh, and all succeed', async () => {
  acme.control.expireAccessTokens();
  acme.control.resetStats();
  const answers = await Promise.all(Array.from({ length: 20 }, listContacts));
  assert.deepEqual([...new Set(answers.map(outcome))], ['200 Success']);
  assert.deepEqual(acme.control.stats().tokenRequests, { refresh_token: { succeeded: 1, failed: 0 } });
});

test('a provider that cannot refresh just now leaves the connection active, and it works again by itself', async () => {
  acme.control.expireAccessTokens();
  acme.control.setFaults({ tokenEndpoint: { status: 503, times: 1_000 } });
  const answers = await Promise.all(Array.from({ length: 5 }, listContacts));
  for (const answer of answers) {
    assert.equal(answer.status, 502, JSON.stringify(answer.body));
    assert.match(answer.body.message, /did not renew the access token this time.*try again shortly/);
  }
  assert.deepEqual(await stateOf(), { connected: true, reauth_required: false, status: 'active' });
  const run = runOfEvent({ name: 'Bran Stark', email: 'bran@winterfell.example' });
  await until(async () => (await call('GET', 'public/execution')).body.docs[0]?.status === 'RUNNING');
  acme.control.clearFaults();
  assert.equal((await run).status, 'COMPLETED', 'the run waited for the provider');
  await until(async () => outcome(await listContacts()) === '200 Success', { timeoutMs: 20_000 });
  assert.deepEqual((await connectionLog()).toReversed(), ['created']);
});

let chosen: unknown;
test('access withdrawn at the provider: the run fails with the reason in words', async () => {
  chosen = choices(await readConfig());
  acme.control.revokeGrants();
  const run = await runOfEvent({ ...contact, email: 'nobody@winterfell.example' });
  assert.equal(run.status, 'ERRORED');
  assert.match(
    run.error.message,
    /The Acme CRM connection of linked account "demo-customer" needs to be authorized again/,
  );
});

test('however many calls follow, the log tells the expiry once, in the words of the provider', async () => {
  acme.control.resetStats();
  const answers = await Promise.all(Array.from({ length: 20 }, listContacts));
  for (const answer of answers) {
    assert.match(answer.body.message, /needs to be authorized again/);
    assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status));
  }
  assert.deepEqual(acme.control.stats().tokenRequests, {}, 'a dead grant is not tried again');
  assert.deepEqual((await connectionLog()).toReversed(), ['created', 'expired']);
  const { log } = await connections();
  assert.equal(log[0].detail.error, 'invalid_grant');
});

test('API, dashboard and portal all say expired', async () => {
  assert.deepEqual(await stateOf(), { connected: true, reauth_required: true, status: 'expired' });

  const desk = await browser.newContext();
  const page = await desk.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${inlay.url}/`);
  await page.getByLabel('Email').fill(inlay.owner.email);
  await page.getByLabel('Password').fill(inlay.owner.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Getting started' }).waitFor();
  await page.goto(`${inlay.url}/test/linked-accounts/${account}`);
  await page.getByText('The provider no longer accepts the refresh token').first().waitFor();
  await page.getByText('error: invalid_grant').waitFor();
  await desk.close();

  await portal.reload();
  await portal.getByText('The connection has expired').waitFor();
  await portal.getByRole('link', { name: 'All integrations' }).click();
  await portal.getByRole('link', { name: /Acme CRM.*Expired/s }).click();
});

test('the customer reconnects: connected again, nothing chosen is lost, and the next event succeeds', async () => {
  await authorize(portal, 'Reconnect', ada);
  await portal.getByText(`Connected as ${ada}`).waitFor();
  assert.equal(await portal.getByText('The connection has expired').count(), 0);
  assert.deepEqual(await stateOf(), { connected: true, reauth_required: false, status: 'active' });
  assert.deepEqual(choices(await readConfig()), chosen);
  assert.deepEqual((await connectionLog()).toReversed(), ['created', 'expired', 'reauthenticated']);
  const run = await runOfEvent({ name: 'Sansa Stark', email: 'sansa@winterfell.example' });
  assert.equal(run.status, 'COMPLETED', JSON.stringify(run.error));
});

test('reconnecting with another account of the provider is told, naming both', async () => {
  // Signed out at the provider. Cookies know no ports, so the portal's are in the same jar.
  await customer.clearCookies({ name: /^(?!inlay)/ });
  await authorize(portal, 'Reconnect', grace);
  await portal.getByText(`Connected as ${grace}`).waitFor();
  const told = portal.getByRole('status').filter({ hasText: 'Another Acme CRM account is connected now' });
  await told.waitFor();
  const text = await told.innerText();
  assert.ok(text.includes(ada) && text.includes(grace), text);
  assert.deepEqual((await connectionLog()).slice(0, 2).toSorted(), ['account_changed', 'reauthenticated']);
  assert.deepEqual(choices(await readConfig()), chosen);
});

test('the same is told when windows are blocked and it went on in the same tab', async () => {
  await customer.clearCookies({ name: /^(?!inlay)/ });
  await portal.addInitScript({ content: 'window.open = () => null;' });
  await portal.reload();
  await portal.getByRole('button', { name: 'Reconnect Acme CRM' }).first().click();
  await portal.getByRole('link', { name: 'Continue to Acme CRM' }).click();
  await signInAtAcme(portal, 'Allow', ada);
  await portal.waitForURL('**/connect/apps/acme-crm');
  const told = portal.getByRole('status').filter({ hasText: 'Another Acme CRM account is connected now' });
  await told.waitFor();
  assert.match(
    await told.innerText(),
    /It was grace@cobol\.example before, and is ada@analytical\.example now/,
  );
});

test('the portal printed no error', () => {
  assert.deepEqual(portalErrors, []);
});

/** Through the provider's window; it may or may not remember who signed in there before. */
async function authorize(page: Page, button: 'Connect' | 'Reconnect', email: string): Promise<void> {
  const name = button === 'Connect' ? /^Connect.*Sign in/ : 'Reconnect Acme CRM';
  const [provider] = await Promise.all([
    customer.waitForEvent('page'),
    page.getByRole('button', { name }).first().click(),
  ]);
  const closed = provider.waitForEvent('close');
  const allow = provider.getByRole('button', { name: 'Allow' });
  await provider.getByLabel('Email').or(allow).first().waitFor();
  if (await allow.isVisible()) await allow.click();
  else await signInAtAcme(provider, 'Allow', email);
  await closed;
}

function call(method: string, route: string, body?: unknown): Promise<Answer> {
  return inlay.call(method, `/api/v2/${route}`, { linkedAccountId: account, body });
}

function listContacts(): Promise<Answer> {
  return call('POST', 'integration-schema/acme-crm/actions/listContacts/execute', {});
}

const outcome = ({ status, body }: Answer) => `${status} ${body.node_status ?? body.message}`;

/** The two ways in which the API tells the state of the connection. */
async function stateOf(): Promise<unknown> {
  const { body } = await call('GET', 'public/application');
  const app = body.find(({ slug }: { slug: string }) => slug === 'acme-crm');
  assert.equal(app.connected_accounts.length, 1);
  const { connected, reauth_required } = app;
  return { connected, reauth_required, status: app.connected_accounts[0].status };
}

async function connections(): Promise<Answer['body']> {
  const { status, body } = await admin('GET', `linked-accounts/${account}/connections`);
  assert.equal(status, 200);
  return body;
}

/** What happened to the connection, newest first. */
async function connectionLog(): Promise<string[]> {
  const { log } = await connections();
  return log.map(({ event }: { event: string }) => event);
}

async function readConfig(): Promise<Answer['body']> {
  const { status, body } = await call('POST', 'public/config', { slug: 'acme-crm' });
  assert.equal(status, 200);
  return body;
}

function choices(config: Answer['body']): unknown {
  return config.workflows.map((workflow: Answer['body']) => ({
    enabled: workflow.enabled,
    values: workflow.fields.map((field: Answer['body']) => field.value),
  }));
}

/** Sends the event and waits for its run to end. */
async function runOfEvent(payload: object): Promise<Answer['body']> {
  const before = await call('GET', 'public/execution');
  const sent = await call('POST', 'public/event', { event: 'New Contact Created', payload });
  assert.equal(sent.status, 200, JSON.stringify(sent.body));
  const ended = await until(
    async () => {
      const { body } = await call('GET', 'public/execution');
      const [newest] = body.docs;
      return body.totalDocs > before.body.totalDocs && ['COMPLETED', 'ERRORED'].includes(newest.status)
        ? newest
        : undefined;
    },
    { timeoutMs: 30_000, what: 'the run of the event to end' },
  );
  return (await call('GET', `public/execution/${ended._id}`)).body;
}

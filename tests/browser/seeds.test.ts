import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { startInlay, until, type RunningInlay } from '../inlay.ts';
import { signInAtAcme } from './acme.ts';
import { openBrowser, watchForErrors } from './chromium.ts';

/**
 * The documents the product was born from, walked to the letter: by a developer of a new SaaS company in the
 * dashboard, by its backend over HTTP, and by its customer in the portal. The third-party app is Acme CRM.
 */
let inlay: RunningInlay;
let browser: Browser;
/** The developer's browser, signed in; it may read what was copied. */
let desk: BrowserContext;
let dashboard: Page;
let dashboardErrors: readonly string[];
/** The SaaS company's test key. */
let key: string;

before(async () => {
  [inlay, browser] = await Promise.all([startInlay({ isOnTestServer: true }), openBrowser()]);
  desk = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  dashboard = await desk.newPage();
  dashboard.setDefaultTimeout(15_000);
  dashboardErrors = watchForErrors(dashboard);
});

after(async () => {
  await browser?.close();
  await inlay?.stop();
});

const asCompany = (headers: Record<string, string> = {}) => ({ headers: { 'x-api-key': key, ...headers } });

async function openInDashboard(where: string, heading: string | RegExp): Promise<void> {
  await dashboard.goto(`${inlay.url}/test/${where}`);
  await dashboard.getByRole('heading', { level: 1, name: heading }).waitFor();
}

/** Saves the form; a disabled button alone would not tell a saved form from one that is being saved. */
async function save(page: Page): Promise<void> {
  const saved = page.waitForResponse((response) => response.request().method() === 'PATCH');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  const response = await saved;
  assert.equal(response.status(), 200, await response.text());
}

/** Copies by the button beside a value, and reads the clipboard. */
async function copied(what: string): Promise<string> {
  await dashboard.getByRole('button', { name: `Copy ${what}` }).click();
  await dashboard.getByRole('button', { name: `${what} copied` }).waitFor();
  return dashboard.evaluate<string>('navigator.clipboard.readText()');
}

describe('seed 000: from sign-up to the first event', () => {
  test('step 1: sign up, and find the API keys of both environments', async () => {
    await dashboard.goto(`${inlay.url}/sign-up`);
    await dashboard.getByLabel('Your name').fill('Ned Stark');
    await dashboard.getByLabel('Company').fill('Winterfell Cloud');
    await dashboard.getByLabel('Work email').fill('ned@winterfell.example');
    await dashboard.getByLabel('Password', { exact: true }).fill('winter is coming soon');
    await dashboard.getByRole('button', { name: /sign up|create/i }).click();
    await dashboard.getByRole('heading', { level: 1, name: 'Getting started' }).waitFor();

    await openInDashboard('your-app/setup', /Setup/);
    key = await copied('API key');
    assert.match(key, /^tk[0-9a-f-]{36}$/);
    await dashboard.goto(`${inlay.url}/production/your-app/setup`);
    await dashboard.getByRole('heading', { level: 1 }).waitFor();
    assert.match(await copied('API key'), /^pk[0-9a-f-]{36}$/);
  });

  test('step 2: enable Gong and Acme CRM, with own credentials from the provider', async () => {
    await openInDashboard('apps/gong', 'Gong');
    await dashboard.getByRole('button', { name: 'Go live' }).click();
    await dashboard.getByRole('button', { name: 'Disable' }).waitFor();

    await openInDashboard('apps/acme-crm', 'Acme CRM');
    await dashboard.getByRole('button', { name: 'Go live' }).click();
    await dashboard.getByRole('button', { name: 'Disable' }).waitFor();
    await openInDashboard('apps/acme-crm/settings', 'Acme CRM');
    const callback = await copied('Callback Url');
    assert.equal(callback, `${inlay.url}/api/v1/acme-crm/callback`);
    const client = await registerAtAcme('Winterfell Cloud', callback);

    await dashboard.getByLabel(/address/i).fill(inlay.acmeUrl);
    await dashboard.getByLabel('Use your own credentials').check();
    await dashboard.getByLabel('Client Id').fill(client.id);
    await dashboard.getByLabel('Client Secret', { exact: true }).fill(client.secret);
    const scopes = dashboard.getByLabel('Optional and custom scopes');
    for (const scope of ['contacts:read', 'contacts:write']) {
      await scopes.fill(scope);
      await scopes.press('Enter');
    }
    await save(dashboard);
    await dashboard.reload();
    assert.equal(await dashboard.getByLabel('Client Id').inputValue(), client.id);
    assert.ok(!(await dashboard.content()).includes(client.secret), 'the secret is masked');
  });

  test('step 3: create a linked account with the curl of the document', async () => {
    const made = await inlay.call('POST', '/api/v2/public/linked-account', {
      headers: { 'X-API-Key': key },
      body: { linked_account_id: 'Test2', name: 'Test account 2' },
    });
    assert.equal(made.status, 200);
    assert.equal(made.body.account_id, 'Test2');
    assert.equal(made.body.environment, 'test');
    await openInDashboard('linked-accounts', 'Linked accounts');
    await dashboard.getByText('Test account 2').waitFor();
  });

  let token: string;
  test("step 4: a session token; the document's own id was never created, and the answer says so", async () => {
    const unknown = await inlay.call('POST', '/api/v2/public/session-token', {
      ...asCompany(),
      body: { linked_account_id: '12345678' },
    });
    assert.equal(unknown.status, 400);
    assert.match(unknown.body.message, /12345678.*test/);
    const answer = await inlay.call('POST', '/api/v2/public/session-token', {
      ...asCompany(),
      body: { linked_account_id: 'Test2' },
    });
    assert.equal(answer.status, 200);
    assert.ok(answer.body.expires_in > 23 * 3600 && answer.body.expires_in <= 24 * 3600);
    token = answer.body.token;
  });

  let customer: BrowserContext;
  let portal: Page;
  let portalErrors: readonly string[];
  test('step 5: the hosted page shows the enabled apps in the colours given, and the customer connects', async () => {
    const { status, body } = await inlay.call('POST', '/api/v2/public/connect-url', {
      token,
      body: { color: '#000000', bgColor: '#00FF23', name: 'Jon Snow' },
    });
    assert.equal(status, 200);
    customer = await browser.newContext();
    portal = await customer.newPage();
    portal.setDefaultTimeout(15_000);
    portalErrors = watchForErrors(portal);
    await portal.goto(body.hosted_url);
    await portal.getByText('Signed in as Jon Snow').waitFor({ state: 'attached' });
    const apps = portal.getByRole('list', { name: 'Integrations' }).getByRole('link');
    await apps.first().waitFor();
    assert.deepEqual(
      (await apps.allInnerTexts()).map((text) => text.split('\n')[0]),
      ['Acme CRM', 'Gong'],
    );

    await portal.getByRole('link', { name: /Acme CRM/ }).click();
    const opened = customer.waitForEvent('page');
    await portal.getByRole('button', { name: /^Connect.*Sign in/ }).click();
    const provider = await opened;
    await provider.getByLabel('Email').waitFor();
    assert.match(await provider.content(), /Winterfell Cloud/, "the provider names the company's own client");
    await signInAtAcme(provider);
    await portal.getByText('Connected as ada@analytical.example').waitFor();
    await until(() => provider.isClosed(), { what: "the provider's window to close itself" });

    await openInDashboard('linked-accounts', 'Linked accounts');
    await dashboard.getByText('Test account 2').click();
    await dashboard.getByText('ada@analytical.example').first().waitFor();
    await dashboard.getByText('Active').first().waitFor();
  });

  test('step 6: create the event; what is no JSON object is refused with the place', async () => {
    await openInDashboard('your-app/events', 'Events');
    await dashboard.getByRole('button', { name: 'New Event' }).first().click();
    const dialog = dashboard.getByRole('dialog');
    await dialog.getByLabel('Name').fill('New Contact Created');
    await dialog.getByLabel('Sample data').fill('{"name": "", "email"}');
    await dialog.getByText(/line 1/i).waitFor();
    assert.ok(await dialog.getByRole('button', { name: 'Create Event' }).isDisabled());
    await dialog.getByLabel('Sample data').fill('{"name": "", "email": ""}');
    await dialog.getByRole('button', { name: 'Create Event' }).click();
    await dashboard.getByRole('heading', { level: 1, name: 'New Contact Created' }).waitFor();
  });

  test('a workflow from the event to the app, published', async () => {
    await openInDashboard('workflows/new', /New workflow/i);
    await dashboard.getByLabel('Event', { exact: true }).selectOption({ label: 'New Contact Created' });
    await dashboard.getByLabel('App', { exact: true }).selectOption({ label: 'Acme CRM' });
    await dashboard.getByLabel('Action', { exact: true }).selectOption({ label: 'Contact: Create Contact' });
    await dashboard.getByRole('textbox', { name: 'Name', exact: true }).fill('{{event.name}}');
    await dashboard.getByRole('textbox', { name: /^Email/ }).fill('{{event.email}}');
    await dashboard.getByLabel('Name of the workflow').fill('Contacts to Acme CRM');
    await dashboard.getByRole('button', { name: 'Create workflow' }).click();
    await dashboard.getByRole('heading', { level: 1, name: 'Contacts to Acme CRM' }).waitFor();
    await dashboard.getByRole('button', { name: 'Publish', exact: true }).click();
    await dashboard
      .getByText(/Published|Version 1/)
      .first()
      .waitFor();
  });

  test('a field to configure, the customer fills it in, switches the workflow on and saves', async () => {
    await openInDashboard('apps/acme-crm/fields', 'Acme CRM');
    await dashboard
      .getByRole('button', { name: /(add|new) field/i })
      .first()
      .click();
    const dialog = dashboard.getByRole('dialog');
    await dialog.getByLabel('Name').fill('Team');
    await dialog.getByRole('button', { name: 'Save field' }).click();
    await dashboard.getByText('Team', { exact: true }).waitFor();

    await portal.reload();
    await portal.getByLabel('Team').fill('Night’s Watch');
    await portal.getByRole('switch', { name: /Contacts to Acme CRM/ }).check();
    await portal.getByRole('button', { name: 'Save' }).click();
    await portal.getByText('Saved', { exact: false }).first().waitFor();
    await portal.reload();
    assert.equal(await portal.getByLabel('Team').inputValue(), 'Night’s Watch');
    assert.ok(await portal.getByRole('switch', { name: /Contacts to Acme CRM/ }).isChecked());
  });

  test('send the event: the contact exists in Acme CRM and the log shows every node', async () => {
    const sent = await inlay.call('POST', '/api/v2/public/event', {
      ...asCompany({ linked_account_id: 'Test2' }),
      body: {
        event: 'New Contact Created',
        payload: { name: 'Arya Stark', email: 'arya@winterfell.example' },
      },
    });
    assert.equal(sent.status, 200);
    assert.deepEqual(sent.body, { message: 'Webhook Fired Success' });
    const execution = await finishedExecution('Test2', 1);
    assert.equal(execution.status, 'COMPLETED');

    const whole = await inlay.call('GET', `/api/v2/public/execution/${execution._id}`, {
      ...asCompany({ linked_account_id: 'Test2' }),
    });
    assert.deepEqual(
      whole.body.nodes.map((node: { node_type: string; node_status: string }) => [
        node.node_type,
        node.node_status,
      ]),
      [
        ['start', 'Success'],
        ['app_action', 'Success'],
      ],
    );
    assert.match(JSON.stringify(whole.body.nodes[1].latest_output), /arya@winterfell\.example/);

    const crm = await customer.newPage();
    await crm.goto(`${inlay.acmeUrl}/app/contacts`);
    await crm.getByText('arya@winterfell.example').waitFor();
    await crm.close();

    await openInDashboard(`logs/executions/${execution._id}`, /Contacts to Acme CRM|Execution/);
    await dashboard.getByText('Completed').first().waitFor();
    for (const step of [/^Start/, /app_action/]) {
      await dashboard.getByRole('button', { name: step, expanded: false }).click();
    }
    const steps = dashboard.locator('.run-node');
    assert.equal(await steps.count(), 2);
    for (const part of ['Input', 'Output']) await steps.nth(1).getByText(part).first().waitFor();
    await steps.nth(1).getByText('arya@winterfell.example').first().waitFor();
  });

  test('with the workflow switched off nothing runs', async () => {
    const as = asCompany({ linked_account_id: 'Test2' });
    const { body: config } = await inlay.call('POST', '/api/v2/public/config', {
      ...as,
      body: { slug: 'acme-crm' },
    });
    const { body: updated } = await inlay.call('PUT', '/api/v2/public/config', {
      ...as,
      body: { slug: 'acme-crm', workflows: [{ id: config.workflows[0].id, enabled: false }] },
    });
    assert.equal(updated.workflows[0].enabled, false);
    const quiet = await inlay.call('POST', '/api/v2/public/event', {
      ...as,
      body: { event: 'New Contact Created', payload: { name: 'Bran', email: 'bran@winterfell.example' } },
    });
    assert.equal(quiet.status, 200);
    const { body: list } = await inlay.call('GET', '/api/v2/public/execution', as);
    assert.equal(list.totalDocs, 1);
  });

  test('for an account that never connected, the run fails in words', async () => {
    const as = asCompany({ linked_account_id: 'Test3' });
    await inlay.call('POST', '/api/v2/public/linked-account', {
      ...asCompany(),
      body: { linked_account_id: 'Test3' },
    });
    const { body: workflows } = await inlay.call('GET', '/api/v2/public/workflow', asCompany());
    const started = await inlay.call('POST', `/api/v2/public/workflow/${workflows.docs[0]._id}/execute`, {
      ...as,
      headers: { ...as.headers, slug: 'acme-crm' },
      body: { name: 'Bran Stark', email: 'bran@winterfell.example' },
    });
    assert.equal(started.status, 200);
    const failed = await finishedExecution('Test3', 1);
    assert.equal(failed.status, 'ERRORED');
    const { body } = await inlay.call('GET', `/api/v2/public/execution/${failed._id}`, as);
    assert.match(
      body.nodes[1].latest_output.message ?? JSON.stringify(body.nodes[1]),
      /not connected to Acme CRM/,
    );
  });

  test('neither page printed an error', () => {
    assert.deepEqual(dashboardErrors, []);
    assert.deepEqual(portalErrors, []);
  });
});

describe('seed 001: a flow of one’s own', () => {
  test('create with e-mail and metadata, list the apps, configure, manage, disconnect', async () => {
    const made = await inlay.call('POST', '/api/v2/public/linked-account', {
      ...asCompany(),
      body: {
        linked_account_id: 'account:12345',
        name: 'Customer Name',
        email: 'customer@email.com',
        metadata: { plan: 'pro' },
      },
    });
    assert.equal(made.status, 200);
    const as = asCompany({ linked_account_id: 'account:12345' });

    const { body: apps } = await inlay.call('GET', '/api/v2/public/application', as);
    const acme = apps.find((app: { slug: string }) => app.slug === 'acme-crm');
    for (const part of ['name', 'icon', 'description']) assert.equal(typeof acme[part], 'string');
    assert.notEqual(acme.connected, true);
    assert.equal((await fetch(acme.icon)).headers.get('content-type'), 'image/svg+xml');

    const { body: session } = await inlay.call('POST', '/api/v2/public/session-token', {
      ...asCompany(),
      body: { linked_account_id: 'account:12345' },
    });
    const { body: start } = await inlay.call('GET', '/api/v1/acme-crm/integrate?', { token: session.token });
    const customer = await browser.newContext();
    const page = await customer.newPage();
    await page.goto(start.auth_url);
    await signInAtAcme(page);
    await page
      .getByText(/connected/i)
      .first()
      .waitFor();
    await customer.close();

    const config = await inlay.call('POST', '/api/v2/public/config', { ...as, body: { slug: 'acme-crm' } });
    assert.equal(config.body.config_id, 'account:12345');
    const [field] = config.body.fields;
    const updated = await inlay.call('PUT', '/api/v2/public/config', {
      ...as,
      body: { slug: 'acme-crm', fields: { [field.id]: 'Rangers' } },
    });
    assert.equal(updated.body.fields[0].value, 'Rangers');

    const { body: account } = await inlay.call(
      'GET',
      '/api/v2/public/linked-account/account:12345',
      asCompany(),
    );
    assert.equal(account.integrations[0].type, 'acme-crm');
    assert.ok(!/"(access|refresh)_token":/.test(JSON.stringify(account)), 'credentials are never shown');

    const gone = await inlay.call('DELETE', '/api/v2/public/linked-account/integration/acme-crm', as);
    assert.equal(gone.status, 200);
    const { body: after } = await inlay.call('GET', '/api/v2/public/application/acme-crm', as);
    assert.notEqual(after.connected, true);
  });
});

describe('seed 004: Gong with an OAuth app of one’s own', () => {
  test('callback url, credentials and scopes end up in the authorization request, byte for byte', async () => {
    await openInDashboard('apps', 'Apps');
    await dashboard
      .getByRole('searchbox')
      .or(dashboard.getByPlaceholder(/search/i))
      .first()
      .fill('Gong');
    await dashboard.getByRole('link', { name: /Gong/ }).first().click();
    await dashboard.getByRole('heading', { level: 1, name: 'Gong' }).waitFor();
    await dashboard.getByRole('link', { name: 'Settings', exact: true }).click();
    await dashboard.getByLabel('Use your own credentials').check();
    const callback = await copied('Callback Url');
    await dashboard.getByLabel('Client Id').fill('gong-client');
    await dashboard.getByLabel('Client Secret', { exact: true }).fill('gong-secret');

    const mandatory = dashboard.getByRole('region', { name: 'Mandatory scopes' });
    await mandatory.getByText('api:users:read', { exact: true }).waitFor();
    assert.equal(await mandatory.getByRole('button').count(), 0, 'a mandatory scope cannot be removed');
    const scopes = dashboard.getByLabel('Optional and custom scopes');
    for (const scope of ['api:calls:read:basic', 'api:library:read', 'api:winterfell:custom']) {
      await scopes.fill(scope);
      await scopes.press('Enter');
    }
    await dashboard.getByRole('button', { name: 'Remove api:library:read' }).click();
    await save(dashboard);

    const { body } = await inlay.call(
      'GET',
      '/api/v2/public/linked-account/integration/oauth-url/gong',
      asCompany({ linked_account_id: 'Test2' }),
    );
    assert.ok(body.auth_url, JSON.stringify(body));
    const request = new URL(body.auth_url);
    assert.equal(request.origin + request.pathname, 'https://app.gong.io/oauth2/authorize');
    assert.equal(request.searchParams.get('redirect_uri'), callback);
    assert.equal(request.searchParams.get('client_id'), 'gong-client');
    assert.deepEqual(request.searchParams.get('scope')?.split(' ').toSorted(), [
      'api:calls:read:basic',
      'api:users:read',
      'api:winterfell:custom',
    ]);
    assert.equal(request.searchParams.get('code_challenge'), null, 'Gong takes no PKCE');
  });

  test('key-based and OAuth are both offered, and its actions and triggers are listed', async () => {
    const { body: app } = await inlay.call(
      'GET',
      '/api/v2/public/application/gong',
      asCompany({ linked_account_id: 'Test2' }),
    );
    assert.deepEqual(Object.keys(app.auth_type_options).toSorted(), ['keybased', 'oauth2']);
    await openInDashboard('apps/gong', 'Gong');
    for (const name of ['List Calls', 'Create Meeting', 'Search User', 'Incremental Sync']) {
      await dashboard.getByRole('listitem').filter({ hasText: name }).first().waitFor();
    }
  });

  test('the provider’s refusal reaches the customer in words, with the scopes to compare', async () => {
    const { body } = await inlay.call(
      'GET',
      '/api/v2/public/linked-account/integration/oauth-url/gong',
      asCompany({ linked_account_id: 'Test2' }),
    );
    const state = new URL(body.auth_url).searchParams.get('state');
    const context = await browser.newContext();
    const page = await context.newPage();
    const refusal = new URLSearchParams({
      error: 'invalid_scope',
      error_description: 'The scope api:winterfell:custom is not allowed',
      state: state ?? '',
    });
    await page.goto(`${inlay.url}/api/v1/gong/callback?${refusal.toString()}`);
    await page.getByText('The scope api:winterfell:custom is not allowed').waitFor();
    await page.locator('summary').first().click();
    await page.getByText('api:users:read').first().waitFor();
    await context.close();
  });
});

/** What the developer of the SaaS company does in the provider's developer console. */
async function registerAtAcme(name: string, callback: string): Promise<{ id: string; secret: string }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${inlay.acmeUrl}/developers`);
  await page.getByLabel('Email').fill('grace@cobol.example');
  await page.getByLabel('Password', { exact: true }).fill('demo');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'Create an app' }).click();
  await page.getByLabel('App name').fill(name);
  await page.getByLabel('Redirect URI', { exact: true }).fill(callback);
  for (const box of await page.getByRole('checkbox').all()) await box.check();
  await page.getByRole('button', { name: 'Create app' }).click();
  const id = await page.locator('#client-id').innerText();
  const secret = await page.locator('#client-secret').innerText();
  await context.close();
  return { id, secret };
}

async function finishedExecution(account: string, total: number): Promise<{ _id: string; status: string }> {
  return until(
    async () => {
      const { body } = await inlay.call(
        'GET',
        '/api/v2/public/execution',
        asCompany({ linked_account_id: account }),
      );
      const [newest] = body.docs;
      return body.totalDocs === total && !['RUNNING', 'QUEUED'].includes(newest.status) ? newest : undefined;
    },
    { timeoutMs: 15_000, what: `execution ${total} of ${account} to finish` },
  );
}

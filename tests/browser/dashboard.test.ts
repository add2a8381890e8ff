import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { assertAccessible } from './accessibility.ts';
import { openBrowser, watchForErrors } from './chromium.ts';
import { type RunningInlay, startInlay, until } from '../inlay.ts';

let inlay: RunningInlay;
let browser: Browser;

before(async () => {
  [inlay, browser] = await Promise.all([startInlay({ isOnTestServer: true }), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await inlay?.stop();
});

interface Opened {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Console errors, exceptions and violations of the content policy so far. */
  readonly errors: readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
}

interface View {
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
}

async function openPage(path: string, { scheme = 'light', width = 1440 }: View = {}): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: scheme,
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const errors = watchForErrors(page);
  await page.goto(inlay.url + path);
  return { context, page, errors, [Symbol.asyncDispose]: () => context.close() };
}

async function fillSignIn(page: Page, password: string): Promise<void> {
  await page.getByLabel('Email').fill(inlay.owner.email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** A fresh browser profile, signed in as the owner, on a page of the test environment. */
async function openSignedIn(path: string, view: View = {}): Promise<Opened> {
  const opened = await openPage(path, view);
  await fillSignIn(opened.page, inlay.owner.password);
  await opened.page
    .getByRole('navigation', { name: 'Main' })
    .or(opened.page.getByRole('banner'))
    .first()
    .waitFor();
  await opened.page.locator('h1').waitFor();
  return opened;
}

const clipboard = (page: Page) => page.evaluate<string>('navigator.clipboard.readText()');
const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 1, name });

describe('signing in', () => {
  test('a wrong password is refused in words and the page stays usable', async () => {
    await using opened = await openPage('/');
    const { page } = opened;
    await heading(page, 'Sign in').waitFor();
    await fillSignIn(page, 'not the password');
    await page
      .getByRole('alert')
      .getByText(/password/i)
      .waitFor();
    await page.getByLabel('Password').fill(inlay.owner.password);
    await page.keyboard.press('Enter');
    await heading(page, 'Getting started').waitFor();
  });

  test('a deep link survives signing in, and signing out closes it', async () => {
    await using opened = await openPage('/test/apps/gong/settings');
    const { page, errors } = opened;
    await heading(page, 'Sign in').waitFor();
    await fillSignIn(page, inlay.owner.password);
    await heading(page, 'Gong').waitFor();
    await page.getByRole('button', { name: /owner@/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await heading(page, 'Sign in').waitFor();
    await page.goto(`${inlay.url}/test/apps`);
    await heading(page, 'Sign in').waitFor();
    assert.deepEqual(errors, []);
  });

  test('signing in never leads to another site', async () => {
    for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example']) {
      await using opened = await openPage(`/sign-in?next=${encodeURIComponent(next)}`);
      await fillSignIn(opened.page, inlay.owner.password);
      await heading(opened.page, 'Getting started').waitFor();
      assert.equal(new URL(opened.page.url()).origin, inlay.url);
    }
  });

  test('somebody new makes an organisation and finds its two keys', async () => {
    await using opened = await openPage('/sign-up');
    const { page, errors } = opened;
    await page.getByLabel('Your name').fill('Arya Stark');
    await page.getByLabel('Company').fill('Braavos Shipping');
    await page.getByLabel('Work email').fill('arya@braavos.example');
    await page.getByLabel('Password').fill('valar morghulis');
    await page.getByRole('button', { name: 'Create organisation' }).click();
    await heading(page, 'Getting started').waitFor();
    await page.getByText('Test environment').waitFor();
    // What is shown is masked; what is copied works in a terminal.
    await page.getByRole('button', { name: /Create a linked account/ }).click();
    await page.getByText(/X-API-Key: tk\w+…/).waitFor();
    await page.getByRole('button', { name: 'Copy command' }).click();
    await until(async () => /X-API-Key: tk[0-9a-f-]{36}'/.test(await clipboard(page)), { timeoutMs: 5000 });
    await page.getByRole('link', { name: 'Setup' }).click();
    await page.getByRole('button', { name: 'Show API key' }).click();
    await page.getByText(/^tk[0-9a-f-]{36}$/).waitFor();
    await page.getByRole('radiogroup', { name: 'Environment' }).getByText('Production').click();
    await page.getByText('Production environment').waitFor();
    await page.getByRole('link', { name: 'Setup' }).click();
    await page.getByRole('button', { name: 'Copy API key' }).click();
    await until(async () => /^pk[0-9a-f-]{36}$/.test(await clipboard(page)), { timeoutMs: 5000 });
    await page.getByRole('link', { name: 'Your account' }).click();
    await page.getByLabel('Current password').fill('not it at all');
    await page.getByLabel('New password').fill('a man has no name');
    await page.getByRole('button', { name: 'Change password' }).click();
    await page.getByText('Is wrong.').waitFor();
    await page.getByLabel('Current password').fill('valar morghulis');
    await page.getByRole('button', { name: 'Change password' }).click();
    await page.getByText('Password changed').waitFor();
    // The browser itself notes the refused attempt.
    assert.deepEqual(
      errors.filter((error) => !/status of 400/.test(error)),
      [],
    );
  });
});

describe('the Gong guide', () => {
  test('search, credentials, callback URL and scopes lead to the authorize request that the guide promises', async () => {
    await using opened = await openSignedIn('/test/apps');
    const { page, errors } = opened;
    await page.keyboard.press('/');
    await page.keyboard.type('gong');
    await page.getByRole('link', { name: /Gong/ }).click();
    await page.getByText('OAuth 2.0, API key').waitFor();
    await page.getByRole('button', { name: 'Go live' }).click();
    await page.getByRole('button', { name: 'Disable' }).waitFor();
    await page.getByRole('link', { name: 'Settings', exact: true }).click();

    assert.equal(await page.getByLabel('Use our credentials').isDisabled(), true);
    assert.equal(await page.getByRole('button', { name: 'Save' }).isDisabled(), true);
    await page.getByLabel('Client Id').fill('gong-client');
    await page
      .getByLabel(/^Client Secret/)
      .locator('visible=true')
      .and(page.locator('input'))
      .fill('gong-secret');

    const mandatory = page.getByRole('region', { name: 'Mandatory scopes' });
    await mandatory.getByText('api:users:read').waitFor();
    assert.equal(await mandatory.getByRole('button').count(), 0);
    const scopes = page.getByLabel('Optional and custom scopes');
    await scopes.fill('api:calls:read:basic');
    await page.getByRole('option', { name: /api:calls:read:basic/ }).click();
    await scopes.fill('api:made-up');
    await scopes.press('Enter');
    await scopes.fill('api:second');
    await scopes.press('Enter');
    await page.getByRole('button', { name: 'Remove api:second' }).click();
    await page.getByRole('button', { name: 'Copy Callback Url' }).click();
    const callback = await until(() => clipboard(page), { timeoutMs: 5000 });
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Settings saved').waitFor();

    await page.reload();
    assert.equal(await page.getByLabel('Client Id').inputValue(), 'gong-client');
    assert.equal(await page.getByText('gong-secret').count(), 0);
    await page.getByRole('button', { name: 'Show Client Secret' }).click();
    await page.getByText('gong-secret').waitFor();

    const session = await inlay.call('POST', '/api/v2/public/session-token', {
      body: { linked_account_id: inlay.demo.linkedAccountId },
    });
    const { body } = await inlay.call('GET', '/api/v1/gong/integrate', { token: session.body.token });
    const authorize = new URL(body.auth_url);
    assert.equal(authorize.searchParams.get('redirect_uri'), callback);
    assert.equal(authorize.searchParams.get('client_id'), 'gong-client');
    assert.deepEqual(authorize.searchParams.get('scope')?.split(' ').toSorted(), [
      'api:calls:read:basic',
      'api:made-up',
      'api:users:read',
    ]);
    assert.deepEqual(errors, []);
  });

  test('leaving with unsaved changes asks first, and staying keeps them', async () => {
    await using opened = await openSignedIn('/test/apps/acme-crm/settings');
    const { page } = opened;
    await page.getByLabel('Client Id').fill('something else');
    await page.getByRole('link', { name: 'Linked accounts' }).click();
    await page.getByRole('dialog', { name: 'Leave without saving?' }).waitFor();
    await page.getByRole('button', { name: 'Stay' }).click();
    assert.equal(await page.getByLabel('Client Id').inputValue(), 'something else');
    await page.getByRole('link', { name: 'Linked accounts' }).click();
    await page.getByRole('button', { name: 'Leave' }).click();
    await heading(page, 'Linked accounts').waitFor();
  });
});

describe('the quickstart', () => {
  test('an account, an event, a workflow by form, a customer who connects: and the execution shows every step', async () => {
    await using opened = await openSignedIn('/test/linked-accounts');
    const { page, errors } = opened;
    await page.getByRole('button', { name: 'Add account' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('ID').fill('jon@winterfell.example');
    await dialog.getByLabel('Name').fill('Jon Snow');
    await dialog.getByRole('button', { name: 'Add account' }).click();
    await heading(page, 'Jon Snow').waitFor();
    // The id looks like a file's name; the address must still lead here.
    await page.reload();
    await heading(page, 'Jon Snow').waitFor();
    await page.getByText('Nothing is connected yet').waitFor();

    await page.getByRole('link', { name: 'Events' }).click();
    await page.getByRole('button', { name: 'New Event' }).first().click();
    await dialog.getByLabel('Name').fill('Raven Sent');
    await dialog.getByLabel('Sample data').fill('{\n  "name": "Jon",\n  "email": oops\n}');
    await dialog.getByText(/Line 3, column 12/).waitFor();
    assert.equal(await dialog.getByRole('button', { name: 'Create Event' }).isDisabled(), true);
    await dialog.getByLabel('Sample data').fill('{"name": "Jon Snow", "email": "jon@winterfell.example"}');
    await dialog.getByRole('button', { name: 'Create Event' }).click();
    await heading(page, 'Raven Sent').waitFor();

    await page.getByRole('link', { name: 'New workflow with this event' }).click();
    await page.getByLabel('App', { exact: true }).selectOption('acme-crm');
    await page.getByLabel('Action').selectOption('createContact');
    assert.equal(await page.getByRole('textbox', { name: 'Email' }).inputValue(), '{{event.email}}');
    await page.getByRole('button', { name: 'Create workflow' }).click();
    await heading(page, 'Raven Sent: Create Contact in Acme CRM').waitFor();
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.getByText('Published, version 1').waitFor();
    const workflowId = new URL(page.url()).pathname.split('/').at(-1);

    // The customer's part, by the wire: connect, and switch the workflow on.
    const account = { linked_account_id: 'jon@winterfell.example' };
    const { token } = (await inlay.call('POST', '/api/v2/public/session-token', { body: account })).body;
    const connected = await inlay.call('POST', '/api/v2/app/acme-crm/save', {
      token,
      body: { apiKey: 'acme_key_demo_ada' },
    });
    assert.equal(connected.status, 200, JSON.stringify(connected.body));
    const config = (await inlay.call('POST', '/api/v2/f-sdk/config', { token, body: { slug: 'acme-crm' } }))
      .body;
    await inlay.call('PUT', '/api/v2/f-sdk/config', {
      token,
      body: {
        slug: 'acme-crm',
        config_id: config.config_id,
        fields: {},
        workflows: [{ id: workflowId, enabled: true, fields: {} }],
      },
    });

    await page.getByRole('link', { name: 'Events' }).click();
    await page.getByRole('link', { name: 'Raven Sent' }).click();
    await page.getByLabel('Linked account').selectOption('jon@winterfell.example');
    await page.getByRole('button', { name: 'Send test event' }).click();
    await page.getByText('One workflow started').waitFor();
    await page.getByRole('link', { name: 'See the executions' }).click();
    await page.getByRole('row', { name: /Raven Sent.*Completed/ }).waitFor();
    await page.getByLabel('Status').selectOption('COMPLETED');
    await until(() => page.url().includes('status=COMPLETED'));
    await page.getByRole('link', { name: 'Raven Sent: Create Contact in Acme CRM' }).first().click();
    await page.getByRole('button', { name: /Create Contact app_action/ }).click();
    await page.getByRole('group', { name: 'Output' }).getByText('"jon@winterfell.example"').first().waitFor();

    await page.getByRole('link', { name: 'Linked accounts' }).click();
    await page.getByRole('link', { name: 'Jon Snow' }).click();
    await page.getByText('Active').waitFor();
    await page.getByRole('button', { name: 'Get hosted URL' }).click();
    await dialog.getByRole('button', { name: 'Generate' }).click();
    await dialog.getByText(/\/connect\/[\w-]{43}$/).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();

    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByRole('button', { name: 'Delete account' }).click();
    await heading(page, 'Linked accounts').waitFor();
    assert.equal(await page.getByRole('link', { name: 'Jon Snow' }).count(), 0);
    assert.deepEqual(errors, []);
  });
});

const pages = [
  '/test',
  '/test/apps',
  '/test/apps/acme-crm',
  '/test/apps/gong/settings',
  '/test/apps/gong/fields',
  '/test/apps/acme-crm/workflows',
  '/test/linked-accounts',
  '/test/linked-accounts/demo-customer',
  '/test/your-app/setup',
  '/test/your-app/events',
  '/test/workflows',
  '/test/workflows/new',
  '/test/logs/executions',
  '/test/settings/organisation',
  '/test/settings/api-keys',
  '/test/settings/account',
  '/production/linked-accounts',
];
const widths = [360, 1440];

test('every page is accessible, fits and breaks no policy, in light and dark, at 360 and 1440 px', async () => {
  await using opened = await openPage('/sign-in');
  const { page, errors } = opened;
  await assertAccessible(page, '/sign-in', widths);
  await fillSignIn(page, inlay.owner.password);
  await heading(page, 'Getting started').waitFor();
  for (const path of pages) {
    await page.goto(inlay.url + path);
    await page.locator('h1').waitFor();
    await until(async () => (await page.getByRole('status', { name: 'Loading' }).count()) === 0);
    await assertAccessible(page, path, widths);
  }
  assert.deepEqual(errors, []);
});

test('a keyboard reaches the content past the navigation, and the drawer gives the focus back', async () => {
  await using opened = await openSignedIn('/test/apps', { width: 360 });
  const { page } = opened;
  await page.reload();
  await heading(page, 'Apps').waitFor();
  await page.locator('.skip').focus();
  await page.keyboard.press('Enter');
  await until(() => page.evaluate<boolean>(`document.activeElement?.id === 'content'`));
  const opener = page.getByRole('button', { name: 'Open the navigation' });
  await opener.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Navigation' }).waitFor();
  await page.keyboard.press('Escape');
  await until(() => page.evaluate<boolean>(`document.activeElement?.ariaLabel === 'Open the navigation'`));
});

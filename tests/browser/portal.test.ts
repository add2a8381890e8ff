import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Browser, BrowserContext, Locator, Page } from '@playwright/test';
import { createField } from '../../packages/server/src/configs/index.ts';
import { signInAtAcme } from './acme.ts';
import { assertAccessible, showIn, violationsOf } from './accessibility.ts';
import { openBrowser, watchForErrors } from './chromium.ts';
import { type PortalServer, startPortalServer } from './portal-server.ts';
import { until } from '../inlay.ts';

const demoApiKey = 'acme_key_demo_ada';
const seedColours = { color: '#000000', bgColor: '#00FF23', name: 'Jon Snow' };

let server: PortalServer;
let browser: Browser;

before(async () => {
  [server, browser] = await Promise.all([startPortalServer(), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

interface Opened {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly errors: readonly string[];
  readonly link: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A fresh browser profile on the list page of a fresh link. */
async function openPortal(
  options: {
    properties?: Record<string, unknown>;
    accountId?: string;
    prepare?: (page: Page) => Promise<void>;
  } = {},
): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const errors = watchForErrors(page);
  await options.prepare?.(page);
  const link = await server.newLink(options);
  await page.goto(link);
  await page.getByRole('heading', { name: 'Manage your integrations' }).waitFor();
  return { context, page, errors, link, [Symbol.asyncDispose]: () => context.close() };
}

async function openApp(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: new RegExp(name) }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
}

const connectByOAuth = (page: Page) => page.getByRole('button', { name: /^Connect.*Sign in/ });
const connectByKey = (page: Page) => page.getByRole('button', { name: /^Connect.*API key/ });

async function connectAcmeByKey(page: Page): Promise<void> {
  await openApp(page, 'Acme CRM');
  await connectByKey(page).click();
  await page.getByLabel('API key', { exact: true }).fill(demoApiKey);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('Connected as ada@analytical.example').waitFor();
}

async function expectAccessible(page: Page, what: string): Promise<void> {
  assert.deepEqual(await violationsOf(page), [], what);
}

describe('opening the link', () => {
  test('shows the enabled apps, whose page it is and for whom, and nothing of the token stays in the address', async () => {
    await using portal = await openPortal({ properties: seedColours });
    const { page, link, errors } = portal;
    await page.getByText('Winterfell Cloud', { exact: true }).waitFor();
    await page.getByText('Signed in as Jon Snow').waitFor();
    const names = await page.getByRole('list', { name: 'Integrations' }).getByRole('link').allInnerTexts();
    assert.deepEqual(
      names.map((text) => text.split('\n')[0]),
      ['Acme CRM', 'Gong'],
    );
    const token = new URL(link).pathname.split('/').at(-1)!;
    assert.equal(new URL(page.url()).pathname, '/connect/');
    const kept = await page.evaluate<string>(
      'JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie])',
    );
    assert.ok(!kept.includes(token), 'the token is kept nowhere a script can read');
    assert.equal(
      await page.getByRole('link', { name: 'Back to Winterfell Cloud' }).getAttribute('href'),
      'https://winterfell.example/settings',
    );
    assert.deepEqual(errors, []);
  });

  test('a reload, on the list and on an app, opens the same session again', async () => {
    await using portal = await openPortal();
    const { page } = portal;
    await page.reload();
    await page.getByRole('link', { name: /Gong/ }).waitFor();
    await openApp(page, 'Gong');
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Gong' }).waitFor();
  });

  test('another browser, an unknown token and a page without a link explain themselves', async () => {
    await using portal = await openPortal();
    const other = await browser.newContext();
    const page = await other.newPage();
    for (const address of [
      portal.link,
      `${server.url}/connect/${'x'.repeat(43)}`,
      `${server.url}/connect/apps/gong`,
    ]) {
      await page.goto(address);
      await page.getByRole('heading', { name: 'This link has expired' }).waitFor();
      await page.getByText('open it again').waitFor();
    }
    await other.close();
  });

  test('a session revoked while the page is open ends on the explanation', async () => {
    await using portal = await openPortal();
    const { page } = portal;
    await server.api.database.db.updateTable('session_token').set({ revoked_at: new Date() }).execute();
    await page.getByRole('link', { name: /Gong/ }).click();
    await page.getByRole('heading', { name: 'This link has expired' }).waitFor();
    await page.getByText('Go back to Winterfell Cloud').waitFor();
  });

  test('search and category narrow the list, and can be cleared', async () => {
    await using portal = await openPortal();
    const { page } = portal;
    const search = page.getByRole('searchbox', { name: 'Search integrations' });
    await search.fill('acme');
    assert.equal(await page.getByRole('link', { name: /Gong/ }).count(), 0);
    await search.fill('nothing like it');
    await page.getByRole('button', { name: 'Clear search and filter' }).click();
    await page.getByLabel('Category').selectOption('Sales');
    await page.getByRole('link', { name: /Gong/ }).waitFor();
    assert.equal(await page.getByRole('link', { name: /Acme/ }).count(), 0);
  });

  test('an app that is not enabled is told to be not available', async () => {
    await using portal = await openPortal();
    await portal.page.goto(`${server.url}/connect/apps/no-such-app`);
    await portal.page.getByRole('heading', { name: 'This integration is not available' }).waitFor();
    await portal.page.getByRole('link', { name: 'All integrations' }).click();
    await portal.page.getByRole('link', { name: /Gong/ }).waitFor();
  });

  test('a server that does not answer is told with a way to try again', async () => {
    await using portal = await openPortal();
    const { page } = portal;
    await page.route('**/f-sdk/application', (route) => route.abort());
    await page.reload();
    await page.getByRole('heading', { name: 'This page could not be loaded' }).waitFor();
    await page.unroute('**/f-sdk/application');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: /Gong/ }).waitFor();
  });
});

describe('connecting by OAuth', () => {
  test('with the keyboard alone: the window opens, closes itself, and the page says connected as whom', async () => {
    await using portal = await openPortal();
    const { page, context, errors } = portal;
    await tabTo(page, page.getByRole('link', { name: /Acme CRM/ }));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Acme CRM' }).waitFor();
    await until(() => isFocused(page.getByRole('heading', { level: 1 })));
    await tabTo(page, connectByOAuth(page));
    const [popup] = await Promise.all([context.waitForEvent('page'), page.keyboard.press('Enter')]);
    await page.getByText('Waiting for Acme CRM').waitFor();
    await popup.getByLabel('Email').waitFor();
    assert.equal(await popup.evaluate('window.opener'), null, 'the provider cannot steer the portal');
    const closed = popup.waitForEvent('close');
    await signInAtAcme(popup);
    await closed;
    await page.getByText('Connected as ada@analytical.example').waitFor();
    await page.getByRole('button', { name: 'Reconnect Acme CRM' }).waitFor();
    await page.getByRole('link', { name: 'All integrations' }).click();
    await page.getByRole('link', { name: /Acme CRM.*Connected/s }).waitFor();
    assert.deepEqual(
      errors.filter((text) => !text.includes('404')),
      [],
    );
  });

  test('a consent that is denied is told in plain words, and can be tried again', async () => {
    await using portal = await openPortal();
    const { page, context } = portal;
    await openApp(page, 'Acme CRM');
    const [popup] = await Promise.all([context.waitForEvent('page'), connectByOAuth(page).click()]);
    await signInAtAcme(popup, 'Deny');
    await page.getByText('permission was not given').waitFor();
    await popup.close();
    const [second] = await Promise.all([context.waitForEvent('page'), connectByOAuth(page).click()]);
    await second.getByRole('button', { name: 'Allow' }).click();
    await page.getByText('Connected as ada@analytical.example').waitFor();
  });

  test('a window closed midway gives the button back at once', async () => {
    await using portal = await openPortal();
    const { page, context } = portal;
    await openApp(page, 'Acme CRM');
    const [popup] = await Promise.all([context.waitForEvent('page'), connectByOAuth(page).click()]);
    await page.locator('button[data-busy]').waitFor();
    await popup.close();
    await page.locator('button[data-busy]').waitFor({ state: 'detached', timeout: 3_000 });
    const [again] = await Promise.all([context.waitForEvent('page'), connectByOAuth(page).click()]);
    await again.getByLabel('Email').waitFor();
  });

  const blockWindows = async (page: Page) => {
    await page.addInitScript({ content: 'window.open = () => null;' });
  };

  test('with windows blocked, a link continues in the same tab and comes back connected', async () => {
    await using portal = await openPortal({ prepare: blockWindows });
    const { page } = portal;
    await openApp(page, 'Acme CRM');
    await connectByOAuth(page).click();
    await page.getByRole('link', { name: 'Continue to Acme CRM' }).click();
    await signInAtAcme(page);
    await page.waitForURL('**/connect/apps/acme-crm');
    await page.getByText('Connected as ada@analytical.example').waitFor();
  });

  test('with windows blocked, a denied consent leads back to the page that tells it', async () => {
    await using portal = await openPortal({ prepare: blockWindows });
    const { page } = portal;
    await openApp(page, 'Acme CRM');
    await connectByOAuth(page).click();
    await page.getByRole('link', { name: 'Continue to Acme CRM' }).click();
    await signInAtAcme(page, 'Deny');
    await page.getByRole('link', { name: 'Back' }).click();
    await page.getByText('permission was not given').waitFor();
    assert.ok(await connectByOAuth(page).isEnabled());
  });
});

describe('connecting by key', () => {
  test('an empty form names its field, a wrong key shows what the provider said, the right one connects', async () => {
    await using portal = await openPortal();
    const { page } = portal;
    await openApp(page, 'Acme CRM');
    await connectByKey(page).click();
    const key = page.getByLabel('API key', { exact: true });
    const submit = page.getByRole('button', { name: 'Connect', exact: true });
    await submit.click();
    await page.getByText('Fill in this field.').waitFor();
    await page.waitForFunction(`document.activeElement.getAttribute('aria-invalid') === 'true'`);
    await key.fill('wrong');
    await submit.click();
    await page.getByText(/Failed to verify credentials/).waitFor();
    assert.equal(await key.inputValue(), 'wrong', 'what was typed is kept');
    await key.fill(demoApiKey);
    assert.equal(await key.getAttribute('type'), 'password');
    await page.getByRole('button', { name: 'Show API key' }).click();
    assert.equal(await key.getAttribute('type'), 'text');
    await submit.click();
    await page.getByText('Connected as ada@analytical.example').waitFor();
  });

  test('a disconnect names what is lost, can be refused with Esc, and takes the connection away', async () => {
    await using portal = await openPortal();
    const { page } = portal;
    await connectAcmeByKey(page);
    const disconnect = page.getByRole('button', { name: 'Disconnect Acme CRM' });
    await disconnect.click();
    const dialog = page.getByRole('dialog', { name: 'Disconnect Acme CRM?' });
    await dialog.getByText('the access to ada@analytical.example').waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    assert.ok(await isFocused(disconnect), 'the focus is given back');
    await disconnect.click();
    await dialog.getByRole('button', { name: 'Disconnect' }).click();
    await page.getByText('Not connected').waitFor();
    await connectByKey(page).waitFor();
  });

  test('a connection that has expired says so, and a new key repairs it', async () => {
    await using portal = await openPortal({
      accountId: (await server.api.addLinkedAccount('expired-one')).accountId,
    });
    const { page } = portal;
    await connectAcmeByKey(page);
    const { db } = server.api.database;
    const account = await db
      .selectFrom('linked_account')
      .select('id')
      .where('account_id', '=', 'expired-one')
      .executeTakeFirstOrThrow();
    await db
      .updateTable('connection')
      .set({ status: 'expired' })
      .where('linked_account_id', '=', account.id)
      .execute();
    await page.reload();
    await page.getByText('The connection has expired').waitFor();
    await page.getByRole('button', { name: 'Reconnect Acme CRM' }).click();
    await page.getByLabel('API key', { exact: true }).fill(demoApiKey);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByText('Connected as ada@analytical.example').waitFor();
    assert.equal(await page.getByText('The connection has expired').count(), 0);
  });
});

describe('configuration', () => {
  before(async () => {
    const { tenant, keys } = server.api.org;
    const add = async (name: string, fieldType: string, rest: object = {}, workflowId?: string) => {
      const owner = { slug: 'acme-crm', workflowId };
      return (await createField(server.api.deps, tenant, owner, { name, fieldType, ...rest })).id;
    };
    const pipeline = await add('Pipeline', 'select', {
      isRequired: true,
      definition: { options: ['New', 'Renewal'] },
    });
    await add('Stage', 'select', { definition: { parent: pipeline, options: ['Open', 'Won'] } });
    await add('Owner', 'select', {
      definition: { live_options: 'users', help_text: 'Gets every new contact.' },
    });
    await add('Days to look back', 'number', { definition: { default_value: 7 } });
    await add('Extra', 'json', { isRequired: true, definition: { associated_page: 'Advanced' } });
    await add('Pairs', 'map_v2', {
      definition: {
        associated_page: 'Advanced',
        mapping: { lhs: { name: 'Ours', options: ['a', 'b'] }, rhs: { name: 'Theirs' } },
      },
    });
    await add('Only when', 'rule_engine', { definition: { associated_page: 'Advanced' } });
    const send = async (method: string, route: string, body: object) => {
      const headers = { 'x-api-key': keys.test, 'content-type': 'application/json' };
      const answer = await fetch(server.url + route, { method, headers, body: JSON.stringify(body) });
      assert.equal(answer.status, 200, await answer.clone().text());
      return (await answer.json()) as { workflow: { _id: string; associated_workflow: string } };
    };
    const { workflow } = await send('POST', '/api/v2/public/workflow', {
      name: 'Copy contacts',
      slug: 'acme-crm',
      description: 'Each new contact is copied.',
    });
    await send('PUT', `/api/v2/public/workflow/${workflow._id}/publish`, { published: true });
    await add('Report to', 'email', { isRequired: true }, workflow.associated_workflow);
  });

  test('required fields stop a save at the first one, on whatever page it is, and keep what was typed', async () => {
    await using portal = await openPortal();
    const { page } = portal;
    await connectAcmeByKey(page);
    await page.getByLabel('Days to look back').fill('30');
    const save = page.getByRole('button', { name: 'Save', exact: true });
    await save.click();
    const pipeline = page.getByRole('combobox', { name: 'Pipeline' });
    await until(() => isFocused(pipeline));
    assert.equal(await page.getByLabel('Days to look back').inputValue(), '30');
    await pipeline.click();
    await pipeline.fill('rene');
    await page.keyboard.press('Enter');
    await save.click();
    await until(() => isFocused(page.getByLabel('Extra', { exact: true })));
    assert.equal(await page.getByRole('tab', { name: 'Advanced' }).getAttribute('aria-selected'), 'true');
    await expectAccessible(page, 'configuration with an error');
  });

  test('values of every kind and a switched workflow are saved, and are there after a reload', async () => {
    await using portal = await openPortal();
    const { page } = portal;
    await connectAcmeByKey(page);
    const choose = async (name: string, option: string | RegExp) => {
      await page.getByRole('combobox', { name, exact: true }).click();
      await page.getByRole('option', { name: option }).first().click();
    };
    assert.ok(
      await page.getByRole('combobox', { name: 'Stage' }).isDisabled(),
      'the parent is not chosen yet',
    );
    await choose('Pipeline', 'New');
    await page.locator('input[role="combobox"]:enabled').nth(1).waitFor();
    await choose('Stage', 'Won');
    await choose('Owner', /Ada/);
    await page.getByRole('tab', { name: 'Advanced' }).click();
    await page.getByLabel('Extra', { exact: true }).fill('{"a": [1]}');
    await page.getByRole('button', { name: 'Add row' }).click();
    await choose('Row 1: Ours', 'b');
    await page.getByLabel('Row 1: Theirs').fill('their_b');
    await page.getByRole('button', { name: 'Add condition' }).click();
    await page.getByLabel('Condition 1: what').fill('title');
    await choose('Condition 1: comparison', /./);
    await page.getByLabel('Condition 1: value').fill('Demo');
    await page.getByRole('switch', { name: 'Copy contacts' }).click();
    await page.getByLabel('Report to').fill('jon@winterfell.example');
    await page.getByRole('link', { name: 'All integrations' }).click();
    await page
      .getByRole('dialog', { name: 'Leave without saving?' })
      .getByRole('button', { name: 'Stay' })
      .click();
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('Saved', { exact: true }).first().waitFor();
    await page.reload();
    const value = (name: string) => page.getByRole('combobox', { name, exact: true }).inputValue();
    await page.getByRole('combobox', { name: 'Pipeline' }).waitFor();
    assert.deepEqual([await value('Pipeline'), await value('Stage')], ['New', 'Won']);
    assert.match(await value('Owner'), /Ada/);
    assert.equal(
      await page.getByRole('switch', { name: 'Copy contacts' }).getAttribute('aria-checked'),
      'true',
    );
    assert.equal(await page.getByLabel('Report to').inputValue(), 'jon@winterfell.example');
    await page.getByRole('tab', { name: 'Advanced' }).click();
    assert.deepEqual(JSON.parse(await page.getByLabel('Extra', { exact: true }).inputValue()), { a: [1] });
    assert.equal(await page.getByLabel('Row 1: Theirs').inputValue(), 'their_b');
    assert.equal(await page.getByLabel('Condition 1: value').inputValue(), 'Demo');
    await page.getByRole('tab', { name: 'General' }).click();
    await choose('Pipeline', 'Renewal');
    assert.equal(await value('Stage'), '', 'a choice that hung on the old parent is cleared');
  });

  test('a list that cannot be loaded says so at its field with a way to try again, and the others work', async () => {
    await using portal = await openPortal();
    const { page } = portal;
    await connectAcmeByKey(page);
    await page.getByRole('combobox', { name: 'Owner' }).waitFor();
    server.acme.control.setFaults({
      api: { path: '/api/v1/users', method: 'GET', status: 500, times: 1_000 },
    });
    await page.reload();
    await page.locator('.field', { hasText: 'Owner' }).getByRole('button', { name: 'Try again' }).waitFor();
    await page.getByLabel('Days to look back').fill('3');
    server.acme.control.clearFaults();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('combobox', { name: 'Owner' }).click();
    await page.getByRole('option', { name: /Ada/ }).waitFor();
  });
});

describe('everybody can use it', () => {
  const brands = [
    {},
    seedColours,
    { color: '#ffffff', bgColor: '#ffffff' },
    { color: '#ffff00', bgColor: '#ffffff' },
    { color: '#000000', bgColor: '#000000' },
    { color: '#ffffff', bgColor: '#7a1fa2' },
    { color: 'red; } body { display: none', bgColor: 'url(https://evil.example)' },
  ];
  test('list, app, form and dialog pass axe and never scroll sideways: light and dark, 360, 768 and 1280 px', async () => {
    await using portal = await openPortal({ properties: seedColours });
    const { page } = portal;
    const widths = [360, 768, 1280];
    await assertAccessible(page, 'list', widths);
    await openApp(page, 'Acme CRM');
    await connectByKey(page).click();
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await assertAccessible(page, 'key form with an error', widths);
    await page.getByLabel('API key', { exact: true }).fill(demoApiKey);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByText('Connected as').waitFor();
    await assertAccessible(page, 'connected', widths);
    await page.getByRole('button', { name: 'Disconnect Acme CRM' }).click();
    await page.getByRole('dialog').waitFor();
    await assertAccessible(page, 'dialog', widths);
  });

  for (const properties of brands) {
    test(`every text is legible in light and dark with ${JSON.stringify(properties)}`, async () => {
      await using portal = await openPortal({ properties });
      const { page } = portal;
      const assertLegible = async (what: string) => {
        for (const scheme of ['light', 'dark'] as const) {
          await showIn(page, { scheme, width: 1280 });
          assert.deepEqual(await violationsOf(page, 'colours'), [], `${what}, ${scheme}`);
        }
      };
      await assertLegible('list');
      await openApp(page, 'Acme CRM');
      await connectByOAuth(page).hover();
      await assertLegible('app');
    });
  }
});

test('the portal needs at most 100 KB (gzip) before its first paint', async () => {
  const dist = path.resolve(import.meta.dirname, '../../packages/ui/dist/portal');
  const page = await readFile(path.join(dist, 'index.html'), 'utf8');
  const files = [...page.matchAll(/(?:src|href)="\/connect\/(assets\/[^"]+\.(?:js|css))"/g)].map(
    ([, file]) => file!,
  );
  assert.ok(files.length >= 2, 'the page names its script and its style sheet');
  assert.ok((await readdir(path.join(dist, 'assets'))).length > 0);
  const sizes = await Promise.all(
    files.map(async (file) => gzipSync(await readFile(path.join(dist, file))).length),
  );
  const total = gzipSync(page).length + sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(total <= 100 * 1024, `${total} bytes`);
});

const isFocused = (target: Locator) => target.evaluate((element) => element.matches(':focus'));

/** Presses Tab until the element has the focus: that it can be reached, and is seen to be, is the point. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press('Tab');
    if (!(await isFocused(target))) continue;
    const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
    assert.notEqual(outline, 'none', 'the focus is visible');
    return;
  }
  assert.fail('the element is not in the tab order');
}

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { until } from '../inlay.ts';
import { signInAtAcme } from './acme.ts';
import { assertAccessible } from './accessibility.ts';
import { openBrowser, watchForErrors } from './chromium.ts';
import { type PortalServer, startPortalServer } from './portal-server.ts';

/**
 * The page on which a provider's redirect ends, in a real browser. With INLAY_PICTURES=<folder> every view of it is
 * also kept as a picture.
 */
const pictures = process.env['INLAY_PICTURES'];

let server: PortalServer;
let browser: Browser;
before(async () => {
  [server, browser] = await Promise.all([startPortalServer(), openBrowser()]);
  if (pictures !== undefined) await mkdir(pictures, { recursive: true });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

let accounts = 0;
/** The provider's address for a new account, as a backend asks for it. */
async function authorization(query = ''): Promise<string> {
  const id = `caller-${++accounts}`;
  await server.api.addLinkedAccount(id);
  const route = `linked-account/integration/oauth-url/acme-crm?linked_account_id=${id}${query}`;
  const answer = await fetch(`${server.url}/api/v2/public/${route}`, {
    headers: { 'x-api-key': server.api.org.keys.test },
  });
  assert.equal(answer.status, 200);
  return ((await answer.json()) as { auth_url: string }).auth_url;
}

const isCallback = (url: URL) => url.pathname === '/api/v1/acme-crm/callback';

interface Ending {
  readonly name: string;
  readonly title: string;
  readonly text: readonly RegExp[];
  /** Leads the page to that ending. */
  readonly reach: (page: Page) => Promise<void>;
}

const endings: readonly Ending[] = [
  {
    name: 'connected',
    title: 'Acme CRM is connected',
    text: [/Signed in as ada@analytical\.example/, /Winterfell Cloud can now use it for caller-\d+/],
    async reach(page) {
      await page.goto(await authorization());
      await signInAtAcme(page);
    },
  },
  {
    name: 'denied',
    title: 'Acme CRM was not connected',
    text: [/Access was not allowed\. Nothing was stored/],
    async reach(page) {
      await page.goto(await authorization());
      await signInAtAcme(page, 'Deny');
    },
  },
  {
    name: 'refused by the provider',
    title: 'Acme CRM was not connected',
    text: [/Acme CRM refused the connection/, /The scope <b>x<\/b> is unknown/, /contacts:read/],
    async reach(page) {
      const state = new URL(await authorization()).searchParams.get('state')!;
      const query = new URLSearchParams({
        state,
        error: 'invalid_scope',
        error_description: 'The scope <b>x</b> is unknown',
      });
      await page.goto(`${server.url}/api/v1/acme-crm/callback?${query.toString()}`);
      await page.getByText('For the developer of this integration').click();
    },
  },
  {
    name: 'used state',
    title: 'This link does not work any more',
    text: [/This authorization link was used already or is too old/],
    async reach(page) {
      await page.goto(await authorization());
      await signInAtAcme(page);
      await page.getByRole('heading', { name: 'Acme CRM is connected' }).waitFor();
      await page.reload();
    },
  },
  {
    name: 'unknown state',
    title: 'This link does not work any more',
    text: [/This authorization link was used already or is too old/],
    async reach(page) {
      await page.goto(`${server.url}/api/v1/acme-crm/callback?state=made-up&code=x`);
    },
  },
  {
    name: 'unknown app',
    title: 'This link does not work any more',
    text: [/This authorization link was used already or is too old/],
    async reach(page) {
      await page.goto(`${server.url}/api/v1/no-such-app/callback?state=made-up&code=x`);
    },
  },
];

describe('every ending is told legibly, in light and dark, on a phone and a desk', () => {
  for (const ending of endings) {
    test(ending.name, async () => {
      const context = await browser.newContext();
      const page = await context.newPage();
      const errors = watchForErrors(page);
      const headers: Record<string, string>[] = [];
      page.on('response', (response) => {
        if (new URL(response.url()).pathname.endsWith('/callback')) headers.push(response.headers());
      });
      await ending.reach(page);
      await page.getByRole('heading', { level: 1, name: ending.title }).waitFor();
      const text = await page.locator('main').innerText();
      for (const part of ending.text) assert.match(text, part);
      assert.ok(headers.length > 0);
      for (const header of headers) assert.equal(header['cross-origin-opener-policy'], undefined);
      await assertAccessible(page, ending.name, [360, 1280], async ({ scheme, width }) => {
        if (pictures === undefined) return;
        const name = `callback ${ending.name} ${scheme} ${width}.png`.replaceAll(' ', '-');
        await page.screenshot({ path: path.join(pictures, name) });
      });
      // Chromium itself notes an answer with an error status.
      assert.deepEqual(
        errors.filter((error) => !error.startsWith('Failed to load resource: the server responded with')),
        [],
      );
      await context.close();
    });
  }
});

describe('where the page goes by itself', () => {
  /** A page of the SaaS company, which opens the provider in a window as its own code does. */
  async function openedBySaas(authUrl: string): Promise<{ context: BrowserContext; popup: Page }> {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${server.url}/healthz`);
    const [popup] = await Promise.all([
      context.waitForEvent('page'),
      page.evaluate(`void window.open(${JSON.stringify(authUrl)})`),
    ]);
    return { context, popup };
  }

  test('a window that a page opened closes itself once connected', async () => {
    const { context, popup } = await openedBySaas(await authorization());
    const closed = popup.waitForEvent('close', { timeout: 10_000 });
    await signInAtAcme(popup);
    await closed;
    await context.close();
  });

  test('a window in which it failed stays, so that the reason can be read', async () => {
    const { context, popup } = await openedBySaas(await authorization());
    await signInAtAcme(popup, 'Deny');
    await popup.getByRole('heading', { name: 'Acme CRM was not connected' }).waitFor();
    await popup.getByText('You can close this window').waitFor();
    await popup.evaluate('new Promise((resolve) => setTimeout(resolve, 1500))');
    assert.equal(popup.isClosed(), false);
    await context.close();
  });

  test('in the same tab it goes back to the page of ours that began it, and leaves no callback in the history', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(await authorization(`&return_to=${encodeURIComponent('/connect/apps/acme-crm')}`));
    await signInAtAcme(page);
    await page.waitForURL('**/connect/apps/acme-crm');
    await until(() => page.url().endsWith('/connect/apps/acme-crm'));
    await page.goBack().catch(() => undefined);
    assert.equal(isCallback(new URL(page.url())), false);
    await context.close();
  });
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from '@playwright/test';
import { createField } from '../../packages/server/src/configs/index.ts';
import { signInAtAcme } from './acme.ts';
import { openBrowser, watchForErrors } from './chromium.ts';
import { type PortalServer, startPortalServer } from './portal-server.ts';

/** Every text of the portal that somebody else wrote, holding markup: it is shown as text, and nothing of it runs. */
const markup = (mark: string) =>
  `${mark}"'><img src=x onerror="window.stolen=1"><script>window.stolen=1</script><svg onload=window.stolen=1></svg></style></title>`;

let server: PortalServer;
let browser: Browser;
before(async () => {
  [server, browser] = await Promise.all([startPortalServer(), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test('names, labels, help and options that hold markup are text on every page', async () => {
  const { api } = server;
  await api.database.db
    .updateTable('organization')
    .set({ name: markup('ORG') })
    .where('id', '=', api.org.orgId)
    .execute();
  await createField(
    api.deps,
    api.org.tenant,
    { slug: 'acme-crm' },
    {
      name: markup('FIELD'),
      fieldType: 'select',
      definition: {
        help_text: markup('HELP'),
        placeholder: markup('HINT'),
        options: [{ name: markup('OPTION'), value: 'value' }],
      },
    },
  );
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const errors = watchForErrors(page);
  await page.goto(await server.newLink({ properties: { name: markup('CUSTOMER') } }));
  await page.getByText('ORG"\'><img src=x').first().waitFor();
  await page.getByText('CUSTOMER"\'><img src=x').first().waitFor();
  await page.getByRole('link', { name: /Acme CRM/ }).click();
  const popup = context.waitForEvent('page');
  await page.getByRole('button', { name: /^Connect.*Sign in/ }).click();
  await signInAtAcme(await popup);
  await page.getByText('FIELD"\'><img src=x').first().waitFor();
  await page.getByText('HELP"\'><img src=x').first().waitFor();
  await page.getByRole('combobox', { name: /FIELD/ }).click();
  await page.getByRole('option', { name: /OPTION"'><img src=x/ }).waitFor();
  assert.equal(await page.locator('img[src="x"], svg[onload]').count(), 0);
  assert.equal(await page.evaluate('window.stolen'), undefined);
  assert.deepEqual(errors, []);
  await context.close();
});

test('colours that are none never become CSS, and the page keeps its own', async () => {
  for (const colour of [
    'red;background:url(http://evil.example)',
    'url(javascript:window.stolen=1)',
    '</style><script>window.stolen=1</script>',
  ]) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const errors = watchForErrors(page);
    const hosts = new Set<string>();
    page.on('request', (request) => hosts.add(new URL(request.url()).host));
    await page.goto(await server.newLink({ properties: { color: colour, bgColor: colour } }));
    await page.getByRole('link', { name: /Acme CRM/ }).waitFor();
    const styles = await page.evaluate<string>(
      "[...document.querySelectorAll('[style], style')].map((e) => e.getAttribute('style') ?? e.textContent).join()",
    );
    assert.equal(/evil|javascript:|stolen/.test(styles), false, colour);
    assert.deepEqual([...hosts], [new URL(server.url).host]);
    assert.equal(await page.evaluate('window.stolen'), undefined);
    assert.deepEqual(errors, []);
    await context.close();
  }
});

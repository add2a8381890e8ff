import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from '@playwright/test';
import { assertAccessible } from './accessibility.ts';
import { openBrowser, watchForErrors } from './chromium.ts';
import { newId } from '../../packages/server/src/domain/ids.ts';
import { createTestApi, type TestApi } from '../../packages/server/src/api/testing.ts';
import { freePort } from '../inlay.ts';

/**
 * The page on which people fill in the form of a human task. With INLAY_PICTURES=<folder> every view of it is also
 * kept as a picture.
 */
const pictures = process.env['INLAY_PICTURES'];
let api: TestApi;
let origin: string;
let browser: Browser;
/** What the last mail said: the link to the form. */
let link = '';
before(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  const send = async (_tenant: unknown, { text }: { text?: string | undefined }) => {
    link = text ?? '';
    return { isSent: true, messageId: '<1>', accepted: [], rejected: [], smtpHost: 'mail' } as const;
  };
  api = await createTestApi({
    config: { publicUrl: origin },
    mail: { send } as unknown as TestApi['deps']['mail'],
  });
  await api.app.listen({ host: '127.0.0.1', port });
  browser = await openBrowser();
  if (pictures !== undefined) await mkdir(pictures, { recursive: true });
});
after(async () => {
  await browser?.close();
  await api?.close();
});

const choice = (name: string, label: string, type: 'dropdown' | 'radio', more: object = {}) => ({
  name,
  label,
  type,
  required: true,
  readOnly: false,
  options: ['Approve', 'Reject'].map((text) => ({ label: text, value: text.toLowerCase() })),
  ...more,
});
const plain = { required: false, readOnly: false, options: [] };
const form = {
  title: 'Approve the invoice of Winterfell & Sons',
  description: 'The amount is above 10,000, so we need your word.\nIt will be paid tomorrow.',
  fields: [
    { ...plain, name: 'invoice', label: 'Invoice', type: 'text', readOnly: true },
    { ...plain, name: 'amount', label: 'Amount in €', type: 'number', required: true, help: 'Without tax' },
    { ...plain, name: 'pay_on', label: 'Pay on', type: 'date' },
    choice('verdict', 'Your verdict', 'radio'),
    choice('plan', 'If it fails', 'dropdown', { required: false }),
    { ...plain, name: 'note', label: 'Note <b>to us</b>', type: 'text' },
  ],
  prefilled: { invoice: 'R-17', amount: 12_500.5, pay_on: null, verdict: null, plan: null, note: null },
} as const;

/** A task of an execution that waits, by the link from its mail. */
async function openTask(dueInMs = 3_600_000): Promise<string> {
  const executionId = newId();
  await api.database.pool.query(
    `insert into execution (id, org_id, environment, workflow_id, workflow_version, linked_account_id, account_id,
       config_id, source, mode, state, timeout_s)
     values ($1, $2, 'test', $1, 1, $1, 'ann', 'ann', 'api_call', 'async', 'waiting', 60)`,
    [executionId, api.org.orgId],
  );
  await api.deps.humanTasks.open(
    api.org.tenant,
    { executionId, nodeId: '2', batch: '' },
    {
      form,
      dueAt: new Date(Date.now() + dueInMs),
      mail: { to: [{ name: '', address: 'ann@example.com' }], subject: 'S', text: '[[form_url]]' },
    },
  );
  return link;
}

const notFound = (): Promise<string> => Promise.resolve(`${origin}/tasks/${'A'.repeat(43)}`);
const submit = (page: Page) => page.getByRole('button', { name: 'Submit' });
const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 1, name });
const thanks = 'Thank you, the form was submitted';

async function fillIn(page: Page): Promise<void> {
  await page.getByLabel('Pay on').fill('2026-12-31');
  await page.getByRole('radio', { name: 'Approve' }).check();
  await page.getByLabel('If it fails').selectOption('Reject');
  await page.getByLabel('Note <b>to us</b>').fill('Fine & good\n"really"');
}

const states: Readonly<
  Record<string, { open: () => Promise<string>; reach(page: Page): Promise<void>; title: string }>
> = {
  waiting: { open: openTask, reach: async () => undefined, title: form.title },
  refused: {
    open: openTask,
    async reach(page) {
      await page.getByLabel('Amount in €').fill('a lot');
      await submit(page).click();
      await page.getByRole('alert').waitFor();
    },
    title: form.title,
  },
  submitted: {
    open: openTask,
    async reach(page) {
      await fillIn(page);
      await submit(page).click();
    },
    title: thanks,
  },
  late: { open: () => openTask(-1_000), reach: async () => undefined, title: 'It is too late for this form' },
  missing: { open: notFound, reach: async () => undefined, title: 'There is no form here' },
};

for (const [name, state] of Object.entries(states)) {
  test(`${name}: legible in light and dark, on a phone and a desk, without a script`, async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const errors = watchForErrors(page);
    const answer = await page.goto(await state.open());
    assert.match(answer?.headers()['content-security-policy'] ?? '', /default-src 'none'; style-src 'self'/);
    assert.equal(answer?.headers()['referrer-policy'], 'no-referrer');
    await state.reach(page);
    await heading(page, state.title).waitFor();
    await assertAccessible(page, name, [360, 1280], async ({ scheme, width }) => {
      if (pictures === undefined) return;
      const file = path.join(pictures, `task-${name}-${scheme}-${width}.png`);
      await page.screenshot({ path: file, fullPage: true });
    });
    assert.deepEqual(
      errors.filter((error) => !error.startsWith('Failed to load resource: the server responded with')),
      [],
    );
    await context.close();
  });
}

import type { Page } from '@playwright/test';

/** What a customer does in the provider's window: signs in as Ada, then allows (or denies) the access asked for. */
export async function signInAtAcme(page: Page, answer: 'Allow' | 'Deny' = 'Allow'): Promise<void> {
  await page.getByLabel('Email').fill('ada@analytical.example');
  await page.getByLabel('Password', { exact: true }).fill('demo');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: answer }).click();
}

import type { Page } from '@playwright/test';

/** What a customer does in the provider's window: signs in, then allows (or denies) the access asked for. */
export async function signInAtAcme(
  page: Page,
  answer: 'Allow' | 'Deny' = 'Allow',
  email = 'ada@analytical.example',
): Promise<void> {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password', { exact: true }).fill('demo');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: answer }).click();
}

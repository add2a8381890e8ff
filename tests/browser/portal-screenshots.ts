import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Browser, Page } from '@playwright/test';
import { openBrowser } from './chromium.ts';
import { type PortalServer, startPortalServer } from './portal-server.ts';

/**
 * Takes the portal's pictures for the documents from the real thing: `node tests/browser/portal-screenshots.ts`,
 * after `npm run build -w packages/ui`.
 */
const folder = path.resolve(import.meta.dirname, '../../docs/images');
const maxBytes = 150 * 1024;

interface Picture {
  readonly name: string;
  readonly scheme: 'light' | 'dark';
  readonly size: { readonly width: number; readonly height: number };
  readonly colours: { readonly color?: string; readonly bgColor?: string };
  readonly walk?: (page: Page) => Promise<void>;
}

const wide = { width: 1280, height: 720 };
const phone = { width: 360, height: 720 };
const seed = { color: '#000000', bgColor: '#00FF23' };

const pictures: readonly Picture[] = [
  { name: 'portal-list-light', scheme: 'light', size: wide, colours: {} },
  { name: 'portal-list-brand', scheme: 'light', size: wide, colours: seed },
  {
    name: 'portal-app-light',
    scheme: 'light',
    size: wide,
    colours: { color: '#ffffff', bgColor: '#3b3a8f' },
    walk: openKeyForm,
  },
  { name: 'portal-app-dark', scheme: 'dark', size: wide, colours: {}, walk: openAcme },
  { name: 'portal-phone-dark', scheme: 'dark', size: phone, colours: seed, walk: openAcme },
];

async function openAcme(page: Page): Promise<void> {
  await page.getByRole('link', { name: /Acme CRM/ }).click();
  await page.getByRole('heading', { level: 1, name: 'Acme CRM' }).waitFor();
}

async function openKeyForm(page: Page): Promise<void> {
  await openAcme(page);
  await page.getByRole('button', { name: /^Connect.*API key/ }).click();
  await page.getByLabel('API key', { exact: true }).fill('acme_key_demo_ada');
}

async function take(server: PortalServer, browser: Browser, picture: Picture): Promise<void> {
  const { name, scheme, size, colours, walk } = picture;
  const context = await browser.newContext({ viewport: size, colorScheme: scheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(await server.newLink({ properties: { ...colours, name: 'Jon Snow' } }));
  await page.getByRole('list', { name: 'Integrations' }).waitFor();
  await walk?.(page);
  await page.waitForLoadState('networkidle');
  const file = path.join(folder, `${name}.png`);
  await page.screenshot({ path: file });
  await context.close();
  const { size: bytes } = await stat(file);
  if (bytes > maxBytes) throw new Error(`${name}.png has ${bytes} bytes, more than ${maxBytes}`);
  process.stdout.write(`${name}.png ${bytes} bytes\n`);
}

await mkdir(folder, { recursive: true });
const server = await startPortalServer();
const browser = await openBrowser();
try {
  for (const picture of pictures) await take(server, browser, picture);
} finally {
  await browser.close();
  await server.close();
}

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { demoApiKey } from '../../examples/acme-crm/src/seed.ts';
import { signInToConsole } from '../console.ts';
import { openBrowser } from './chromium.ts';
import { signInAtAcme } from './acme.ts';
import { startInlay, type RunningInlay } from '../inlay.ts';

/**
 * Cobalt's published browser SDK, byte for byte as npm has it, in a page of a SaaS company on another origin.
 * The page is the customer's; the only thing it changes is `baseUrl`.
 */
const sdk = createRequire(import.meta.url).resolve('@cobaltio/cobalt-js');

let inlay: RunningInlay;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let saas: Server;

before(async () => {
  inlay = await startInlay({ isOnTestServer: true });
  browser = await openBrowser();
  saas = await serveSaasApp();
  context = await browser.newContext();
  page = await context.newPage();
  await openSaasApp(inlay.demo.linkedAccountId);
});

after(async () => {
  await browser?.close();
  saas?.close();
  await inlay?.stop();
});

describe('@cobaltio/cobalt-js 8.0.0 from npm works unchanged', () => {
  test('getAccountDetails tells the organisation and the customer', async () => {
    const details = await run<Record<string, unknown>>('cobalt.getAccountDetails()');
    assert.equal(details['linked_account_id'], inlay.demo.linkedAccountId);
    assert.equal(details['environment'], 'test');
    assert.match(String(details['org_id']), /^[0-9a-f]{24}$/);
  });

  test('getApp lists the enabled apps, and one of them by slug', async () => {
    const apps = await run<{ slug: string }[]>('cobalt.getApp()');
    assert.ok(apps.some((app) => app.slug === 'acme-crm'));
    const app = await run<Record<string, unknown>>('cobalt.getApp("acme-crm")');
    assert.equal(app['name'], 'Acme CRM');
    assert.equal(app['auth_type'], 'oauth2');
    assert.notEqual(app['connected'], true);
    assert.match(String(app['icon']), /^(https?|data):/);
  });

  test('getApp of an unknown app rejects with the reason phrase', async () => {
    await assert.rejects(run('cobalt.getApp("no-such-app")'), /Not Found/);
  });

  test("getOAuthUrl answers the provider's own address, with the parameters of a flow of ours", async () => {
    const url = new URL(await run<string>('cobalt.getOAuthUrl("acme-crm")'));
    assert.equal(url.origin, inlay.acmeUrl);
    assert.equal(url.searchParams.get('redirect_uri'), `${inlay.url}/api/v1/acme-crm/callback`);
    assert.ok((url.searchParams.get('state') ?? '').length >= 32);
    await assert.rejects(run('cobalt.getOAuthUrl("no-such-app")'), /Not Found/);
  });

  test('oauth on its own opens the window, and resolves false when the customer closes it', async () => {
    const popup = context.waitForEvent('page');
    const connected = run<boolean>('cobalt.oauth("acme-crm")');
    await (await popup).getByLabel('Email').waitFor();
    await (await popup).close();
    assert.equal(await connected, false);
    await assert.rejects(run('cobalt.oauth("no-such-app")'), /Not Found/);
  });

  test('connect opens the provider in a window, and closing it resolves false', async () => {
    const popup = context.waitForEvent('page');
    const connected = run<boolean>('cobalt.connect("acme-crm")');
    await (await popup).close();
    assert.equal(await connected, false);
  });

  test('connect resolves true once the customer allowed it', async () => {
    const popup = context.waitForEvent('page');
    const connected = run<boolean>('cobalt.connect("acme-crm")');
    await signInAtAcme(await popup);
    assert.equal(await connected, true);
    const app = await run<Record<string, unknown>>('cobalt.getApp("acme-crm")');
    assert.equal(app['connected'], true);
    assert.equal(app['reauth_required'], false);
    const [account] = app['connected_accounts'] as Record<string, unknown>[];
    assert.equal(account?.['status'], 'active');
    assert.equal(account?.['auth_type'], 'oauth2');
    assert.match(JSON.stringify(account?.['identifier']), /ada@analytical\.example/);
  });

  test('config finds or creates, getConfig reads it back, and an unknown one rejects', async () => {
    const created = await run<SdkConfig>('cobalt.config({ slug: "acme-crm" })');
    assert.equal(created.slug, 'acme-crm');
    assert.equal(created.config_id, inlay.demo.linkedAccountId);
    assert.ok(Array.isArray(created.fields));
    assert.ok(created.workflows.every((workflow) => Array.isArray(workflow.fields)));
    assert.deepEqual(await run('cobalt.config({ slug: "acme-crm" })'), created);
    assert.deepEqual(await run('cobalt.getConfig("acme-crm")'), created);
    await assert.rejects(run('cobalt.getConfig("acme-crm", "nobody-made-this")'), /Not Found/);
  });

  test('config with labels and an id of its own is another config', async () => {
    const other = await run<SdkConfig>(
      'cobalt.config({ slug: "acme-crm", config_id: "second", labels: { people: [{ name: "Owner", value: "owner" }] } })',
    );
    assert.equal(other.config_id, 'second');
    assert.equal((await run<SdkConfig>('cobalt.getConfig("acme-crm", "second")')).config_id, 'second');
  });

  test('updateConfig switches a workflow on, and the answer and the next read agree', async () => {
    const { workflows } = await run<SdkConfig>('cobalt.getConfig("acme-crm")');
    const [workflow] = workflows;
    assert.ok(workflow, 'the demo ships a workflow for Acme CRM');
    const payload = {
      slug: 'acme-crm',
      fields: {},
      workflows: [{ id: workflow.id, enabled: !workflow.enabled, fields: [] }],
    };
    const updated = await run<SdkConfig>(`cobalt.updateConfig(${JSON.stringify(payload)})`);
    const isEnabled = (config: SdkConfig) => config.workflows.find(({ id }) => id === workflow.id)?.enabled;
    assert.equal(isEnabled(updated), !workflow.enabled);
    assert.equal(isEnabled(await run<SdkConfig>('cobalt.getConfig("acme-crm")')), !workflow.enabled);
  });

  test('deleteConfig removes one config and leaves the connection', async () => {
    await run('cobalt.deleteConfig("acme-crm", "second")');
    await assert.rejects(run('cobalt.getConfig("acme-crm", "second")'), /Not Found/);
    assert.equal((await run<Record<string, unknown>>('cobalt.getApp("acme-crm")'))['connected'], true);
  });

  test('disconnect ends the connection', async () => {
    await run('cobalt.disconnect("acme-crm")');
    assert.notEqual((await run<Record<string, unknown>>('cobalt.getApp("acme-crm")'))['connected'], true);
    await assert.rejects(run('cobalt.getConfig("acme-crm")'), /Not Found/);
  });

  test('a bad token rejects every call with the reason phrase', async () => {
    await assert.rejects(
      run(`new exports.Cobalt({ token: "nonsense", baseUrl: ${JSON.stringify(inlay.url)} }).getApp()`),
      /Unauthorized/,
    );
  });
});

describe('an app that is connected by keys: connect(slug, payload)', () => {
  const account = 'by-key';
  before(async () => {
    // No OAuth client in production, so the keys are the only way in.
    const admin = await signInToConsole(inlay);
    const enabled = await admin('PATCH', 'apps/acme-crm', {
      environment: 'production',
      body: { is_enabled: true, variables: { acme_base_url: inlay.acmeUrl } },
    });
    assert.equal(enabled.status, 200, JSON.stringify(enabled.body));
    const headers = { 'x-api-key': inlay.keys.production };
    const body = { linked_account_id: account, name: 'By Key' };
    assert.equal((await inlay.call('POST', '/api/v2/public/linked-account', { headers, body })).status, 200);
    await openSaasApp(account, headers);
  });

  const isConnected = async () =>
    (await run<Record<string, unknown>>('cobalt.getApp("acme-crm")'))['connected'] === true;

  test('the app tells that keys are how it connects, and which', async () => {
    const app = await run<Record<string, unknown>>('cobalt.getApp("acme-crm")');
    assert.equal(app['auth_type'], 'keybased');
    const fields = (app['auth_type_options'] as { keybased: { name: string; required: boolean }[] }).keybased;
    assert.deepEqual(
      fields.map(({ name, required }) => [name, required]),
      [['apiKey', true]],
    );
    await assert.rejects(run('cobalt.getOAuthUrl("acme-crm")'), /Bad Request/);
  });

  test('a wrong key and a missing one reject with the reason phrase, and nothing is stored', async () => {
    await assert.rejects(run('cobalt.connect("acme-crm", { apiKey: "wrong" })'), /Bad Request/);
    await assert.rejects(run('cobalt.connect("acme-crm", {})'), /Bad Request/);
    await assert.rejects(run('cobalt.connect("acme-crm")'), /Bad Request/);
    assert.equal(await isConnected(), false);
  });

  test('the right key resolves true, without any window, and in this environment only', async () => {
    const pages = context.pages().length;
    assert.equal(await run(`cobalt.connect("acme-crm", { apiKey: "${demoApiKey}" })`), true);
    assert.equal(context.pages().length, pages);
    assert.equal(await isConnected(), true);
    const inTest = await inlay.call('GET', '/api/v2/public/application/acme-crm', {
      linkedAccountId: inlay.demo.linkedAccountId,
    });
    assert.notEqual(inTest.body.connected, true);
  });

  test('this file has called every function that the SDK has', async () => {
    const names = await run<string[]>(
      'Object.getOwnPropertyNames(exports.Cobalt.prototype).filter((name) => name !== "constructor")',
    );
    assert.ok(names.length >= 10);
    assert.deepEqual(
      names.filter((name) => !called.has(name)),
      [],
    );
  });
});

interface SdkConfig {
  slug: string;
  config_id: string;
  fields: unknown[];
  workflows: { id: string; enabled: boolean; fields: unknown[] }[];
}

/** Functions of the SDK that tests called by name. */
const called = new Set<string>();

/** Evaluates an expression in the SaaS company's page. */
function run<T>(expression: string): Promise<T> {
  for (const [, name] of expression.matchAll(/\bcobalt\.(\w+)\(/g)) called.add(name!);
  return page.evaluate(expression);
}

async function openSaasApp(linkedAccountId: string, headers: Record<string, string> = {}): Promise<void> {
  const { body } = await inlay.call('POST', '/api/v2/public/session-token', {
    headers,
    body: { linked_account_id: linkedAccountId },
  });
  const { port } = saas.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.evaluate(
    `window.cobalt = new exports.Cobalt(${JSON.stringify({ token: body.token, baseUrl: inlay.url })})`,
  );
}

async function serveSaasApp(): Promise<Server> {
  const source = await readFile(sdk);
  const server = createServer((request, response) => {
    if (request.url === '/cobalt.js') {
      response.setHeader('content-type', 'text/javascript').end(source);
      return;
    }
    // The SDK is a CommonJS file; its documentation has pages define `exports` before the script tag.
    response
      .setHeader('content-type', 'text/html')
      .end(
        '<!doctype html><title>Their app</title><script>var exports = {};</script><script src="/cobalt.js"></script>',
      );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/**
 * The Acme CRM connector against the real program. Its recordings say what Acme CRM once answered; this says that it
 * still does, and walks what no recording can: a subscription, its signed call, and a repeated write.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { findConnector } from '@inlay/connectors';
import {
  checkConnection,
  findWebhook,
  headerAuth,
  loadOptions,
  pollTrigger,
  runAction,
  verifyWebhook,
  type WebhookRequest,
  webhookRequest,
} from '@inlay/connectors/kit';
import { demoApiKey } from '../examples/acme-crm/src/seed.ts';
import { startAcmeCrm } from '../examples/acme-crm/src/server.ts';
import { recordingPort } from '../packages/server/src/cli/recording-port.ts';

async function connected(t: TestContext) {
  const crm = await startAcmeCrm({});
  t.after(() => crm.close());
  const connector = findConnector('acme-crm');
  assert.ok(connector);
  const place = { meta: {}, vars: { acme_base_url: crm.url } };
  const http = recordingPort({ connector, place, placement: headerAuth('X-Acme-Key', demoApiKey) });
  t.after(() => http.close());
  return { connector, http, place };
}

/** An address that keeps the first call it gets. */
async function inbox(t: TestContext): Promise<{ url: string; first: Promise<WebhookRequest> }> {
  let url = '';
  const { promise, resolve } = Promise.withResolvers<WebhookRequest>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const headers = request.headers as Record<string, string>;
      resolve(webhookRequest({ method: request.method ?? '', url, headers, rawBody: Buffer.concat(parts) }));
      response.writeHead(204).end();
    });
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((ready) => {
    server.once('listening', ready);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return { url, first: promise };
}

test('the check says whose connection it is and keeps the company', async (t) => {
  const { connector, http, place } = await connected(t);
  assert.deepEqual(await checkConnection(connector, http, place), {
    identifier: 'ada@analytical.example',
    meta: { company_id: 'analytical-engines', user_id: 'usr_ada' },
  });
});

test('the same key creates one contact, another key a second', async (t) => {
  const { connector, http } = await connected(t);
  const create = async (idempotencyKey: string) => {
    const made = await runAction(connector, 'createContact', { name: 'Emmy Noether' }, http, {
      idempotencyKey,
    });
    assert.ok(made.ok);
    return (made.data as { id: string }).id;
  };
  const first = await create('k-1');
  assert.equal(await create('k-1'), first);
  assert.notEqual(await create('k-2'), first);
});

test('lists, live lists and polls follow the pages of the real API', async (t) => {
  const { connector, http } = await connected(t);
  for (let i = 0; i < 101; i += 1) {
    const made = await runAction(connector, 'createContact', { name: `Contact ${i}` }, http);
    assert.ok(made.ok);
  }
  const listed = await runAction(connector, 'listContacts', {}, http);
  assert.ok(listed.ok);
  assert.equal((listed.data as unknown[]).length, 104);
  assert.equal((await loadOptions(connector, 'contacts', {}, http)).length, 104);
  const span = { since: '2026-01-01T00:00:00Z', until: new Date().toISOString() };
  const polled = await pollTrigger(connector, 'contactUpdated', span, http);
  assert.equal(new Set(polled.items.map(({ id }) => id)).size, 104);
});

test(
  'a subscription yields a signed call that verifies, names its company and ends',
  { timeout: 20_000 },
  async (t) => {
    const { connector, http, place } = await connected(t);
    const hook = findWebhook(connector, 'contactCreated');
    assert.ok('subscribe' in hook.setup && hook.route !== 'connection');
    const { url, first } = await inbox(t);
    const context = { url, secret: '', input: {} };
    const subscribed = await http.send(hook.setup.subscribe(context));
    const subscription = hook.setup.read(subscribed.body, context);
    await runAction(connector, 'createContact', { name: 'Emmy Noether' }, http);

    const call = await first;
    const verdict = verifyWebhook(connector, 'contactCreated', call, subscription.secrets, new Date());
    assert.ok(verdict.ok);
    assert.deepEqual(
      verdict.events.map(({ data }) => (data as { name: string }).name),
      ['Emmy Noether'],
    );
    assert.equal(hook.route.by(call), hook.route.of((await checkConnection(connector, http, place)).meta));
    const forged = webhookRequest({
      ...call,
      rawBody: Buffer.from(call.rawBody).toString().replace('Emmy', 'Evil'),
    });
    assert.equal(
      verifyWebhook(connector, 'contactCreated', forged, subscription.secrets, new Date()).ok,
      false,
    );
    assert.equal((await http.send(hook.setup.unsubscribe(subscription))).status, 204);
  },
);

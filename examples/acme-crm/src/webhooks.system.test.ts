import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { api, connect, runningCrm } from './acme-fixture.ts';
import { demoApiKey } from './seed.ts';
import type { AcmeCrm } from './server.ts';

const key = demoApiKey;

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}
interface Subscription {
  id: string;
  secret: string;
}

/** A receiver that answers each delivery with the next of `statuses`, then with 204. */
async function receiver(t: TestContext, statuses: number[] = []) {
  const received: Received[] = [];
  let wake = () => {};
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      response.writeHead(statuses.shift() ?? 204).end();
      wake();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
  t.after(() => server.close().closeAllConnections());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    async atLeast(count: number): Promise<void> {
      // Only to end a test that hangs; a busy machine takes seconds for what is done in milliseconds.
      const deadline = AbortSignal.timeout(30_000);
      while (received.length < count) {
        await new Promise<void>((resolve, reject) => {
          wake = resolve;
          deadline.addEventListener('abort', () =>
            reject(new Error(`only ${received.length} of ${count} deliveries`)),
          );
        });
      }
    },
  };
}

async function subscribe(crm: AcmeCrm, url: string, events: string[]): Promise<Subscription> {
  const response = await api(crm, 'POST', '/webhook-subscriptions', { key, body: { url, events } });
  assert.equal(response.status, 201);
  return (await response.json()) as Subscription;
}

const createContact = (crm: AcmeCrm, name: string) => api(crm, 'POST', '/contacts', { key, body: { name } });

test('a change is delivered with a signature the reference library accepts, and names the company', async (t) => {
  const crm = await runningCrm(t);
  const hook = await receiver(t);
  const { secret } = await subscribe(crm, hook.url, ['contact.*']);
  const { id } = (await (await createContact(crm, 'Sofia')).json()) as { id: string };
  await api(crm, 'PATCH', `/contacts/${id}`, { key, body: { title: 'Dr' } });
  await api(crm, 'DELETE', `/contacts/${id}`, { key });
  await api(crm, 'POST', '/deals', { key, body: { name: 'Not subscribed', amount: 1 } });
  await hook.atLeast(3);

  const events = hook.received.map(({ headers, body }) => {
    return new Webhook(secret).verify(body, headers as Record<string, string>) as {
      type: string;
      company_id: string;
      data: { id: string };
    };
  });
  assert.deepEqual(events.map(({ type }) => type).sort(), [
    'contact.created',
    'contact.deleted',
    'contact.updated',
  ]);
  assert.ok(events.every((event) => event.company_id === 'analytical-engines' && event.data.id === id));
  const [first] = hook.received;
  assert.throws(() =>
    new Webhook(secret).verify(`${first?.body} `, (first?.headers ?? {}) as Record<string, string>),
  );
});

test('a delivery that fails is tried again under the same webhook-id, a few times', async (t) => {
  const crm = await runningCrm(t, { webhookRetryDelaysMs: [5, 5] });
  const hook = await receiver(t, [500, 302, 503]);
  await subscribe(crm, hook.url, ['contact.created']);
  await createContact(crm, 'First');
  await hook.atLeast(3);
  assert.equal(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size, 1);
  await createContact(crm, 'Second');
  await hook.atLeast(4);
  assert.match(hook.received[3]?.body ?? '', /"Second"/);
  assert.equal(crm.control.stats().webhooks.failedAttempts, 3);
  assert.equal(crm.control.stats().webhooks.gaveUp, 1);
});

test('a receiver that answers 410 Gone ends its subscription', async (t) => {
  const crm = await runningCrm(t);
  const hook = await receiver(t, [410]);
  await subscribe(crm, hook.url, ['contact.created']);
  await createContact(crm, 'First');
  await hook.atLeast(1);
  const deadline = Date.now() + 5_000;
  let left = 1;
  while (left > 0 && Date.now() < deadline) {
    const list = (await (await api(crm, 'GET', '/webhook-subscriptions', { key })).json()) as {
      data: unknown[];
    };
    left = list.data.length;
  }
  assert.equal(left, 0);
});

test('subscriptions belong to the app or key that made them and can be ended', async (t) => {
  const crm = await runningCrm(t);
  const { id } = await subscribe(crm, 'http://127.0.0.1:9/hook', ['deal.*']);
  const { access_token: token } = await connect(crm, { params: { scope: 'contacts:read' } });
  const list = await api(crm, 'GET', '/webhook-subscriptions', { token });
  assert.deepEqual(await list.json(), { data: [], next_cursor: null });
  assert.equal((await api(crm, 'DELETE', `/webhook-subscriptions/${id}`, { token })).status, 404);
  const body = { url: 'http://127.0.0.1:9/', events: ['deal.created'] };
  assert.equal((await api(crm, 'POST', '/webhook-subscriptions', { token, body })).status, 403);
  assert.equal((await api(crm, 'DELETE', `/webhook-subscriptions/${id}`, { key })).status, 204);
  const bad = await api(crm, 'POST', '/webhook-subscriptions', {
    key,
    body: { url: 'ftp://x', events: ['x'] },
  });
  assert.equal(bad.status, 422);
});

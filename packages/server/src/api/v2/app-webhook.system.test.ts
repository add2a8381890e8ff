import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { after, before, test } from 'node:test';
import { sha256Hex } from '@inlay/connectors/kit';
import { type AcmeCrm, startAcmeCrm } from '@inlay/example-acme-crm';
import { createTestApi, type TestApi } from '#api/testing';
import { connectWithKeys, disconnect, saveAppSettings } from '#connections/index';
import type { LinkedAccountRef } from '#domain/linked-account';
import { saveWebhookKeys, startSubscriptions } from '#ingress/index';

/** The whole way of an app's event: switched on, subscribed to, signed by the app, verified, started, ended. */

let api: TestApi;
let crm: AcmeCrm;
let ada: LinkedAccountRef;
let bob: LinkedAccountRef;
let subscriptions: ReturnType<typeof startSubscriptions>;
const acmeKey = 'acme_key_demo_ada';

before(async () => {
  crm = await startAcmeCrm({ webhookRetryDelaysMs: [20, 20, 20, 20] });
  api = await createTestApi();
  [ada, bob] = await Promise.all([api.addLinkedAccount('ada'), api.addLinkedAccount('bob')]);
  const { tenant } = api.org;
  const variables = { acme_base_url: crm.url };
  await saveAppSettings(api.deps, tenant, 'acme-crm', { isEnabled: true, variables });
  await connectWithKeys(api.deps, {
    tenant,
    linkedAccount: ada,
    slug: 'acme-crm',
    fields: { apiKey: acmeKey },
  });
  await saveAppSettings(api.deps, tenant, 'gong', { isEnabled: true });
  const publicUrl = await api.app.listen({ host: '127.0.0.1', port: 0 });
  subscriptions = startSubscriptions({ ...api.deps, config: { ...api.deps.config, publicUrl } });
});
after(async () => {
  await subscriptions.stop();
  await api.close();
  await crm.close();
});

type Json = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- bodies of the wire

async function wire(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: object,
  account?: string,
) {
  const answer = await api.app.inject({
    method,
    url: `/api/v2/public${path}`,
    headers: {
      'x-api-key': api.org.keys.test,
      'content-type': 'application/json',
      ...(account !== undefined && { linked_account_id: account }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json<Json>() };
}

async function publish(slug: string, trigger: object, extra: object = {}): Promise<string> {
  const nodes = [
    { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'app_event', ...trigger } } },
  ];
  const made = await wire('POST', '/workflow', { name: 'On app', slug, nodes, edges: [], ...extra });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const published = await wire('PUT', `/workflow/${made.body['workflow']._id}/publish`, { published: true });
  assert.equal(published.status, 200, JSON.stringify(published.body));
  return published.body['_id'] as string;
}

async function acme(method: string, path: string, body?: object): Promise<Json> {
  const answer = await fetch(`${crm.url}/api/v1${path}`, {
    method,
    headers: { 'x-acme-key': acmeKey, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, `${path} answered ${answer.status}`);
  return answer.status === 204 ? {} : ((await answer.json()) as Json);
}

async function until<T>(read: () => Promise<T>, isDone: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const value = await read();
    if (isDone(value) || Date.now() > deadline) return value;
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

async function executionsOf(workflowId: string): Promise<Json[]> {
  const { rows } = await api.database.pool.query<Json>(
    `select e.id, e.account_id, e.source, e.trigger_event, j.output from execution e
     join journal j on j.execution_id = e.id and j.seq = 0 where e.workflow_id = $1 order by e.id`,
    [workflowId],
  );
  return rows;
}

const inbox = async (event: string): Promise<Json[]> => {
  const { rows } = await api.database.pool.query<Json>('select * from inbox where event = $1 order by id', [
    event,
  ]);
  return rows;
};

const subscribed = async () => (await acme('GET', '/webhook-subscriptions'))['data'] as Json[];

test('an event of the app starts the workflow that listens, once, for the account it is about', async () => {
  const conditions = [{ variable: '{{event.name}}', operator: 'starts_with', value: 'Sofia' }];
  const id = await publish('acme-crm', { event: 'contactCreated', conditions }, { autoEnable: true });
  await subscriptions.settle();
  assert.deepEqual(
    (await subscribed()).map(({ events }) => events),
    [['contact.created']],
  );
  await acme('POST', '/contacts', { name: 'Sofia Kovalevskaya' });
  await acme('POST', '/contacts', { name: 'Nobody we want' });
  const log = await until(
    () => inbox('acme-crm/contactCreated'),
    (rows) => rows.length === 2,
  );
  assert.equal(log.filter((row) => row['execution_count'] === 0).length, 1);
  const [execution, ...others] = await executionsOf(id);
  assert.deepEqual(
    [execution?.['account_id'], execution?.['source'], others.length],
    ['ada', 'app_event', 0],
  );
  assert.deepEqual(
    [execution?.['output'].type, execution?.['output'].name],
    ['contact.created', 'Sofia Kovalevskaya'],
  );
});

/** What Acme CRM sends, signed with the secret of our subscription. */
interface SignedCall {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function signedCall(body: string, at = Date.now()): Promise<SignedCall> {
  const { rows } = await api.database.pool.query<Json>(
    `select id, secrets_sealed from app_webhook where app_slug = 'acme-crm' and provider_id is not null`,
  );
  const { secret } = api.deps.vault.openJson(
    rows[0]!['secrets_sealed'] as Buffer,
    `app_webhook.secrets_sealed:${rows[0]!['id']}`,
  ) as {
    secret: string;
  };
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const seconds = Math.floor(at / 1000);
  const signature = createHmac('sha256', key).update(`msg_1.${seconds}.${body}`).digest('base64');
  return {
    url: `/api/v1/webhook/acme-crm/${api.org.orgId}-test`,
    body,
    headers: {
      'content-type': 'application/json',
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(seconds),
      'webhook-signature': `v1,${signature}`,
    },
  };
}

async function deliver(call: SignedCall, change: { url?: string; body?: string } = {}) {
  const answer = await api.app.inject({
    method: 'POST',
    url: change.url ?? call.url,
    headers: { ...call.headers },
    payload: change.body ?? call.body,
  });
  return answer.statusCode;
}

const eventBody = (id: string, company = 'analytical-engines', type = 'contact.created') =>
  JSON.stringify({
    id,
    type,
    timestamp: '2026-03-02T19:00:00Z',
    company_id: company,
    data: { name: 'Sofia' },
  });

test('a delivery that comes many times at once starts one execution', async () => {
  const before = (await inbox('acme-crm/contactCreated')).filter((row) => !row['is_duplicate']).length;
  const call = await signedCall(eventBody('evt_same'));
  const statuses = await Promise.all(Array.from({ length: 40 }, () => deliver(call)));
  assert.deepEqual(new Set(statuses), new Set([200]));
  const log = await inbox('acme-crm/contactCreated');
  assert.equal(log.filter((row) => !row['is_duplicate']).length, before + 1);
  assert.equal(log.filter((row) => row['is_duplicate'] === true).length, 39);
});

test('a changed body, an old timestamp and a foreign key are refused and start nothing', async () => {
  const before = (await inbox('acme-crm/contactCreated')).length;
  const call = await signedCall(eventBody('evt_forged'));
  assert.equal(await deliver(call, { body: `${call.body} ` }), 401);
  assert.equal(await deliver(await signedCall(eventBody('evt_old'), Date.now() - 301_000)), 401);
  const headers = { ...call.headers, 'webhook-signature': 'v1,AAAA' };
  assert.equal(await deliver({ ...call, headers }), 401);
  assert.equal((await inbox('acme-crm/contactCreated')).length, before);
});

test('an unknown account or event is a success that starts nothing; an unknown app is not there', async () => {
  const before = (await inbox('acme-crm/contactCreated')).length;
  assert.equal(await deliver(await signedCall(eventBody('evt_x', 'another-company'))), 200);
  assert.equal(
    await deliver(await signedCall(eventBody('evt_y', 'analytical-engines', 'contact.merged'))),
    200,
  );
  const call = await signedCall(eventBody('evt_z'));
  assert.equal(await deliver(call, { url: call.url.replace('-test', '-production') }), 200);
  assert.equal(await deliver(call, { url: `/api/v1/webhook/no-such-app/${api.org.orgId}-test` }), 404);
  assert.equal(await deliver(call, { body: 'not json' }), 200);
  assert.equal((await inbox('acme-crm/contactCreated')).length, before);
});

test('switching the last workflow off ends the subscription at the app, and switching on makes a new one', async () => {
  const { rows } = await api.database.pool.query<Json>(
    `select id from workflow where trigger_event = 'acme-crm/contactCreated'`,
  );
  const id = rows[0]!['id'] as string;
  await wire('PUT', `/workflow/${id}/publish`, { published: false });
  await subscriptions.settle();
  assert.deepEqual(await subscribed(), []);
  await wire('PUT', `/workflow/${id}/publish`, { published: true });
  await subscriptions.settle();
  assert.equal((await subscribed()).length, 1);
  await disconnect(api.deps, { tenant: api.org.tenant, linkedAccount: ada, slug: 'acme-crm' });
  await subscriptions.settle();
  const left = await api.database.pool.query(`select from app_webhook where app_slug = 'acme-crm'`);
  assert.equal(left.rowCount, 0);
});

test("a call of Gong's rule is taken at the account's own URL with the key that its administrator pasted", async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const id = await publish('gong', { event: 'callMatchedRule' }, { autoEnable: true });
  await api.database.pool.query(
    `insert into connection (id, org_id, environment, linked_account_id, app_slug, auth_type, status, credential_sealed, connected_at)
     values ('0123456789abcdef01234567', $1, 'test', $2, 'gong', 'keybased', 'active', '\\x00', now())`,
    [api.org.orgId, bob.id],
  );
  const of = { linkedAccountId: bob.id, slug: 'gong', trigger: 'callMatchedRule' };
  await assert.rejects(saveWebhookKeys(api.deps, api.org.tenant, of, {}), { code: 'invalid_request' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  await saveWebhookKeys(api.deps, api.org.tenant, of, { publicKey: pem });

  const path = `/api/v1/webhook/gong/${bob.id}`;
  const body = JSON.stringify({ callData: { metaData: { id: '77', title: 'Renewal' } }, isTest: false });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (url: string) => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const claims = { webhook_url: url, body_sha256: sha256Hex(Buffer.from(body)), exp };
    const head = `${part({ alg: 'RS256' })}.${part(claims)}`;
    return `${head}.${sign('RSA-SHA256', Buffer.from(head), privateKey).toString('base64url')}`;
  };
  const send = (url: string, signedFor: string) =>
    api.app.inject({
      method: 'POST',
      url,
      headers: { authorization: `Bearer ${token(signedFor)}`, 'content-type': 'application/json' },
      payload: body,
    });
  const { publicUrl } = api.deps.config;
  assert.equal((await send(path, `${publicUrl}/elsewhere`)).statusCode, 401);
  assert.equal((await send(path, `${publicUrl}${path}`)).statusCode, 200);
  assert.equal((await send(path, `${publicUrl}${path}`)).statusCode, 200);
  const executions = await executionsOf(id);
  assert.deepEqual(
    executions.map((one) => [one['account_id'], one['output'].metaData.title]),
    [['bob', 'Renewal']],
  );
});

test('a trigger that the app does not have is refused when the workflow goes live', async () => {
  const nodes = [
    { id: '1', node_type: 'start', data: { trigger: { kind: 'app_event', event: 'callDeleted' } } },
  ];
  const made = await wire('POST', '/workflow', { name: 'Bad', slug: 'gong', nodes, edges: [] });
  const answer = await wire('PUT', `/workflow/${made.body['workflow']._id}/publish`, { published: true });
  assert.equal(answer.status, 400);
  assert.deepEqual(answer.body['errors'][0].path, 'nodes[0].data.trigger.event');
  assert.match(answer.body['errors'][0].message as string, /use one of callMatchedRule/);
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AcmeCrm, startAcmeCrm } from '@inlay/example-acme-crm';
import { pino } from 'pino';
import { createTestApi, type TestApi } from '#api/testing';
import { connectWithKeys, saveAppSettings } from '#connections/index';
import { listPolls } from '#db/poll';
import { newId } from '#domain/ids';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Engine } from '#engine/index';
import { changeWorkflow, createWorkflow, publishWorkflow, unpublishWorkflow } from '#workflows/index';
import { beginPolls, type PollDeps } from '#triggers/poll-apps';

let api: TestApi;
let crm: AcmeCrm;
/** One clock for us and the provider; only the test moves it. */
let now = new Date('2026-11-01T00:00:00Z').getTime();
const clock = { now: () => new Date(now) };
const pass = (minutes: number): void => void (now += minutes * 60_000);

before(async () => {
  [api, crm] = await Promise.all([createTestApi({ clock }), startAcmeCrm({ clock })]);
  await saveAppSettings(api.deps, api.org.tenant, 'acme-crm', {
    isEnabled: true,
    variables: { acme_base_url: crm.url },
  });
});
after(async () => {
  await crm.close();
  await api.close();
});

const acmeKey = 'acme_key_demo_ada';
const connect = (linkedAccount: LinkedAccountRef) =>
  connectWithKeys(api.deps, {
    tenant: api.org.tenant,
    linkedAccount,
    slug: 'acme-crm',
    fields: { apiKey: acmeKey },
  });

async function connectedAccount(): Promise<LinkedAccountRef> {
  const account = await api.addLinkedAccount(`p-${newId()}`);
  await connect(account);
  return account;
}

/** Calls the CRM as one of its users. */
async function acme(method: string, path: string, body?: object): Promise<{ id: string }> {
  const response = await fetch(`${crm.url}/api/v1${path}`, {
    method,
    headers: { 'x-acme-key': acmeKey, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, await response.clone().text());
  return (await response.json()) as { id: string };
}
const addContact = (name: string) => acme('POST', '/contacts', { name });

const onContacts = { kind: 'polling', app: 'acme-crm', event: 'contactUpdated', frequency: 1 };

/** A workflow of the account that a poll starts. */
async function publish(account: LinkedAccountRef, trigger: object = onContacts) {
  const caller = { tenant: api.org.tenant, isCustomer: false, linkedAccount: account };
  const { id } = await createWorkflow(api.deps, caller, {
    name: `Polls ${newId()}`,
    nodes: [{ id: '1', node_type: 'start', data: { trigger } }],
  });
  await publishWorkflow(api.deps, caller, id);
  return {
    id,
    republish: async () => publishWorkflow(api.deps, caller, id),
    unpublish: async () => unpublishWorkflow(api.deps, caller, id),
  };
}

/** Polls what is due, until nothing is. */
async function poll(overrides: Partial<PollDeps> = {}): Promise<void> {
  const deps: PollDeps = { ...api.deps, log: pino({ level: 'silent' }), ...overrides };
  for (;;) {
    const begun = await beginPolls(deps, 10, new AbortController().signal);
    if (begun.length === 0) return;
    await Promise.all(begun.map(({ finished }) => finished));
  }
}

/** The names of the records that executions were started for. */
async function started(workflowId: string): Promise<string[]> {
  const { rows } = await api.database.pool.query<{ name: string }>(
    `select j.output ->> 'name' as name from execution e join journal j on j.execution_id = e.id and j.seq = 0
     where e.workflow_id = $1 and e.source = 'polling' order by e.id`,
    [workflowId],
  );
  return rows.map(({ name }) => name);
}

async function stateOf(account: LinkedAccountRef) {
  const { rows } = await listPolls(api.database.pool, api.org.tenant, account.id, { page: 1, limit: 10 });
  return rows[0]!;
}

test('the first poll starts nothing for what is there; then each new record starts one execution', async () => {
  const account = await connectedAccount();
  const { id } = await publish(account);
  await addContact('Before');
  await poll();
  assert.deepEqual(await started(id), []);
  pass(2);
  await poll();
  assert.deepEqual(await started(id), [], 'what the overlap lists again is known');
  await addContact('Ada');
  await addContact('Grace');
  pass(2);
  await poll();
  assert.deepEqual(await started(id), ['Ada', 'Grace']);
  const state = await stateOf(account);
  assert.deepEqual([state.last_new, state.total_new, state.last_error], [2, 2, null]);
  assert.deepEqual(state.last_checked_at, clock.now());
});

test('a change of a record runs once; the same version never again, however often it is listed', async () => {
  const account = await connectedAccount();
  const { id } = await publish(account);
  await poll();
  const { id: contact } = await addContact('Changing');
  pass(2);
  await poll();
  await acme('PATCH', `/contacts/${contact}`, { title: 'Countess' });
  for (let i = 0; i < 4; i += 1) {
    now += 67_000;
    await poll();
  }
  assert.deepEqual(await started(id), ['Changing', 'Changing']);
});

test('a record that the conditions of the trigger turn away starts nothing until it changes', async () => {
  const account = await connectedAccount();
  const conditions = [{ variable: '{{event.name}}', operator: 'starts_with', value: 'VIP ' }];
  const { id } = await publish(account, { ...onContacts, conditions });
  await poll();
  await addContact('VIP Ada');
  const { id: contact } = await addContact('Ordinary');
  pass(2);
  await poll();
  assert.deepEqual(await started(id), ['VIP Ada']);
  assert.deepEqual((await stateOf(account)).total_new, 1, 'only what was started is counted');
  await acme('PATCH', `/contacts/${contact}`, { name: 'VIP Ordinary' });
  pass(2);
  await poll();
  assert.deepEqual(await started(id), ['VIP Ada', 'VIP Ordinary']);
});

test('cursor, seen records and executions commit together: a poll that dies halfway skips and repeats nothing', async () => {
  const account = await connectedAccount();
  const { id } = await publish(account);
  await poll();
  const before = await api.database.pool.query('select cursor_at from poll where workflow_id = $1', [id]);
  await addContact('Kept');
  pass(2);
  const engine: Engine = {
    ...api.deps.engine,
    async startInTransaction(client, starts) {
      await api.deps.engine.startInTransaction(client, starts);
      throw new Error('The process died here.');
    },
  };
  await poll({ engine });
  assert.deepEqual(await started(id), []);
  const after = await api.database.pool.query('select cursor_at from poll where workflow_id = $1', [id]);
  assert.deepEqual(after.rows, before.rows);
  assert.match((await stateOf(account)).last_error ?? '', /fault on our side/);
  pass(2);
  await poll();
  assert.deepEqual(await started(id), ['Kept']);
  assert.equal((await stateOf(account)).last_error, null);
});

test('two processes that poll at once start each record once', async () => {
  const account = await connectedAccount();
  const { id } = await publish(account);
  await poll();
  await addContact('Once');
  pass(2);
  await Promise.all([poll(), poll(), poll()]);
  assert.deepEqual(await started(id), ['Once']);
});

test('a poll that was overtaken writes nothing', async () => {
  const account = await connectedAccount();
  const { id } = await publish(account);
  await poll();
  await addContact('Overtaken');
  pass(2);
  const deps: PollDeps = { ...api.deps, log: pino({ level: 'silent' }) };
  const slow = await beginPolls(deps, 10, new AbortController().signal);
  // Its lease ended while the app was slow to answer, and another process took the poll.
  await api.database.pool.query(`update poll set claim = 'another' where workflow_id = $1`, [id]);
  await Promise.all(slow.map(({ finished }) => finished));
  assert.deepEqual(await started(id), []);
  pass(6);
  await poll();
  assert.deepEqual(await started(id), ['Overtaken']);
});

test('publishing again keeps the cursor, and so does a while without a published version', async () => {
  const account = await connectedAccount();
  const { id, republish, unpublish } = await publish(account);
  await poll();
  await addContact('While republished');
  await republish();
  pass(2);
  await poll();
  await unpublish();
  await addContact('While unpublished');
  pass(2);
  await poll();
  assert.deepEqual(await started(id), ['While republished']);
  await republish();
  await poll();
  assert.deepEqual(await started(id), ['While republished', 'While unpublished']);
});

test('a failing app is asked less and less often, and the poll shows why', async () => {
  const account = await connectedAccount();
  const { id } = await publish(account);
  await poll();
  await addContact('Late');
  pass(2);
  crm.control.setFaults({ api: { times: 1_000, status: 503 } });
  const waits: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    await poll();
    const { next_at, last_error, last_checked_at } = await stateOf(account);
    assert.match(last_error ?? '', /Acme CRM/);
    assert.deepEqual(last_checked_at, clock.now());
    waits.push(Math.round((next_at.getTime() - now) / 60_000));
    now = next_at.getTime();
  }
  crm.control.clearFaults();
  assert.deepEqual(waits, [1, 2, 4]);
  await poll();
  assert.deepEqual(await started(id), ['Late']);
  assert.equal((await stateOf(account)).last_error, null);
});

test('an account that must authorize again pauses its polls until it has', async () => {
  const account = await connectedAccount();
  const { id } = await publish(account);
  await poll();
  await api.database.pool.query(`update connection set status = 'expired' where linked_account_id = $1`, [
    account.id,
  ]);
  await addContact('Meanwhile');
  pass(2);
  await poll();
  const state = await stateOf(account);
  assert.equal(state.needs_reauth, true);
  assert.match(state.last_error ?? '', /authoriz/);
  assert.deepEqual(await started(id), []);
  await connect(account);
  await poll();
  assert.deepEqual(await started(id), ['Meanwhile']);
  assert.equal((await stateOf(account)).needs_reauth, false);
});

test('a poll of other records begins anew, and starts nothing for what is there', async () => {
  const account = await connectedAccount();
  const caller = { tenant: api.org.tenant, isCustomer: false, linkedAccount: account };
  const { id } = await publish(account);
  await poll();
  const custom = await makeCustom({ name: 'Deals', path: '/deals', dedupe_field: 'id' });
  await acme('POST', '/deals', { name: 'Old deal', amount: 1, currency: 'EUR' });
  await changeWorkflow(api.deps, caller, id, {
    nodes: [
      {
        id: '1',
        node_type: 'start',
        data: { trigger: { ...onContacts, event: undefined, polling_trigger_id: custom, frequency: 5 } },
      },
    ],
  });
  await publishWorkflow(api.deps, caller, id);
  pass(2);
  await poll();
  assert.deepEqual(await started(id), []);
  await acme('POST', '/deals', { name: 'New deal', amount: 1, currency: 'EUR' });
  pass(6);
  await poll();
  assert.deepEqual(await started(id), ['New deal']);
});

type Body = Record<string, unknown>;
const base = '/api/v1/public/connector/acme-crm/polling-trigger';
async function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: Body, headers: Body = {}) {
  const response = await api.app.inject({
    method,
    url,
    headers: { 'x-api-key': api.org.keys.test, ...(headers as Record<string, string>) },
    ...(body === undefined ? {} : { payload: body }),
  });
  return { status: response.statusCode, body: response.json<Body>() };
}

const definition = {
  name: 'Contacts by hand',
  path: '/contacts',
  query: { updated_since: '[[from]]', limit: '2' },
  items_path: 'data',
  dedupe_field: 'id',
  version_field: 'updated_at',
  overlap_minutes: 1,
  min_interval: 1,
  pagination: { type: 'cursor', next_path: 'next_cursor', send_as: 'cursor' },
};

async function makeCustom(over: Body): Promise<string> {
  const { query: _query, ...rest } = definition;
  const { status, body } = await call('POST', base, { ...rest, version_field: undefined, ...over });
  assert.equal(status, 200, JSON.stringify(body));
  return body['_id'] as string;
}

test('a custom polling trigger is made, read, tried, changed, used and deleted', async () => {
  const account = await connectedAccount();
  await addContact('Listed');
  const tried = await call('POST', `${base}/test`, definition, { linked_account_id: account.accountId });
  assert.equal(tried.status, 200, JSON.stringify(tried.body));
  assert.ok((tried.body['total'] as number) > 2, 'it follows the pages');
  const made = await call('POST', base, definition);
  const id = made.body['_id'] as string;
  assert.deepEqual((await call('GET', `${base}/${id}`)).body['pagination'], definition.pagination);
  const changed = await call('PUT', `${base}/${id}`, { ...definition, name: 'By hand' });
  assert.equal(changed.body['name'], 'By hand');
  const { docs } = (await call('GET', base)).body as { docs: Body[] };
  assert.ok(docs.some((doc) => doc['_id'] === id));

  const trigger = { kind: 'polling', app: 'acme-crm', polling_trigger_id: id, frequency: 1 };
  const workflow = await publish(account, trigger);
  await poll();
  await addContact('By hand');
  pass(2);
  await poll();
  pass(2);
  await poll();
  assert.deepEqual(await started(workflow.id), ['By hand']);

  const refused = await call('DELETE', `${base}/${id}`);
  assert.deepEqual(
    [refused.status, /Published workflows poll/.test(String(refused.body['message']))],
    [400, true],
  );
  await workflow.unpublish();
  assert.equal((await call('DELETE', `${base}/${id}`)).status, 200);
  assert.equal((await call('GET', `${base}/${id}`)).status, 404);
});

test('bad definitions and strangers are refused at every door of polling triggers', async () => {
  const bad: readonly [Body, RegExp][] = [
    [{ ...definition, dedupe_field: undefined }, /dedupe_field: is required/],
    [{ ...definition, min_interval: 7 }, /min_interval: use 1, 5, 15, 60/],
    [{ ...definition, headers: { Authorization: 'x' } }, /headers: the credential is that of the connection/],
    [{ ...definition, pagination: { type: 'magic' } }, /pagination\.type/],
    [{ ...definition, name: ' ' }, /name/],
  ];
  for (const [body, message] of bad) {
    for (const [method, url] of [
      ['POST', base],
      ['PUT', `${base}/${newId()}`],
    ] as const) {
      const answer = await call(method, url, body);
      assert.equal(answer.status, 400);
      assert.match(answer.body['message'] as string, message);
    }
  }
  const id = await makeCustom({ name: 'Mine' });
  assert.equal((await call('POST', base, { ...definition, name: 'Mine' })).status, 409);
  const other = await api.addOrganization('Other');
  for (const [method, url, body] of [
    ['GET', `${base}/${id}`],
    ['PUT', `${base}/${id}`, definition],
    ['DELETE', `${base}/${id}`],
  ] as const) {
    assert.equal((await call(method, url, body, { 'x-api-key': other.keys.test })).status, 404);
    assert.equal((await call(method, url, body, { 'x-api-key': '' })).status, 401);
  }
  assert.deepEqual((await call('GET', base, undefined, { 'x-api-key': other.keys.test })).body, { docs: [] });
  assert.equal((await call('POST', base.replace('acme-crm', 'no-app'), definition)).status, 404);
  const account = await connectedAccount();
  const tried = await call(
    'POST',
    `${base}/test`,
    { ...definition, dedupe_field: 'nothing' },
    { linked_account_id: account.accountId },
  );
  assert.deepEqual([tried.status, /no "nothing"/.test(String(tried.body['message']))], [400, true]);
  const lost = await call(
    'POST',
    `${base}/test`,
    { ...definition, path: '/nowhere' },
    { linked_account_id: account.accountId },
  );
  assert.equal(lost.status, 400, JSON.stringify(lost.body));
  assert.match(lost.body['message'] as string, /path: Acme CRM answers 404 to a request for "\/nowhere"/);
});

test('a start node that cannot be polled does not go live, and says why', async () => {
  const account = await connectedAccount();
  for (const [trigger, message] of [
    [{ ...onContacts, event: 'nothing' }, /no polling trigger "nothing"; it has contactUpdated/],
    [{ ...onContacts, event: 'toString' }, /no polling trigger "toString"/],
    [{ ...onContacts, frequency: 2 }, /frequency: is minutes: 1, 5, 15, 60/],
    [
      { ...onContacts, app: 'gong', event: 'callProcessed', frequency: 5 },
      /Gong is asked every 15 min at most/,
    ],
    [{ ...onContacts, app: undefined }, /belongs to no app/],
    [{ ...onContacts, event: undefined, polling_trigger_id: newId() }, /has no polling trigger/],
  ] as const) {
    await assert.rejects(publish(account, trigger), message);
  }
});

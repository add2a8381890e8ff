import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { newId } from '#domain/ids';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

let api: TestApi;
let cookie: string;
let tenant: Tenant;
let ann: LinkedAccountRef;
let bob: LinkedAccountRef;
const workflowId = newId();

before(async () => {
  api = await createTestApi();
  const body = { email: 'ada@example.com', password: 'correct horse', name: 'A', organization: 'Ops' };
  const answer = await api.app.inject({ method: 'POST', url: '/api/admin/sign-up', payload: body });
  cookie = answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
  const { rows } = await api.database.pool.query<{ id: string }>(
    `select id from organization where name = 'Ops'`,
  );
  tenant = { orgId: rows[0]!.id, environment: 'test' };
  ann = await api.addLinkedAccount('ann', tenant);
  bob = await api.addLinkedAccount('bob', tenant);
});
after(() => api.close());

async function call(method: 'GET' | 'POST', path: string, payload?: object) {
  const headers = { cookie };
  const answer = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers,
    ...(payload && { payload }),
  });
  return {
    status: answer.statusCode,
    text: answer.body,
    body: answer.headers['content-type']?.toString().includes('json') === true ? answer.json() : undefined,
  };
}

/** Runs a workflow that ends with the message in its payload. */
async function run(payload: Record<string, unknown>, account = ann, action = 'error'): Promise<string> {
  const { executionId } = await api.deps.engine.startExecution(tenant, {
    workflowId,
    document: {
      nodes: [
        { id: '1', node_type: 'start', name: 'Start', data: {} },
        {
          id: '2',
          node_type: 'terminate',
          name: 'End',
          data: { action: 'terminate', message: '{{event.message}}', status: action },
        },
      ],
      edges: [{ source: '1', target: '2' }],
      settings: { custom_fields: { order: '{{event.order}}', nothing: '{{event.missing.deep}}' } },
    },
    linkedAccount: account,
    configId: account.accountId,
    source: 'api_call',
    payload,
    instanceTag: payload['tag'] as string | undefined,
  });
  const deadline = Date.now() + 10_000;
  while ((await api.deps.engine.read(tenant, executionId)).header.finishedAt === null) {
    assert.ok(Date.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return executionId;
}

test('errors that differ in names and numbers only are one group; others are not', async () => {
  await run({ message: 'Order 17 of "Acme" not found: https://a.example/17' });
  const last = await run({ message: 'Order 4711 of "Umbrella Inc" not found: https://b.example/x?y=1' }, bob);
  await run({ message: 'Customer 17 not found' });
  const { body } = await call('GET', '/executions/errors');
  assert.deepEqual(
    body.errors.map((group: { count: number }) => group.count),
    [2, 1],
  );
  const [group] = body.errors;
  assert.equal(group.sample.execution_id, last);
  assert.match(group.sample.message, /4711/);
  const found = await call('GET', `/executions?error_hash=${group.error_hash}`);
  assert.deepEqual(
    found.body.docs.map((doc: { linked_account_id: string }) => doc.linked_account_id),
    ['bob', 'ann'],
  );
  assert.equal((await call('GET', '/executions/errors?limit=0')).status, 400);
});

test('an execution is found by a custom field, by text in its error or tag, and page after page by cursor', async () => {
  const one = await run({ message: 'Searched Words', order: 'A-1', tag: 'Nightly Import' });
  const two = await run({ message: 'other', order: 'A-12' });
  const ids = async (query: string) =>
    (await call('GET', `/executions?${query}`)).body.docs.map(({ id }: { id: string }) => id);
  assert.deepEqual(await ids('custom_field=order:A-1'), [one]);
  assert.deepEqual(await ids('search=searched%20words'), [one]);
  assert.deepEqual(await ids('search=nightly'), [one]);
  assert.deepEqual(await ids('search=a-1'), [two, one]);
  assert.deepEqual(await ids('search=a-1&account=bob'), []);
  assert.match(
    (await call('GET', '/executions?custom_field=order')).body.message,
    /"order" is not "name:value"/,
  );
  const all = await ids('limit=100');
  const paged: string[] = [];
  for (let cursor = ''; ;) {
    const { body } = await call('GET', `/executions?limit=2&cursor=${cursor}`);
    paged.push(...body.docs.map(({ id }: { id: string }) => id));
    if (body.next_cursor === null) break;
    cursor = body.next_cursor;
  }
  assert.deepEqual(paged, all);
  const { body } = await call('GET', `/executions/${one}`);
  assert.deepEqual(body.custom_fields, { order: 'A-1' });
});

test('the list is a CSV file too, in which no cell is a formula', async () => {
  await run({ message: '=HYPERLINK("x")', order: 'csv' });
  const { status, text } = await call('GET', '/executions.csv?custom_field=order:csv');
  assert.equal(status, 200);
  const [header, row, end] = text.split('\n');
  assert.match(header!, /^id,workflow_id,/);
  assert.match(row!, /ERRORED.*"'=HYPERLINK\(""x""\)"/);
  assert.equal(end, '');
});

test('many are retried by their error, no more than asked for, and once a request', async () => {
  for (const n of [1, 2, 3]) await run({ message: `Bulk ${n} failed`, order: 'bulk' });
  const { body } = await call('GET', '/executions?custom_field=order:bulk');
  const hash = body.docs[0].error_hash as string;
  const request = { error_hash: hash, limit: 2, request_id: 'monday' };
  const first = (await call('POST', '/executions/retry', request)).body;
  assert.equal(first.retried.length, 2);
  assert.deepEqual((await call('POST', '/executions/retry', request)).body, first, 'the same again');
  const next = (await call('POST', '/executions/retry', { error_hash: hash, limit: 1 })).body;
  assert.equal(next.retried.length, 1);
  assert.equal(new Set([...first.retried, ...next.retried].map(({ retry_of }) => retry_of)).size, 3);
  const named = (await call('POST', '/executions/retry', { ids: ['0'.repeat(24)] })).body;
  assert.deepEqual(named.refused, [{ id: '0'.repeat(24), reason: 'Execution not found' }]);
});

test('a retry that says too little or too much is refused, and so is what belongs to others', async () => {
  const id = await run({ message: 'mine' });
  const refused = async (path: string, payload: object) => (await call('POST', path, payload)).body.message;
  assert.match(await refused('/executions/retry', {}), /error_hash: give one of/);
  assert.match(await refused('/executions/retry', { error_hash: 'x', ids: [id] }), /ids: give one of/);
  assert.match(await refused('/executions/retry', { ids: [id], limit: 501 }), /limit: must be at most 500/);
  assert.match(await refused(`/executions/${id}/retry`, { from: 'middle' }), /from: is "failure"/);
  assert.match(await refused(`/executions/${id}/retry`, { from: 'node' }), /node_id: is required/);
  assert.match(await refused(`/executions/${id}/retry`, { node_id: '2' }), /goes with "from": "node" only/);
  assert.match(await refused(`/executions/${id}/rerun?version=first`, {}), /version: is "pinned"/);
  const key = { 'x-api-key': api.org.keys.test, linked_account_id: 'zoe' };
  await api.addLinkedAccount('zoe');
  const foreign = await api.app.inject({
    method: 'POST',
    url: `/api/v2/public/execution/${id}/retry`,
    headers: key,
    payload: {},
  });
  assert.equal(foreign.statusCode, 404);
  const many = await api.app.inject({
    method: 'POST',
    url: '/api/v2/public/executions/retry',
    headers: key,
    payload: { ids: [id] },
  });
  assert.deepEqual(many.json().refused, [{ id, reason: 'Execution not found' }]);
});

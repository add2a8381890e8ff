import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { createHumanTasks } from '#human-tasks/index';
import type { Mail, MailMessage } from '#mail/index';
import { addRingKey, dropOldRingKeys, openVault, resealAll, type Vault } from '#vault/index';

/** Forms of human tasks over HTTP: the JSON doors, the dashboard's list, and what a rotation of keys does to them. */

let dir: string;
let vault: Vault;
let api: TestApi;
let cookie = '';
let orgId: string;
let key: string;
const sent: MailMessage[] = [];
let isRefused = false;

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'inlay-tasks-'));
  vault = await openVault({ keyFile: path.join(dir, 'keys.json') });
  const mail = {
    send: async (_tenant: unknown, message: MailMessage) => {
      sent.push(message);
      return isRefused
        ? { isSent: false, message: 'The server refused every receiver.', retry: 'never' }
        : { isSent: true, messageId: '<1>', accepted: [], rejected: ['bob@example.com'], smtpHost: 'mail' };
    },
  } as unknown as Mail;
  api = await createTestApi({ vault, mail });
  const answer = await call('POST', '/api/admin/sign-up', {
    email: 'ada@example.com',
    password: 'correct horse',
    name: 'Ada',
    organization: 'Ada & Co.',
  });
  cookie = answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
  const { body } = await call('GET', '/api/admin/organization');
  orgId = body.id;
  const { keys } = (await call('GET', '/api/admin/api-keys')).body;
  const testKey = keys.find(({ environment }: { environment: string }) => environment === 'test');
  key = (await call('POST', `/api/admin/api-keys/${testKey.id}/reveal`, {})).body.key;
  await api.addLinkedAccount('ann', { orgId, environment: 'test' });
});
after(async () => {
  await api.close();
  await rm(dir, { recursive: true });
});

async function call(method: string, url: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await api.app.inject({
    method: method as 'GET',
    url,
    headers: {
      ...(url.startsWith('/api/admin') && cookie !== '' && { cookie }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return {
    status: answer.statusCode,
    body: answer.body === '' ? undefined : answer.json(),
    cookies: answer.cookies,
    headers: answer.headers,
  };
}

async function until<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await read();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const nodes = (more: object) => [
  { id: '1', node_type: 'start', name: 'Start', data: {} },
  {
    id: '2',
    node_type: 'human_task',
    name: 'Ask',
    data: {
      title: 'Approve the invoice',
      description: 'Please look at it.',
      receivers: 'ann@example.com, bob@example.com',
      subject: 'Please approve',
      body: 'Here: [[form_url]]',
      timeout_minutes: 60,
      fields: [
        { name: 'invoice', label: 'Invoice', type: 'text', read_only: true },
        { name: 'amount', label: 'Amount', type: 'number', required: true },
        { name: 'verdict', type: 'radio', required: true, options: ['yes', 'no'] },
      ],
      prefill: { invoice: '{{event.invoice}}' },
      ...more,
    },
  },
  { id: '3', node_type: 'response', name: 'Answer', data: { data: '{{node.2.body}}' } },
];
const edges = [
  { source: '1', target: '2' },
  { source: '2', target: '3' },
];
const asKey = () => ({ 'x-api-key': key, linked_account_id: 'ann' });

/** An execution that waits for its form; `url` is the JSON door that its mail leads to. */
async function waiting(more: object = {}): Promise<{ executionId: string; url: string; id: string }> {
  const made = await call(
    'POST',
    '/api/v2/public/workflow',
    { name: 'Ask', nodes: nodes(more), edges },
    asKey(),
  );
  const { _id: workflow } = made.body.workflow;
  const live = await call('PUT', `/api/v2/public/workflow/${workflow}/publish`, {}, asKey());
  assert.equal(live.status, 200, JSON.stringify(live.body));
  const before = sent.length;
  const started = await call(
    'POST',
    `/api/v2/public/workflow/${live.body._id}/execute`,
    { invoice: 'R-17' },
    asKey(),
  );
  const text = await until(async () => sent[before]?.text);
  const token = /\/tasks\/([\w-]{43})$/.exec(text)![1]!;
  const executionId = started.body.execution_id;
  const { id } = await until<{ id: string }>(async () => {
    const { tasks } = (await call('GET', '/api/admin/human-tasks')).body;
    return tasks.find(
      (task: { execution_id: string; mail: string }) =>
        task.execution_id === executionId && task.mail === 'sent',
    );
  });
  return { executionId, id, url: `/api/v2/public/human-tasks/${token}` };
}

const ended = (executionId: string) =>
  until(async () => {
    const { body } = await call('GET', `/api/v2/public/execution/${executionId}`, undefined, asKey());
    return ['COMPLETED', 'ERRORED', 'STOPPED'].includes(body.status) ? body : undefined;
  });

test('a form is read and sent in as JSON from a page of anybody, and the workflow goes on with the values', async () => {
  const { executionId, url } = await waiting();
  const form = await call('GET', url, undefined, { origin: 'https://forms.example' });
  assert.equal(form.status, 200);
  assert.deepEqual(
    [form.headers['access-control-allow-origin'], form.headers['cache-control']],
    ['*', 'no-store'],
  );
  const { name, data, status, receiver_emails, form_structure } = form.body;
  assert.deepEqual(
    [name, data.invoice, status, receiver_emails, form_structure.required],
    ['Approve the invoice', 'R-17', 'WAITING', ['ann@example.com', 'bob@example.com'], ['amount', 'verdict']],
  );
  for (const hidden of ['instance_id', 'node_id', 'org_id', 'delayed_job_id', 'execution_id']) {
    assert.equal(hidden in form.body, false, hidden);
  }
  const preflight = await call('OPTIONS', url, undefined, {
    origin: 'https://forms.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type',
  });
  assert.equal(preflight.status, 204);
  assert.match(String(preflight.headers['access-control-allow-methods']), /POST/);
  assert.match(String(preflight.headers['access-control-allow-headers']), /content-type/);

  const answer = { data: { amount: 13, verdict: 'yes' } };
  assert.deepEqual((await call('POST', url, answer)).body, { message: 'Form submitted successfully' });
  const again = await call('POST', url, answer);
  assert.deepEqual([again.status, /submitted already/.test(again.body.message)], [400, true]);
  const { nodes: ran } = await ended(executionId);
  assert.deepEqual(ran[2].latest_output.body, {
    invoice: 'R-17',
    amount: 13,
    verdict: 'yes',
    form_status: 'submitted',
  });
  const read = (await call('GET', url)).body;
  assert.deepEqual([read.status, read.data.amount], ['SUBMITTED', 13]);
});

test('what is wrong with an answer is told by its fields; an id that is none is not found, whatever its shape', async () => {
  const { url, executionId } = await waiting();
  const wrong: [unknown, RegExp][] = [
    [{}, /data/],
    [{ data: [] }, /data/],
    [{ data: {} }, /data\.amount.*data\.verdict/s],
    [{ data: { amount: 'much', verdict: 'yes' } }, /data\.amount/],
    [{ data: { amount: 1, verdict: 'perhaps' } }, /data\.verdict/],
    [{ data: { amount: 1, verdict: 'yes', invoice: 'R-18' } }, /data\.invoice/],
    [{ data: { amount: 1, verdict: 'yes', more: 1 } }, /data\.more/],
  ];
  for (const [body, message] of wrong) {
    const answer = await call('POST', url, body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.match(answer.body.message, message);
  }
  for (const id of ['x', '0'.repeat(24), 'A'.repeat(43), '%00', 'a'.repeat(200)]) {
    for (const method of ['GET', 'POST']) {
      const body = method === 'GET' ? undefined : { data: { amount: 1 } };
      const answer = await call(method, `/api/v2/public/human-tasks/${id}`, body);
      assert.deepEqual(
        [answer.status, answer.body.message],
        [404, 'Specified Form Not Found'],
        `${method} ${id}`,
      );
    }
  }
  // When the execution is stopped its form is gone.
  await call('POST', `/api/v2/public/execution/${executionId}/stop`, {}, asKey());
  assert.equal((await call('GET', url)).status, 404);
});

test('the dashboard lists the tasks of its organisation by state and workflow, page by page, without link or answer', async () => {
  const { url, id, executionId } = await waiting();
  const list = (query = '', headers = {}) =>
    call('GET', `/api/admin/human-tasks${query}`, undefined, headers);
  const [first] = (await list('?status=WAITING&limit=1')).body.tasks;
  assert.deepEqual(
    [first.id, first.title, first.status, first.mail, first.execution_id],
    [id, 'Approve the invoice', 'WAITING', 'sent', executionId],
  );
  assert.ok(!JSON.stringify(first).includes(url.split('/').at(-1)!));
  const page = (await list('?limit=1')).body;
  assert.equal(page.next, id);
  assert.ok((await list(`?before=${page.next}`)).body.tasks.every((task: { id: string }) => task.id < id));
  assert.deepEqual((await list(`?workflow_id=${first.workflow_id}`)).body.tasks, [first]);
  assert.ok((await list('?status=SUBMITTED')).body.tasks.length > 0);
  assert.equal((await list('?status=DONE')).status, 400);
  assert.equal((await list('?limit=0')).status, 400);
  assert.deepEqual((await list('', { 'x-inlay-environment': 'production' })).body.tasks, []);
  assert.equal((await list('', { cookie: '' })).status, 401);
});

test('a mail is sent again to whoever lost it, with the same link, while the task waits', async () => {
  const { url, id } = await waiting();
  const resend = (of = id, headers = {}) => call('POST', `/api/admin/human-tasks/${of}/resend`, {}, headers);
  const before = sent.length;
  assert.deepEqual((await resend()).body, { rejected: ['bob@example.com'] });
  const [original, copy] = sent.slice(before - 1);
  for (const part of ['to', 'subject', 'text', 'html'] as const) {
    assert.deepEqual(copy?.[part], original?.[part]);
  }
  assert.equal(copy?.signal, undefined);
  assert.notEqual(copy?.idempotencyKey, original?.idempotencyKey);
  assert.ok(copy?.text?.endsWith(url.split('/').at(-1)!));
  isRefused = true;
  const refused = await resend();
  isRefused = false;
  assert.deepEqual([refused.status, /refused every receiver/.test(refused.body.message)], [400, true]);
  assert.equal((await resend(id, { 'x-inlay-environment': 'production' })).status, 404);
  assert.equal((await resend('nothing')).status, 404);
  const mail = (state: string) =>
    api.database.pool.query('update human_task set mail = $2 where id = $1', [id, state]);
  await mail('failed'); // its node has failed, and skipped or caught: the execution may live on
  assert.match((await resend()).body.message, /nobody waits for an answer/);
  await mail('sent');
  await call('POST', url, { data: { amount: 1, verdict: 'no' } });
  assert.ok([400, 404].includes((await resend()).status));
  assert.equal(sent.length, before + 2);
});

test('links that were mailed before the keys were rotated lead to their forms, also once the old key is gone', async () => {
  const { url, executionId, id } = await waiting();
  const { pool } = api.database;
  const keyFile = path.join(dir, 'keys.json');
  await addRingKey(keyFile);
  const rotated = await openVault({ keyFile });
  await resealAll({ pool, vault: rotated });
  // The process that was running all the time.
  assert.equal((await call('GET', url)).body.data.invoice, 'R-17');
  await dropOldRingKeys(keyFile);
  // One that starts now, and knows the new key only.
  const tasks = createHumanTasks({
    pool,
    clock: api.deps.clock,
    vault: await openVault({ keyFile }),
    mail: api.deps.mail,
    config: api.deps.config,
  });
  const token = url.split('/').at(-1)!;
  assert.equal((await tasks.read(token)).form.title, 'Approve the invoice');
  const before = sent.length;
  await tasks.resend({ orgId, environment: 'test' }, id);
  assert.ok(sent[before]?.text?.endsWith(token));
  await tasks.submit(token, { amount: 2, verdict: 'no' });
  api.deps.engine.lookAtWaits();
  assert.equal((await ended(executionId)).status, 'COMPLETED');
});

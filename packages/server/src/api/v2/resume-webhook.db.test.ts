import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('ada');
});
after(() => api.close());

type Json = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- bodies of the wire

async function wire(method: 'GET' | 'POST' | 'PUT', url: string, body?: object) {
  const answer = await api.app.inject({
    method,
    url,
    headers: { 'x-api-key': api.org.keys.test, linked_account_id: 'ada', 'content-type': 'application/json' },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json<Json>() };
}

/** What the outside does: no key, only the URL. */
async function call(url: string, body: unknown, headers: Record<string, string> = {}) {
  const answer = await api.app.inject({
    method: 'POST',
    url: url.slice(url.indexOf('/api/')),
    headers: { 'content-type': 'application/json', ...headers },
    payload: JSON.stringify(body),
  });
  return { status: answer.statusCode, body: answer.json<Json>() };
}

/** Says the URLs of its waiting node, waits if the payload says so, then waits for the call. */
async function publish(data: object = {}, wait: object = { action: 'wait_for' }): Promise<string> {
  const made = await wire('POST', '/api/v2/public/workflow', {
    name: 'Approval',
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'api_call' } } },
      {
        id: '2',
        node_type: 'response',
        name: 'Say',
        data: { data: { own: '{{node.4.resume_url}}', shared: '{{approval.webhook_url}}' } },
      },
      { id: '3', node_type: 'delay', name: 'First', data: wait },
      { id: '4', node_type: 'wait_for_webhook', name: 'Approval', data },
    ],
    edges: [
      { source: '1', target: '2' },
      { source: '2', target: '3' },
      { source: '3', target: '4' },
    ],
  });
  const id = made.body['workflow']?._id as string;
  const published = await wire('PUT', `/api/v2/public/workflow/${id}/publish`, { published: true });
  assert.equal(published.status, 200, JSON.stringify([made.body, published.body]));
  return published.body['_id'] as string;
}

async function start(workflow: string): Promise<{ id: string; own: string; shared: string }> {
  const { body } = await wire('POST', `/api/v2/public/workflow/${workflow}/execute`, {});
  const id = body['execution_id'] as string;
  await until(id, (execution) => execution['waiting_on'] !== undefined);
  const { body: said } = await wire('GET', `/api/v1/execution/${id}/response`);
  return { id, ...(said['response'] as { own: string; shared: string }) };
}

async function until(id: string, is: (execution: Json) => boolean): Promise<Json> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { body } = await wire('GET', `/api/v2/public/execution/${id}`);
    if (is(body)) return body;
    assert.ok(Date.now() < deadline, JSON.stringify(body));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const isEnded = (execution: Json): boolean =>
  execution['status'] !== 'RUNNING' && execution['status'] !== 'QUEUED';
const outputOf = (execution: Json, id: string): Json =>
  (execution['nodes'] as Json[]).find((node) => node['node_id'] === id)?.['latest_output'] as Json;

test('the first call to the URL of an execution resumes it with headers and body; later ones are refused', async () => {
  const workflow = await publish();
  const [one, other] = [await start(workflow), await start(workflow)];
  assert.equal((await until(one.id, () => true))['waiting_on'], 'webhook');
  assert.notEqual(one.own, other.own);
  const first = await call(one.own, { approved: true }, { 'x-who': 'eva', authorization: 'Bearer secret' });
  assert.deepEqual(first, { status: 200, body: { message: 'Received' } });
  const done = await until(one.id, isEnded);
  assert.equal(done['status'], 'COMPLETED');
  const output = JSON.stringify(outputOf(done, '4'));
  assert.match(output, /"body":\{"approved":true\}/);
  assert.match(output, /"x-who":"eva"/);
  assert.ok(!JSON.stringify(done).includes('Bearer secret'));
  assert.equal((await call(one.own, { approved: false })).status, 409);
  assert.equal((await until(other.id, () => true))['status'], 'RUNNING');
  await wire('POST', `/api/v2/public/execution/${other.id}/stop`);
});

test('the URL of the node resumes the only execution that waits, and refuses to guess among several', async () => {
  const workflow = await publish();
  const one = await start(workflow);
  const two = await start(workflow);
  assert.equal(one.shared, two.shared);
  const refused = await call(one.shared, {});
  assert.equal(refused.status, 409);
  assert.match(refused.body['message'], /Several executions wait/);
  assert.equal((await call(two.own, {})).status, 200);
  await until(two.id, isEnded);
  assert.equal((await call(one.shared, { late: 1 })).status, 200);
  assert.equal((await until(one.id, isEnded))['status'], 'COMPLETED');
  assert.equal((await call(one.shared, {})).status, 409);
});

test('a call without the exact headers is refused and the execution goes on waiting', async () => {
  const { id, own } = await start(await publish({ headers: [{ key: 'X-Token', value: 's3cret' }] }));
  assert.equal((await call(own, {})).status, 401);
  assert.equal((await call(own, {}, { 'x-token': 'S3CRET' })).status, 401);
  assert.equal((await until(id, () => true))['status'], 'RUNNING');
  assert.equal((await call(own, {}, { 'x-token': 's3cret' })).status, 200);
  const ended = await until(id, isEnded);
  assert.equal(ended['status'], 'COMPLETED');
  const { rows } = await api.database.pool.query<{ state: string }>('select state::text from wait');
  assert.ok(!rows.some(({ state }) => state.includes('s3cret')));
});

test('a call that comes before the node waits is kept and used (pain 19)', async () => {
  // The delay is not over when the call comes.
  const { id, own } = await start(await publish({}, { action: 'wait_for', seconds: 1 }));
  assert.equal((await until(id, () => true))['waiting_on'], 'time');
  assert.equal((await call(own, { early: true })).status, 200);
  assert.equal((await call(own, { second: true })).status, 200, 'nobody can say yet which one is valid');
  const ended = await until(id, isEnded);
  assert.equal(ended['status'], 'COMPLETED');
  assert.match(JSON.stringify(outputOf(ended, '4')), /"early":true/);
});

test('a call that comes early without the right headers takes no place of one that has them', async () => {
  const headers = [{ key: 'X-Token', value: 's3cret' }];
  const { id, own } = await start(await publish({ headers }, { action: 'wait_for', seconds: 1 }));
  for (let n = 0; n < 3; n += 1) await call(own, { forged: n });
  assert.equal((await call(own, { genuine: true }, { 'x-token': 's3cret' })).status, 200);
  const ended = await until(id, isEnded);
  assert.match(JSON.stringify(outputOf(ended, '4')), /"genuine":true/);
});

test('early calls are kept for a node in bounded number', async () => {
  const { id, own } = await start(await publish({}, { action: 'wait_for', hours: 1 }));
  const answers: number[] = [];
  for (let n = 0; n < 21; n += 1) answers.push((await call(own, {})).status);
  assert.deepEqual(answers, [...Array.from({ length: 20 }, () => 200), 409]);
  await wire('POST', `/api/v2/public/execution/${id}/stop`);
});

test('each iteration of a loop has a URL of its own', async () => {
  const made = await wire('POST', '/api/v2/public/workflow', {
    name: 'Approvals',
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'api_call' } } },
      { id: '2', node_type: 'loop', name: 'Each', data: { mode: 'fixed', count: 2, concurrent_batches: 2 } },
      {
        id: '3',
        node_type: 'response',
        name: 'Say',
        parent_id: '2',
        data: { data: { own: '{{node.4.resume_url}}', shared: '{{node.4.webhook_url}}' } },
      },
      { id: '4', node_type: 'wait_for_webhook', name: 'Wait', parent_id: '2', data: {} },
    ],
    edges: [
      { source: '1', target: '2' },
      { source: '3', target: '4' },
    ],
  });
  const draft = made.body['workflow']?._id as string;
  const published = await wire('PUT', `/api/v2/public/workflow/${draft}/publish`, { published: true });
  const { id, own } = await start(published.body['_id'] as string);
  assert.equal((await call(own, { mine: 1 })).status, 200);
  assert.equal((await call(own, { mine: 2 })).status, 409, 'the other iteration has another URL');
  assert.equal((await until(id, () => true))['status'], 'RUNNING');
  await wire('POST', `/api/v2/public/execution/${id}/stop`);
});

test('a URL that was not made here says nothing of what exists', async () => {
  const { id, own } = await start(await publish());
  const forged = `${own.slice(0, -2)}${own.endsWith('AA') ? 'BB' : 'AA'}`;
  const [wrong, none] = [await call(forged, {}), await call('/api/v1/workflows/webhooks/nothing', {})];
  assert.equal(wrong.status, 404);
  assert.deepEqual(wrong.body['message'], none.body['message']);
  await wire('POST', `/api/v2/public/execution/${id}/stop`);
  assert.equal((await call(own, {})).status, 409);
});

test('settings that make no sense are named: by publishing, and those of a template by the run', async () => {
  await assert.rejects(publish({ timeout_minutes: 0 }), /timeout_minutes.*must be at least 1/);
  const workflow = await publish({ timeout_minutes: '{{event.minutes || 0}}' });
  const { body } = await wire('POST', `/api/v2/public/workflow/${workflow}/execute`, {});
  const ended = await until(body['execution_id'] as string, isEnded);
  assert.match(JSON.stringify(ended), /timeout_minutes: must be at least 1/);
});

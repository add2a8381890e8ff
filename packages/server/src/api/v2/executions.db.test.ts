import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { newId } from '#domain/ids';

let api: TestApi;
let upstream: Server;
let upstreamUrl: string;
let calls: { url: string; body: string }[] = [];
let answers: { status: number; headers?: Record<string, string>; hold?: true }[] = [];

before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('acme');
  await api.addLinkedAccount('other');
  upstream = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      calls.push({ url: request.url ?? '', body });
      const answer = answers.shift() ?? { status: 200 };
      if (answer.hold === true) return;
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
      response.end(JSON.stringify({ got: request.url }));
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
});
after(async () => {
  upstream.closeAllConnections();
  upstream.close();
  await api.close();
});

interface Node {
  id: string;
  node_type: string;
  name: string;
  data: Record<string, unknown>;
}
const start: Node = { id: '1', node_type: 'start', name: 'Start', data: {} };
const chain = (nodes: Node[]) => ({
  nodes,
  edges: nodes.slice(1).map((node, index) => ({ source: nodes[index]!.id, target: node.id })),
});

async function publish(document: object, columns: Record<string, unknown> = {}): Promise<string> {
  const id = newId();
  const { orgId } = api.org.tenant;
  await api.database.db
    .insertInto('workflow')
    .values({
      id,
      draft_id: newId(),
      org_id: orgId,
      environment: 'test',
      linked_account_id: null,
      app_slug: null,
      alias: null,
      name: 'A workflow',
      draft: JSON.stringify(document),
      published_version: 1,
      trigger_kind: 'api_call',
      trigger_event: null,
      ...columns,
    })
    .execute();
  await api.database.db
    .insertInto('workflow_version')
    .values({
      id: newId(),
      org_id: orgId,
      environment: 'test',
      workflow_id: id,
      version: 1,
      document: JSON.stringify(document),
      description: null,
    })
    .execute();
  return id;
}

function call(method: 'GET' | 'POST', url: string, headers: Record<string, string> = {}, payload?: object) {
  return api.app.inject({
    method,
    url,
    headers: { 'x-api-key': api.org.keys.test, linked_account_id: 'acme', ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
}

async function ended(executionId: string) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const { status, ...rest } = (await call('GET', `/api/v2/public/execution/${executionId}`)).json();
    if (!['QUEUED', 'RUNNING', 'STOPPING'].includes(status)) return { status, ...rest };
    if (Date.now() > deadline) throw new Error(`Execution ${executionId} is still ${status}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const fetchThen = (data: Record<string, unknown>): Node => ({
  id: '2',
  node_type: 'http',
  name: 'Fetch it',
  data,
});
const answerNode: Node = {
  id: '3',
  node_type: 'response',
  name: 'Answer',
  data: {
    data: { got: '{{node.2.body.body.got}}', who: '{{event.who}}', status: '{{fetch_it.body.status}}' },
    status_code: 201,
  },
};

test('a sync execution calls out and answers with the data and status of its Response node', async () => {
  calls = [];
  const id = await publish(
    chain([
      start,
      fetchThen({ method: 'POST', url: `${upstreamUrl}/things`, body: { name: '{{event.who}}' } }),
      answerNode,
    ]),
  );
  const answer = await call(
    'POST',
    `/api/v2/public/workflow/${id}/execute`,
    { sync_execution: 'true' },
    { who: 'Ann' },
  );
  assert.equal(answer.statusCode, 201, answer.body);
  assert.deepEqual(answer.json().return_value, { got: '/things', who: 'Ann', status: 200 });
  assert.deepEqual(calls, [{ url: '/things', body: '{"name":"Ann"}' }]);

  const detail = (await call('GET', `/api/v2/public/execution/${answer.json().execution_id}`)).json();
  assert.equal(detail.status, 'COMPLETED');
  assert.equal(detail.type_of_execution, 'SYNC');
  assert.equal(detail.completion_percentage, 100);
  assert.deepEqual(
    detail.nodes.map((node: { node_id: string; node_status: string; attempts_made: number }) => [
      node.node_id,
      node.node_status,
      node.attempts_made,
    ]),
    [
      ['1', 'Success', 1],
      ['2', 'Success', 1],
      ['3', 'Success', 1],
    ],
  );
  assert.equal(detail.nodes[1].input_data.url, `${upstreamUrl}/things`);
  assert.equal(detail.nodes[1].latest_output.body.body.got, '/things');
  const response = await call('GET', `/api/v1/execution/${answer.json().execution_id}/response`);
  assert.deepEqual(response.json(), { response: answer.json().return_value, status: 'COMPLETED' });
});

test('an async execution by the old door is queued, runs, and is in the list of its account only', async () => {
  const id = await publish(chain([start, fetchThen({ url: `${upstreamUrl}/a` }), answerNode]), {
    alias: 'my-flow',
    app_slug: 'gong',
  });
  const answer = await call(
    'POST',
    '/api/v1/workflow/my-flow/execute',
    { slug: 'gong', instance_tag: 'tag-1' },
    { payload: { who: 'Bo' } },
  );
  assert.equal(answer.statusCode, 200, answer.body);
  assert.equal(answer.json().message, 'Workflow execution started');
  for (const headers of [{}, { slug: '' }]) {
    const without = await call('POST', '/api/v1/workflow/my-flow/execute', headers, {});
    assert.deepEqual([without.statusCode, without.json().error_code], [400, 'MISSING_REQUIRED_FIELD']);
    assert.match(without.json().message, /^Workflow ID and slug are required: "my-flow" is an alias/);
  }
  const elsewhere = await call('POST', '/api/v1/workflow/my-flow/execute', { slug: 'acme-crm' }, {});
  assert.equal(elsewhere.statusCode, 404);
  const detail = await ended(answer.json().execution_id);
  assert.equal(detail.status, 'COMPLETED');
  assert.equal(detail.nodes[0].latest_output.body.who, 'Bo');
  const batches = `/api/v2/public/execution/${answer.json().execution_id}/nodes`;
  const unknown = await call('GET', `${batches}/no-such-node/batches`);
  assert.equal(unknown.statusCode, 404);
  assert.match(unknown.json().message, /^The execution has no node "no-such-node"/);
  assert.equal((await call('GET', `${batches}/${detail.nodes[0].node_id}/batches`)).statusCode, 501);

  const list = (
    await call(
      'GET',
      `/api/v2/public/execution?workflow_id=${id}&execution_source=API_CALL&status=completed&slug=gong,acme-crm`,
    )
  ).json();
  assert.deepEqual(
    list.docs.map((doc: { _id: string }) => doc._id),
    [answer.json().execution_id],
  );
  assert.equal(list.docs[0].instance_tag, 'tag-1');
  assert.equal(list.docs[0].associated_application.name, 'Gong');
  const others = await call('GET', `/api/v2/public/execution?workflow_id=${id}`, {
    linked_account_id: 'other',
  });
  assert.equal(others.json().totalDocs, 0);
  const foreign = await call('GET', `/api/v2/public/execution/${answer.json().execution_id}`, {
    linked_account_id: 'other',
  });
  assert.equal(foreign.statusCode, 404);
  const nobody = await api.app.inject({ method: 'GET', url: '/api/v2/public/execution' });
  assert.equal(nobody.statusCode, 401);
});

test('a provider that fails once with 503 is asked again, and each attempt is in the log', async () => {
  answers = [{ status: 503 }];
  const id = await publish(
    chain([
      start,
      fetchThen({ url: `${upstreamUrl}/flaky`, retry_policy: { strategy: 'Fixed', delay: 10 } }),
      answerNode,
    ]),
  );
  const answer = await call('POST', `/api/v2/public/workflow/${id}/execute`, { sync_execution: 'true' }, {});
  assert.equal(answer.statusCode, 201, answer.body);
  const detail = (await call('GET', `/api/v2/public/execution/${answer.json().execution_id}`)).json();
  assert.equal(detail.nodes[1].attempts_made, 2);
});

test('a POST that was answered 503 is never sent again, and the run says which node failed', async () => {
  calls = [];
  answers = [{ status: 503 }];
  const id = await publish(
    chain([start, fetchThen({ method: 'POST', url: `${upstreamUrl}/pay`, body: {} }), answerNode]),
  );
  const answer = (
    await call('POST', `/api/v2/public/workflow/${id}/execute`, { sync_execution: 'true' }, {})
  ).json();
  assert.equal(calls.length, 1);
  assert.equal(answer.errored, true);
  assert.equal(answer.execution_error.node_id, '2');
  assert.equal(answer.execution_error.status, 503);
  const rerun = (await call('POST', `/api/v2/public/execution/${answer.execution_id}/rerun`)).json();
  assert.equal(rerun.id, rerun.instanceId);
  const again = await ended(rerun.id);
  assert.equal(again.status, 'COMPLETED');
  assert.equal(again.name, `Retry for workflow ${id}`);
});

test('stopping aborts the call in flight, and a stopped execution cannot be stopped again', async () => {
  calls = [];
  answers = [{ status: 200, hold: true }];
  const id = await publish(chain([start, fetchThen({ url: `${upstreamUrl}/slow` }), answerNode]));
  const { execution_id: executionId } = (
    await call('POST', `/api/v2/public/workflow/${id}/execute`, {}, {})
  ).json();
  for (let waited = 0; calls.length === 0; waited += 10) {
    assert.ok(waited < 5_000, 'the call never came');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const stop = await call('POST', `/api/v2/public/execution/${executionId}/stop`);
  assert.deepEqual(stop.json(), { message: 'Stopping instance' });
  const detail = await ended(executionId);
  assert.equal(detail.status, 'STOPPED');
  assert.equal(detail.nodes.at(-1).node_status, 'Stopped');
  assert.equal((await call('POST', `/api/v2/public/execution/${executionId}/stop`)).statusCode, 400);
});

test('a sync call that takes too long answers 202 and the execution runs on', async () => {
  const id = await publish(chain([start, fetchThen({ url: `${upstreamUrl}/long` }), answerNode]));
  answers = [{ status: 429, headers: { 'retry-after': '1' } }];
  const quick = await createTestApiWithSyncTimeout(50, id);
  assert.equal(quick.statusCode, 202, quick.body);
  assert.equal((await ended(quick.json().execution_id)).status, 'COMPLETED');
});

async function createTestApiWithSyncTimeout(syncTimeoutMs: number, id: string) {
  const config = api.deps.config as { syncTimeoutMs: number };
  const before = config.syncTimeoutMs;
  config.syncTimeoutMs = syncTimeoutMs;
  try {
    return await call('POST', `/api/v2/public/workflow/${id}/execute`, { sync_execution: 'true' }, {});
  } finally {
    config.syncTimeoutMs = before;
  }
}

test('what cannot be executed says why', async () => {
  const draft = await publish(chain([start]), { published_version: null });
  assert.match(
    (await call('POST', `/api/v2/public/workflow/${draft}/execute`, {}, {})).json().message,
    /not published/,
  );
  assert.equal((await call('POST', '/api/v2/public/workflow/nothing/execute', {}, {})).statusCode, 404);
  const { rows } = await api.database.pool.query(`select id from linked_account where account_id = 'other'`);
  const foreign = await publish(chain([start]), { linked_account_id: rows[0].id });
  assert.equal((await call('POST', `/api/v2/public/workflow/${foreign}/execute`, {}, {})).statusCode, 403);
  const strict = await publish({
    ...chain([start]),
    json_schema: {
      type: 'object',
      required: ['order'],
      properties: { order: { type: 'object', required: ['no'] } },
    },
  });
  const refused = await call('POST', `/api/v2/public/workflow/${strict}/execute`, {}, { order: {} });
  assert.equal(refused.statusCode, 400);
  assert.match(refused.json().message, /order\.no: is required/);
});

test('a flag that is neither true nor false is refused by its name, not taken for false', async () => {
  const id = await publish(chain([start, answerNode]));
  const url = `/api/v2/public/workflow/${id}/execute`;
  for (const name of ['sync_execution', 'include-headers']) {
    for (const value of ['maybe', '1', 'yes']) {
      const refused = await call('POST', url, { [name]: value }, {});
      assert.equal(refused.statusCode, 400, refused.body);
      assert.match(refused.json().message, new RegExp(`${name}: is "${value}"; write "true" or "false"`));
    }
  }
  assert.equal((await call('POST', `${url}?sync_execution=maybe`, {}, {})).statusCode, 400);
  const answer = await call('POST', url, { sync_execution: 'TRUE' }, {});
  assert.ok('return_value' in answer.json(), answer.body);
});

test('a filter that names nothing is refused with the names that exist', async () => {
  const answer = await call('GET', '/api/v2/public/execution?status=DONE');
  assert.equal(answer.statusCode, 400);
  assert.match(answer.json().message, /status: "DONE" is none of QUEUED, RUNNING/);
  assert.equal(
    (await call('GET', '/api/v2/public/execution?status=All&execution_source=&page=0&limit=x')).statusCode,
    200,
  );
  assert.equal((await call('GET', '/api/v2/public/execution?start_date=yesterday')).statusCode, 400);
});

test('an execution names an application also when its workflow belongs to no app', async () => {
  const id = await publish(chain([start, { ...answerNode, id: '2', data: { data: 'x', status_code: 200 } }]));
  const { execution_id } = (
    await call('POST', `/api/v2/public/workflow/${id}/execute`, { sync_execution: 'true' }, {})
  ).json();
  const execution = (await call('GET', `/api/v2/public/execution/${execution_id}`)).json();
  assert.equal(execution.associated_application.name, 'My App');
  assert.match(execution.associated_application._id, /^[0-9a-f]{24}$/);
  assert.equal('associated_trigger_application' in execution, false);
});

test('a Response node whose status allows no body still answers with one', async () => {
  for (const status_code of [204, 205, 304]) {
    const id = await publish(chain([start, { ...answerNode, id: '2', data: { data: 'done', status_code } }]));
    const answer = await call(
      'POST',
      `/api/v2/public/workflow/${id}/execute`,
      { sync_execution: 'true' },
      {},
    );
    const { return_value, status_code: told } = answer.json();
    assert.deepEqual([answer.statusCode, return_value, told], [200, 'done', status_code]);
  }
});

test('the iterations of a loop are read by page, by status and one by one; the execution shows only the loop', async () => {
  const id = await publish({
    nodes: [
      start,
      { id: '2', node_type: 'loop', name: 'Each', data: { fanout_array: ['a', 'b', 'c'] } },
      { id: '3', node_type: 'log', name: 'Say', data: { title: '{{array_item}}' }, parent_id: '2' },
    ],
    edges: [{ source: '1', target: '2' }],
  });
  const refused = await call('POST', `/api/v2/public/workflow/${id}/execute`, { sync_execution: 'true' }, {});
  assert.equal(refused.statusCode, 400);
  assert.match(refused.json().message, /allow_sync_loops/);
  const { execution_id } = (await call('POST', `/api/v2/public/workflow/${id}/execute`, {}, {})).json();
  const { status, nodes } = await ended(execution_id);
  assert.equal(status, 'COMPLETED');
  assert.deepEqual(
    nodes.map((node: { node_id: string; is_batch: boolean }) => [node.node_id, node.is_batch]),
    [
      ['1', false],
      ['2', true],
    ],
  );
  const url = `/api/v2/public/execution/${execution_id}/nodes/2/batches`;
  const second = (await call('GET', `${url}?limit=2&page=2`)).json();
  assert.deepEqual([second.totalDocs, second.docs.length, second.docs[0].batch_index], [3, 1, 2]);
  assert.equal((await call('GET', `${url}?status=errored`)).json().totalDocs, 0);
  assert.equal((await call('GET', `${url}?status=nothing`)).statusCode, 400);
  const inside = (await call('GET', `${url}/1`)).json();
  assert.deepEqual(
    [inside.batch, inside.nodes[0].node_id, inside.nodes[0].node_status],
    ['2:1', '3', 'Success'],
  );
  assert.equal((await call('GET', url, { linked_account_id: 'other' })).statusCode, 404);
  const none = await call('GET', `${url}/3`);
  assert.deepEqual([none.statusCode, /no batch "2:3"/.test(none.json().message)], [404, true], none.body);
  assert.equal((await call('GET', `${url}/0?within=9:1`)).statusCode, 404);
  assert.equal((await call('GET', url.replace('/2/', '/3/') + '/0')).statusCode, 501);

  const byWorkflow = (account: string, query: string, headers = {}) =>
    call(
      'GET',
      `/api/v2/public/workflow/${id}/linked-account/${account}/execution-node-batches?${query}`,
      headers,
    );
  const of = `execution_id=${execution_id}&node_id=2`;
  const same = await byWorkflow('acme', `${of}&limit=2&page=2`);
  assert.deepEqual(same.json(), second);
  assert.equal((await byWorkflow('other', of)).statusCode, 404);
  assert.equal((await byWorkflow('nobody', of)).statusCode, 404);
  assert.match((await byWorkflow('acme', 'node_id=2')).json().message, /execution_id: is missing/);
  const token = await call('POST', '/api/v2/public/session-token', { linked_account_id: 'other' }, {});
  const asOther = { authorization: `Bearer ${token.json().token}`, 'x-api-key': '' };
  assert.equal((await byWorkflow('acme', of, asOther)).statusCode, 404);
  const elsewhere = await publish(chain([start]));
  const wrong = `/api/v2/public/workflow/${elsewhere}/linked-account/acme/execution-node-batches?${of}`;
  assert.equal((await call('GET', wrong)).statusCode, 404);
});

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

/** The whole way over the wire: event, config switch, every pure node, customer code, execution log. */

let api: TestApi;
before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('ada');
});
after(() => api.close());

async function call(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH',
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const answer = await api.app.inject({
    method,
    url,
    headers: {
      'x-api-key': api.org.keys.test,
      linked_account_id: 'ada',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json() };
}

async function publish(name: string, nodes: object[], edges: object[]): Promise<string> {
  const made = await call('POST', '/api/v2/public/workflow', { name, nodes, edges });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const answer = await call('PUT', `/api/v2/public/workflow/${made.body.workflow._id}/publish`, {});
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body._id;
}

const edge = (source: string, target: string, source_handle?: string) => ({
  source,
  target,
  ...(source_handle && { source_handle }),
});

async function finished(id: string) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { body } = await call('GET', `/api/v2/public/execution/${id}`);
    if (body.status !== 'RUNNING' && body.status !== 'QUEUED') return body;
    assert.ok(Date.now() < deadline, `execution ${id} is still ${body.status}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

test('rule, transform and code work on templated values, and the response is what the caller gets', async () => {
  const nodes = [
    { id: '1', node_type: 'start', name: 'Start', data: {} },
    {
      id: '2',
      node_type: 'rule',
      name: 'Big?',
      data: { conditions: [{ variable: '{{event.total}}', operator: 'gte', value: '100' }] },
    },
    {
      id: '3',
      node_type: 'transform',
      name: 'Lines',
      data: { input: '{{event.lines}}', query: '$sum($.(price * qty))' },
    },
    {
      id: '4',
      node_type: 'custom_code',
      name: 'Label',
      data: {
        params: { sum: '{{node.3.body}}', no: '{{event.no}}' },
        code: 'async function yourFunction({ sum, no }) { console.log("summing", no); return { label: `${no}: ${_.round(sum, 1)}` } }',
      },
    },
    {
      id: '5',
      node_type: 'response',
      name: 'Big answer',
      data: { status_code: 201, data: '{"label": "{{label.body.label}}", "lines": {{event.lines}}}' },
    },
    { id: '6', node_type: 'response', name: 'Small answer', data: { data: 'small' } },
  ];
  const edges = [
    edge('1', '2'),
    edge('2', '3', 'true'),
    edge('2', '6', 'false'),
    edge('3', '4'),
    edge('4', '5'),
  ];
  const id = await publish('Order', nodes, edges);
  const lines = [
    { price: 60, qty: 2 },
    { price: 0.55, qty: 1 },
  ];
  const execute = (payload: object) =>
    call('POST', `/api/v2/public/workflow/${id}/execute`, payload, { sync_execution: 'true' });

  const big = await execute({ total: '120.55', no: '90071992547409931', lines });
  assert.equal(big.status, 201, JSON.stringify(big.body));
  assert.deepEqual(big.body.return_value, { label: '90071992547409931: 120.6', lines });
  const log = await finished(big.body.execution_id);
  assert.deepEqual(
    log.nodes.map((node: { node_name: string; node_status: string }) => [node.node_name, node.node_status]),
    [
      ['Start', 'Success'],
      ['Big?', 'Success'],
      ['Lines', 'Success'],
      ['Label', 'Success'],
      ['Big answer', 'Success'],
    ],
  );
  const small = await execute({ total: 99 });
  assert.deepEqual([small.status, small.body.return_value], [200, 'small']);
});

test('code that fails, loops or reaches for the inside errors its execution and nothing else', async () => {
  let hits = 0;
  const inside = createServer((_request, response) => {
    hits += 1;
    response.end('secret');
  });
  await new Promise<void>((resolve) => void inside.listen(0, '127.0.0.2', resolve));
  const { port } = inside.address() as AddressInfo;
  const runCode = async (source: string) => {
    const code = {
      id: '2',
      node_type: 'custom_code',
      name: 'Code',
      data: { code: `async function yourFunction() { ${source} }` },
    };
    const id = await publish(
      'Code',
      [{ id: '1', node_type: 'start', name: 'Start' }, code],
      [edge('1', '2')],
    );
    const { body } = await call('POST', `/api/v2/public/workflow/${id}/execute`, {});
    return finished(body.execution_id);
  };
  const table: [source: string, message: RegExp][] = [
    ['throw new Error("my own words")', /my own words/],
    ['return process.env', /process is not defined/],
    [`return (await fetch('http://127.0.0.2:${port}/')).text()`, /refused/],
    ['const a = []; for (;;) a.push(new Array(1e5).fill(1.1));', /more than 256 MB/],
  ];
  try {
    for (const [source, message] of table) {
      const execution = await runCode(source);
      assert.equal(execution.status, 'ERRORED', source);
      assert.match(JSON.stringify(execution.nodes), message, source);
    }
    assert.equal(hits, 0);
    assert.equal((await runCode('return 1')).status, 'COMPLETED');
  } finally {
    inside.close();
  }
});

test('an event starts the workflow that a customer switched on, and only then', async () => {
  const { tenant } = api.org;
  await api.database.db
    .insertInto('app_setting')
    .values({
      org_id: tenant.orgId,
      environment: 'test',
      app_slug: 'gong',
      client_id: null,
      client_secret_sealed: null,
    })
    .execute();
  await call('POST', '/api/v2/public/application/event', { name: 'Lead', response: { email: 'a@b.c' } });
  const key = { 'x-api-key': api.org.keys.test };
  const start = {
    id: '1',
    node_type: 'start',
    name: 'Start',
    data: { trigger: { kind: 'event', event: 'Lead' } },
  };
  const asOrganization = async (method: 'POST' | 'PUT', url: string, body: object) => {
    const answer = await api.app.inject({
      method,
      url,
      headers: { ...key, 'content-type': 'application/json' },
      payload: JSON.stringify(body),
    });
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json();
  };
  const { workflow } = await asOrganization('POST', '/api/v2/public/workflow', {
    name: 'On lead',
    slug: 'gong',
    autoEnable: true,
    nodes: [start, { id: '2', node_type: 'response', name: 'Answer', data: { data: '{{event.email}}' } }],
    edges: [edge('1', '2')],
  });
  await asOrganization('PUT', `/api/v2/public/workflow/${workflow._id}/publish`, { published: true });
  const fire = () => call('POST', '/api/v2/public/event', { event: 'Lead', payload: { email: 'x@y.z' } });
  const executions = async () =>
    (await call('GET', '/api/v2/public/execution?workflow_name=On%20lead')).body.docs;

  assert.deepEqual((await fire()).body, { message: 'Webhook Fired Success' });
  assert.deepEqual(await executions(), [], 'no config and no connection yet');
  await call('POST', '/api/v2/public/config', { slug: 'gong' });
  await fire();
  const [started] = await executions();
  const execution = await finished(started._id);
  assert.deepEqual([execution.status, execution.execution_source], ['COMPLETED', 'Event']);
  const off = await call(
    'PATCH',
    `/api/v2/public/slug/gong/config/ada/workflows/${workflow.associated_workflow}`,
    { enabled: false },
  );
  assert.equal(off.status, 200, JSON.stringify(off.body));
  await fire();
  assert.equal((await executions()).length, 1);
});

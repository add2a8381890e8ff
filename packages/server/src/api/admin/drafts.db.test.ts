import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
let cookie: string;
let orgId: string;
/** What the other side was asked. */
const asked: string[] = [];
const provider = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  const status = request.url?.startsWith('/broken') === true ? 500 : 200;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ path: request.url }));
});

before(async () => {
  api = await createTestApi();
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const signedUp = await call('POST', '/sign-up', {
    email: 'ada@example.com',
    password: 'correct horse',
    name: 'A',
    organization: 'ada',
  });
  cookie = signedUp.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
  orgId = (await call('GET', '/organization')).body.id;
  await call('POST', '/linked-accounts', { linked_account_id: 'customer' });
});
after(async () => {
  await api.close();
  provider.close();
});

async function call(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  environment = 'test',
) {
  const answer = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers: {
      ...(cookie !== undefined && { cookie }),
      'x-inlay-environment': environment,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), cookies: answer.cookies };
}

const url = (path: string): string => `http://127.0.0.1:${(provider.address() as AddressInfo).port}${path}`;

type Node = readonly [id: string, type: string, data?: object];
type Edge = readonly [from: string, to: string, port?: string];

async function draft(nodes: readonly Node[], edges: readonly Edge[], more: object = {}): Promise<string> {
  const made = await call('POST', '/workflows', {
    name: `Draft ${Math.random()}`,
    draft: {
      nodes: [['1', 'start'] as Node, ...nodes].map(([id, node_type, data = {}]) => ({
        id,
        node_type,
        name: `Node ${id}`,
        data,
      })),
      edges: edges.map(([source, target, source_handle]) => ({ source, target, source_handle })),
      ...more,
    },
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  return made.body.id;
}

const get = (path: string) => ({ method: 'GET', url: url(path) });

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, 'it does not come to an end');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface TriedNode {
  readonly node_id: string;
  readonly status: string;
  readonly attempts: number;
  readonly output: object;
  readonly console: readonly { readonly text: string }[];
  readonly curl: readonly string[];
  readonly is_pinned: boolean;
}

/** Starts a test run and waits for its end. */
async function ran(workflow: string, body: object = {}) {
  const started = await call('POST', `/workflows/${workflow}/run`, {
    linked_account_id: 'customer',
    ...body,
  });
  assert.equal(started.status, 200, JSON.stringify(started.body));
  const { execution_id: id } = started.body;
  await until(async () => (await call('GET', `/executions/${id}`)).body.completed_at !== null);
  const { body: execution } = await call('GET', `/executions/${id}`);
  const nodes = new Map<string, TriedNode>(execution.nodes.map((node: TriedNode) => [node.node_id, node]));
  return { id, execution, nodes, missing: started.body.nodes_without_output };
}

const tryNode = (workflow: string, node: string, body: object = {}) =>
  call('POST', `/workflows/${workflow}/nodes/${node}/run`, { linked_account_id: 'customer', ...body });

test('a draft runs with real calls and one attempt a node, and its requests are shown as cURL', async () => {
  const id = await draft(
    [
      ['2', 'http', get('/things?name={{event.name}}')],
      ['3', 'http', { ...get('/broken'), skip_on_error: true }],
    ],
    [
      ['1', '2'],
      ['2', '3'],
    ],
    { manual_execution_payload: { name: 'sample' } },
  );
  asked.length = 0;
  const { execution, nodes } = await ran(id);
  assert.equal(execution.status, 'COMPLETED');
  assert.deepEqual(asked, ['GET /things?name=sample', 'GET /broken']);
  assert.equal(execution.version, null, 'it is no published version');
  assert.deepEqual([nodes.get('3')!.status, nodes.get('3')!.attempts], ['ERRORED_AND_SKIPPED', 1]);
  assert.match(nodes.get('2')!.curl[0]!, /^curl .*\/things\?name=sample/);
});

test('a pinned output stands in for the call: nobody is asked, and the log says so', async () => {
  const id = await draft(
    [
      ['2', 'http', get('/pinned')],
      ['3', 'transform', { input: '{{node.2.body.body.name}}', query: '$uppercase($)' }],
    ],
    [
      ['1', '2'],
      ['2', '3'],
    ],
  );
  assert.equal(
    (await call('PUT', `/workflows/${id}/pins/2`, { output: { body: { name: 'ada' } } })).status,
    200,
  );
  asked.length = 0;
  const { nodes } = await ran(id);
  assert.deepEqual(asked, []);
  assert.deepEqual([nodes.get('2')!.is_pinned, nodes.get('3')!.is_pinned], [true, false]);
  assert.match(nodes.get('2')!.console[0]!.text, /did not run: its pinned output/);
  assert.equal(nodes.get('3')!.output, 'ADA');

  await ran(id, { use_pins: false });
  assert.deepEqual(asked, ['GET /pinned']);
  assert.equal((await call('GET', `/workflows/${id}/pins`)).body.pins.length, 1);
  await call('POST', `/workflows/${id}/publish`, {});
  const account = await api.deps.db
    .selectFrom('linked_account')
    .selectAll()
    .where('org_id', '=', orgId)
    .executeTakeFirstOrThrow();
  await api.deps.engine.runSync(
    { orgId, environment: 'test' },
    {
      workflowId: id,
      version: 1,
      linkedAccount: { id: account.id, accountId: 'customer' },
      configId: 'customer',
      source: 'api_call',
      payload: {},
      timeoutMs: 10_000,
    },
  );
  assert.equal(asked.length, 2, 'a published execution knows no pins');
  assert.equal((await call('DELETE', `/workflows/${id}/pins/2`)).status, 200);
  assert.equal((await call('DELETE', `/workflows/${id}/pins/2`)).status, 404);
});

test('one node is tried with sample payload and the outputs of others: nothing else runs', async () => {
  const id = await draft(
    [
      ['2', 'http', get('/first')],
      ['3', 'http', get('/second/{{node.2.body.body.id}}/{{event.tag}}')],
      ['4', 'http', get('/third')],
    ],
    [
      ['1', '2'],
      ['2', '3'],
      ['3', '4'],
    ],
  );
  asked.length = 0;
  const blind = await tryNode(id, '3', { payload: { tag: 'x' } });
  assert.deepEqual(blind.body.nodes_without_output, ['2']);
  const outputs = { '2': { output: { body: { id: 7 } } } };
  const { body } = await tryNode(id, '3', { payload: { tag: 'x' }, outputs });
  assert.deepEqual(body.nodes_without_output, []);
  assert.deepEqual(asked, ['GET /second//x', 'GET /second/7/x']);
  assert.deepEqual(
    [body.is_finished, body.node.status, body.node.output.body, body.node.attempts],
    [true, 'SUCCESS', { path: '/second/7/x' }, 1],
  );
  assert.equal(body.node.input.url, url('/second/7/x'));
  assert.match(body.node.curl[0], /second\/7\/x/);
});

test('a run from a node on takes what an earlier run gave, also of branches that are joined behind it', async () => {
  const id = await draft(
    [
      ['2', 'http', get('/slow')],
      ['3', 'rule', { conditions: [{ variable: '{{event.go}}', operator: 'eq', value: 'yes' }] }],
      ['4', 'http', get('/again/{{node.2.body.body.path}}')],
      ['5', 'merge'],
      ['6', 'http', get('/never')],
    ],
    [
      ['1', '2'],
      ['2', '4'],
      ['1', '3'],
      ['3', '5', 'true'],
      ['3', '6', 'false'],
      ['4', '5'],
    ],
  );
  const first = await ran(id, { payload: { go: 'yes' } });
  asked.length = 0;
  const again = await ran(id, { from_node_id: '4', outputs_of_execution: first.id, payload: { go: 'yes' } });
  assert.deepEqual(asked, ['GET /again//slow']);
  assert.equal(again.execution.status, 'COMPLETED');
  assert.deepEqual(again.missing, []);
  assert.deepEqual(Object.keys(again.nodes.get('5')!.output), ['3', '4'], 'the merge got both branches');
  assert.deepEqual([again.nodes.get('2')!.is_pinned, again.nodes.get('4')!.is_pinned], [true, false]);
});

test('an app that is not connected is told by name, not waited for', async () => {
  const id = await draft([['2', 'app_action', { app: 'gong', action: 'listUsers' }]], [['1', '2']]);
  const { body } = await tryNode(id, '2');
  assert.equal(body.node.status, 'ERRORED');
  assert.match(body.node.error.message, /gong/i);
});

test('a payload is saved by name, and one of production comes again in a test of a draft', async () => {
  const id = await draft([['2', 'log', { title: '{{event.n}}' }]], [['1', '2']]);
  await call('PUT', `/workflows/${id}/payloads/large order`, { payload: { n: 99 } });
  const saved = await ran(id, { payload_name: 'large order' });
  assert.deepEqual(saved.nodes.get('1')!.output, { n: 99 });
  assert.deepEqual(
    (await call('GET', `/workflows/${id}/payloads`)).body.payloads.map((one: { name: string }) => one.name),
    ['large order'],
  );

  const tenant = { orgId, environment: 'production' as const };
  const account = await api.addLinkedAccount('real', tenant);
  const { executionId } = await api.deps.engine.startExecution(tenant, {
    workflowId: id,
    document: { nodes: [{ id: '1', node_type: 'start' }], edges: [] },
    linkedAccount: account,
    configId: 'real',
    source: 'event',
    payload: { n: 'real one' },
  });
  const replayed = await ran(id, { payload_of_execution: executionId });
  assert.deepEqual(replayed.nodes.get('1')!.output, { n: 'real one' });
  const unknown = await call('POST', `/workflows/${id}/run`, {
    linked_account_id: 'customer',
    payload_name: 'small',
  });
  assert.match(unknown.body.message, /payload_name: no payload "small" is saved; there are: "large order"/);
  assert.equal((await call('DELETE', `/workflows/${id}/payloads/large order`)).status, 200);
});

test('what cannot be tried is refused with its field', async () => {
  const id = await draft(
    [
      ['2', 'rule', { conditions: [] }],
      ['3', 'loop', { mode: 'fixed', count: 1 }],
    ],
    [
      ['1', '2'],
      ['2', '3', 'true'],
    ],
  );
  for (const [body, message] of [
    [{ linked_account_id: 'nobody' }, /linked_account_id: there is no linked account "nobody"/],
    [{ outputs: { 9: { output: 1 } } }, /outputs.9: the draft has no node "9"/],
    [
      { outputs: { 2: { output: 1 } } },
      /outputs.2.port: node "Node 2" leaves by "true" or "false"; say which/,
    ],
    [{ outputs: { 2: { output: 1, port: 'maybe' } } }, /outputs.2.port/],
    [{ from_node_id: '1' }, /from_node_id: the start node does nothing/],
    [{ payload_of_execution: 'x' }, /payload_of_execution: there is no execution "x"/],
  ] as const) {
    const answer = await call('POST', `/workflows/${id}/run`, { linked_account_id: 'customer', ...body });
    assert.equal(answer.status, 400, JSON.stringify(answer.body));
    assert.match(answer.body.message, message);
  }
  assert.match((await tryNode(id, '3')).body.message, /node_id: node "Node 3" is a container/);
  assert.match((await tryNode(id, '8')).body.message, /the draft has no node "8"/);
  assert.match(
    (await call('PUT', `/workflows/${id}/pins/2`, { output: {} })).body.message,
    /port: node "Node 2" leaves by/,
  );
  assert.equal(
    (await call('POST', `/workflows/${id}/run`, { linked_account_id: 'customer' }, 'production')).status,
    404,
  );
});

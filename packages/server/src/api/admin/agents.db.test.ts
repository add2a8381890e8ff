import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';
import { createTestApi, type TestApi } from '#api/testing';
import { createWorkflow, publishWorkflow } from '#workflows/index';

/** Agents in real executions, against servers that speak OpenAI's and Anthropic's protocols, and a real MCP server. */

interface Seen {
  url: string;
  headers: IncomingMessage['headers'];
  body: { messages: { role: string; content: unknown }[]; tools?: unknown[]; system?: string };
}

let api: TestApi;
let cookie: string;
let model: Server;
let mcp: Server;
let seen: Seen[] = [];
let answers: { status?: number; body: unknown }[] = [];
let mcpHeaders: IncomingMessage['headers'][] = [];
const key = 'sk-very-secret-key';

before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('acme');
  model = await listen(async (request) => {
    seen.push({
      url: request.url ?? '',
      headers: request.headers,
      body: JSON.parse(await bodyOf(request)) as Seen['body'],
    });
    return answers.shift() ?? { status: 500, body: {} };
  });
  mcp = createServer((request, response) => {
    mcpHeaders.push(request.headers);
    const server = new McpServer({ name: 'docs', version: '1' });
    server.registerTool(
      'lookup',
      {
        description: 'Looks a word up.',
        inputSchema: { word: z.string() },
        annotations: { readOnlyHint: true },
      },
      ({ word }) => ({ content: [{ type: 'text', text: `meaning of ${word}` }] }),
    );
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined } as never);
    void server.connect(transport as never).then(() => transport.handleRequest(request, response));
  });
  await new Promise<void>((resolve) => void mcp.listen(0, '127.0.0.1', resolve));
  const answer = await call('POST', '/sign-up', {
    email: 'ada@example.com',
    password: 'correct horse',
    name: 'A',
    organization: 'Ada',
  });
  cookie = answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
  await api.database.db.updateTable('organization_member').set({ organization_id: api.org.orgId }).execute();
});
beforeEach(() => {
  seen = [];
  answers = [];
  mcpHeaders = [];
});
after(async () => {
  for (const server of [model, mcp]) {
    server.closeAllConnections();
    server.close();
  }
  await api.close();
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

async function listen(
  answer: (request: IncomingMessage) => Promise<{ status?: number; body: unknown }>,
): Promise<Server> {
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { status = 200, body } = await answer(request);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return server;
}
const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown) {
  const answer = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers: {
      ...(cookie === undefined ? {} : { cookie }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), text: answer.body, cookies: answer.cookies };
}

const provide = (name: string, kind: string) =>
  call('PUT', `/model-providers/${name}`, {
    kind,
    base_url: `${urlOf(model)}/v1`,
    default_model: 'big',
    key,
  });

async function runAgent(data: object, payload: object = {}) {
  const caller = { tenant: api.org.tenant, isCustomer: false };
  const made = await createWorkflow(api.deps, caller, {
    name: 'Agent',
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: {} },
      { id: '2', node_type: 'agent', name: 'Agent', data, retry_policy: { max_attempts: 1 } },
      { id: '3', node_type: 'response', name: 'Response', data: { data: '{{node.2.body}}' } },
    ],
    edges: [
      { source: '1', target: '2' },
      { source: '2', target: '3' },
    ],
  });
  await publishWorkflow(api.deps, caller, made.id);
  const headers = { 'x-api-key': api.org.keys.test, linked_account_id: 'acme', slug: 'x' };
  const answer = await api.app.inject({
    method: 'POST',
    url: `/api/v1/workflow/${made.id}/execute`,
    headers: { ...headers, sync_execution: 'true' },
    payload,
  });
  const result = answer.json();
  const log = await api.app.inject({ url: `/api/v2/public/execution/${result.execution_id}`, headers });
  return { ...result, log: log.body };
}

const openAiSays = (message: object) => ({ body: { choices: [{ message }], usage: { total_tokens: 5 } } });
const openAiCalls = (name: string, input: object) =>
  openAiSays({
    content: null,
    tool_calls: [{ id: 'c1', function: { name, arguments: JSON.stringify(input) } }],
  });

test('an agent uses the tools of an MCP server and answers by a schema; no key is in the log', async () => {
  await provide('openai', 'openai');
  answers = [openAiCalls('docs_lookup', { word: 'glass' }), openAiSays({ content: '{"meaning": "a pane"}' })];
  const result = await runAgent(
    {
      prompt: 'What is {{event.word}}?',
      system_prompt: 'Be brief.',
      schema: { type: 'object', required: ['meaning'], properties: { meaning: { type: 'string' } } },
      mcp_servers: [
        {
          name: 'docs',
          url: `${urlOf(mcp)}/mcp`,
          headers: { authorization: 'Bearer mcp-secret' },
          query_params: { q: 'param-secret' },
        },
      ],
    },
    { word: 'glass' },
  );
  assert.deepEqual(result.return_value, { meaning: 'a pane' }, JSON.stringify(result));
  assert.deepEqual(
    [seen[0]?.url, seen[0]?.headers.authorization, seen.length],
    ['/v1/chat/completions', `Bearer ${key}`, 2],
  );
  assert.match(JSON.stringify(seen[0]?.body), /"model":"big".*What is glass\?.*docs_lookup.*Looks a word up/);
  assert.deepEqual(seen[1]?.body.messages.at(-1), {
    role: 'tool',
    tool_call_id: 'c1',
    content: 'meaning of glass',
  });
  assert.equal(mcpHeaders[0]?.authorization, 'Bearer mcp-secret');
  assert.match(result.log, /docs_lookup answered/);
  for (const secret of [key, 'mcp-secret', 'param-secret']) assert.ok(!result.log.includes(secret), secret);
});

test("Anthropic's protocol: a tool whose app is not enabled is told to the model, which goes on", async () => {
  await provide('claude', 'anthropic');
  answers = [{ body: {} }, { body: { content: [{ type: 'text', text: 'It is not connected.' }] } }];
  const actions = api.deps.connectors.get('gong')?.actions ?? {};
  const action = Object.keys(actions).find((name) => /users/i.test(name)) ?? '';
  answers[0] = { body: { content: [{ type: 'tool_use', id: 't1', name: `gong_${action}`, input: {} }] } };
  const result = await runAgent({
    provider: 'claude',
    model: 'small',
    prompt: 'List users',
    tools: [{ app: 'gong', action }],
  });
  assert.equal(result.return_value, 'It is not connected.', JSON.stringify(result));
  assert.deepEqual(
    [seen[0]?.url, seen[0]?.headers['x-api-key'], seen[0]?.headers['anthropic-version']],
    ['/v1/messages', key, '2023-06-01'],
  );
  assert.match(JSON.stringify(seen[0]?.body.tools), /input_schema/);
  assert.match(
    JSON.stringify(seen[1]?.body.messages.at(-1)),
    /tool_result.*Enable it on the Apps page first/,
  );
});

type Wire = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- bodies of the wire

async function wire(method: 'GET' | 'POST', url: string, payload?: object): Promise<Wire> {
  const headers = { 'x-api-key': api.org.keys.test, linked_account_id: 'acme', slug: 'x' };
  return (await api.app.inject({ method, url, headers, ...(payload !== undefined && { payload }) })).json();
}

async function until(what: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await what())) {
    assert.ok(Date.now() < deadline, 'it never came to that');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function publishFlow(name: string, nodes: readonly object[], more: object = {}): Promise<string> {
  const caller = { tenant: api.org.tenant, isCustomer: false };
  const all = [{ node_type: 'start', name: 'Start', data: {} }, ...nodes].map((node, at) => ({
    ...node,
    id: String(at + 1),
  }));
  const edges = all.slice(1).map(({ id }, at) => ({ source: String(at + 1), target: id }));
  const made = await createWorkflow(api.deps, caller, { name, nodes: all, edges, ...more });
  await publishWorkflow(api.deps, caller, made.id);
  return made.id;
}

test('workflows are tools: each call is one child, held by no worker, and nothing finished is repeated when the agent goes on', async () => {
  await provide('openai', 'openai');
  await publishFlow(
    'Double',
    [{ node_type: 'response', name: 'R', data: { data: { got: '{{event.n}}' } } }],
    {
      alias: 'double',
      description: 'Doubles a number.',
      jsonSchema: { type: 'object', required: ['n'], properties: { n: { type: 'number' } } },
    },
  );
  await publishFlow(
    'Approve',
    [
      { node_type: 'response', name: 'R', data: { data: '{{node.3.resume_url}}' } },
      { node_type: 'wait_for_webhook', name: 'W', data: {} },
    ],
    { alias: 'approve' },
  );
  await publishFlow('Refuse', [
    { node_type: 'terminate', name: 'T', data: { status: 'error', message: 'It is closed.' } },
  ]);
  const refuse = await api.database.db
    .selectFrom('workflow')
    .select('id')
    .where('name', '=', 'Refuse')
    .executeTakeFirstOrThrow();
  answers = [
    openAiCalls('double_workflow', { n: 'no number' }),
    openAiCalls('double_workflow', { n: 21 }),
    openAiCalls('approve_workflow', {}),
    openAiCalls('Refuse_workflow', {}),
    openAiSays({ content: 'Done.' }),
  ];
  const agentFlow = await publishFlow('Agent with tools', [
    {
      node_type: 'agent',
      name: 'Agent',
      data: {
        prompt: 'Go',
        tools: [{ workflow: 'double' }, { workflow: 'approve' }, { workflow: refuse.id }],
      },
    },
    { node_type: 'response', name: 'R', data: { data: '{{node.2.body}}' } },
  ]);
  const { execution_id: id } = await wire('POST', `/api/v1/workflow/${agentFlow}/execute`, {});
  const children = async (): Promise<string[]> =>
    (
      await api.database.pool.query<{ child_execution_id: string }>(
        'select child_execution_id from child_execution where parent_execution_id = $1 order by batch',
        [id],
      )
    ).rows.map((row) => row.child_execution_id);
  const execution = (of: string): Promise<Wire> => wire('GET', `/api/v2/public/execution/${of}`);
  await until(async () => {
    const [, second] = await children();
    return second !== undefined && (await execution(second))['waiting_on'] === 'webhook';
  });
  await until(async () => (await execution(id))['waiting_on'] === 'sub_flow');
  assert.deepEqual(
    (seen[0]!.body.tools as { function: { name: string; description: string } }[]).map(
      ({ function: { name, description } }) => [name, description],
    ),
    [
      ['double_workflow', 'Doubles a number.'],
      ['approve_workflow', 'Approve'],
      ['Refuse_workflow', 'Refuse'],
    ],
  );
  assert.match(JSON.stringify(seen[1]?.body.messages.at(-1)), /The input does not fit: \/n must be number/);
  assert.match(JSON.stringify(seen[2]?.body.messages.at(-1)), /\{\\"got\\":21\}/);
  assert.equal(seen.length, 3);
  const [, second] = await children();
  const { response: url } = await wire('GET', `/api/v1/execution/${second}/response`);
  await api.app.inject({ method: 'POST', url: String(url), payload: { yes: true } });
  await until(async () => (await execution(id))['status'] === 'COMPLETED');
  assert.equal((await wire('GET', `/api/v1/execution/${id}/response`))['response'], 'Done.');
  assert.match(JSON.stringify(seen[4]?.body.messages.at(-1)), /It is closed\./);
  // Five answers of the model, three children: taken up again, it asked and started nothing twice.
  assert.deepEqual([seen.length, (await children()).length], [5, 3]);
});

test('a conversation is remembered for its linked account and identifier', async () => {
  await provide('openai', 'openai');
  const memory = { store: 'chat', identifier: '{{event.who}}', last: 2 };
  for (const [who, prompt] of [
    ['ann', 'one'],
    ['bob', 'two'],
    ['ann', 'three'],
  ] as const) {
    answers.push(openAiSays({ content: `answer to ${prompt}` }));
    await runAgent({ prompt, memory }, { who });
  }
  assert.deepEqual(
    seen.map(({ body }) => body.messages.map(({ content }) => content)),
    [['one'], ['two'], ['one', 'answer to one', 'three']],
  );
});

test('what is wrong with an agent or its provider is told, without the key', async () => {
  await provide('openai', 'openai');
  const fails = async (data: object, text: RegExp, answer?: { status?: number; body: unknown }) => {
    answers = answer === undefined ? [] : [answer];
    const result = await runAgent(data);
    assert.match(JSON.stringify(result.execution_error), text);
    assert.ok(!result.log.includes(key));
  };
  await assert.rejects(runAgent({}), /"Prompt" is required/);
  await fails({ prompt: '{{event.none}}' }, /prompt: write what the agent is to do/);
  await fails({ prompt: 'x', provider: 'nobody' }, /There is no model provider \\"nobody\\"/);
  await fails(
    { prompt: '{{event.none || "x"}}', max_steps: '{{event.none || 51}}' },
    /max_steps: is at most 50/,
  );
  await assert.rejects(
    runAgent({ prompt: 'x', max_steps: 51 }),
    /max_steps: node "Agent" \(2\): is at most 50/,
  );
  await assert.rejects(runAgent({ prompt: 'x', schema: 'no json' }), /schema: .* is not a JSON Schema/);
  await assert.rejects(
    runAgent({ prompt: 'x', tools: [{ app: 'gong' }] }),
    /tools\.0\.action: .* name the action/,
  );
  await assert.rejects(runAgent({ prompt: 'x', tools: [{}] }), /tools\.0\.app: .* or a "workflow"/);
  await fails({ prompt: 'x', tools: [{ app: 'gong', action: 'fly' }] }, /Action fly not found/);
  await fails({ prompt: 'x', tools: [{ workflow: 'nobody' }] }, /Workflow with id nobody not found/);
  await assert.rejects(
    runAgent({ prompt: 'x', mcp_servers: [{ url: 'ftp://a' }] }),
    /mcp_servers\.0\.url: .* is not an http/,
  );
  await fails({ prompt: 'x', mcp_servers: [{ url: urlOf(model) }] }, /The agent ended: the MCP server/, {
    body: 1,
  });
  await fails({ prompt: 'x' }, /status 401: it does not accept the key/, {
    status: 401,
    body: { error: { message: `bad key ${key}` } },
  });
  await fails({ prompt: 'x' }, /that is no answer of a \\"openai\\" endpoint/, { body: { hello: 1 } });
});

test('a provider is set by field, its key never comes out and never goes to another host', async () => {
  const put = (name: string, body: object) => call('PUT', `/model-providers/${name}`, body);
  assert.match((await put('p', { kind: 'openai' })).body.message, /"key" is required/);
  assert.match((await put('P P', { kind: 'openai', key })).body.message, /name: is "P P"/);
  assert.match(
    (await put('p', { kind: 'openai', key, base_url: 'nope' })).body.message,
    /base_url: is "nope"/,
  );
  assert.match((await put('p', { kind: 'google', key })).body.message, /kind/);
  const made = await put('p', { kind: 'openai', key });
  assert.deepEqual(made.body, {
    name: 'p',
    kind: 'openai',
    base_url: 'https://api.openai.com/v1',
    default_model: null,
  });
  assert.ok(!(await call('GET', '/model-providers')).text.includes(key));
  assert.equal((await put('p', { kind: 'openai', default_model: 'small' })).status, 200);
  assert.match(
    (await put('p', { kind: 'openai', base_url: 'https://evil.example/v1' })).body.message,
    /"key" is required/,
  );
  assert.equal((await call('DELETE', '/model-providers/p')).status, 200);
  assert.equal((await call('DELETE', '/model-providers/p')).status, 404);
});

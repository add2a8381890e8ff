import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { SMTPServer } from 'smtp-server';
import { createTestApi, type TestApi } from '#api/testing';
import { newId } from '#domain/ids';
import { startAlerts } from '#webhooks/index';

/**
 * One secret, sent through the product by every road that there is. Then everything that the product wrote down or
 * said is searched for it: each row of each table, each line of the server's log, each answer of the API.
 */

// Characters that JSON, URLs, forms and Base64 each write in another way.
const canary = 'canary-9f3/K7+q="x"&ü';
/** What of it every way of writing leaves as it is. */
const trace = 'canary-9f3';

let api: TestApi;
let outside: Server;
let smtp: SMTPServer;
let base: string;
let cookie: string;
let key: string;
const said: { readonly what: string; readonly text: string }[] = [];
const lines: string[] = [];
/** What the outside got: there the secret must arrive. */
const arrived: string[] = [];
let mails = '';

type Json = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- bodies of the wire

before(async () => {
  api = await createTestApi({
    log: pino({ level: 'trace' }, { write: (line) => void lines.push(line) }),
  });
  outside = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const echo = { url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() };
      arrived.push(JSON.stringify(echo));
      response
        .writeHead(request.url!.startsWith('/fail') ? 422 : 200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ echo, again: canary }));
    });
  });
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`;
  smtp = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    logger: false,
    onAuth: ({ username }, _session, done) => done(null, { user: username }),
    onData(stream, _session, done) {
      stream.on('data', (chunk: Buffer) => (mails += chunk.toString('latin1')));
      stream.on('end', () => done());
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  outside.closeAllConnections();
  outside.close();
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
  await api.close();
});

async function call(
  method: 'GET' | 'POST' | 'PUT',
  url: string,
  payload?: object,
  headers: Record<string, string> = {},
) {
  const isConsole = url.startsWith('/api/admin');
  const answer = await api.app.inject({
    method,
    url,
    headers: {
      'content-type': 'application/json',
      ...(isConsole ? { cookie } : { 'x-api-key': key, linked_account_id: 'ann' }),
      ...headers,
    },
    ...(payload !== undefined && { payload: JSON.stringify(payload) }),
  });
  said.push({ what: `${method} ${url}`, text: answer.body });
  assert.ok(answer.statusCode < 500, `${method} ${url}: ${answer.body}`);
  return {
    status: answer.statusCode,
    text: answer.body,
    body: answer.body.startsWith('{') ? answer.json<Json>() : {},
  };
}

async function ok(...given: Parameters<typeof call>): Promise<Json> {
  const { status, text, body } = await call(...given);
  assert.equal(status, 200, `${given[0]} ${given[1]}: ${text}`);
  return body;
}

/** A published workflow whose nodes follow one another; what has a fourth part stands in that container. */
async function publish(
  name: string,
  trigger: object,
  nodes: readonly (readonly [id: string, type: string, data: object, parent?: string])[],
  more: { edges?: object[]; settings?: object; start?: object } = {},
): Promise<string> {
  const flat = ['1', ...nodes.filter(([, , , parent]) => parent === undefined).map(([id]) => id)];
  const made = await ok('POST', '/api/v2/public/workflow', {
    name,
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: { trigger, ...more.start } },
      ...nodes.map(([id, node_type, data, parent_id]) => ({
        id,
        node_type,
        name: `Node ${id}`,
        data,
        ...(parent_id !== undefined && { parent_id }),
        ...(node_type !== 'try_catch' && { retry_policy: { max_attempts: 1 } }),
      })),
    ],
    edges: [
      ...flat.slice(1).map((target, index) => ({ source: flat[index], target })),
      ...(more.edges ?? []),
    ],
    settings: more.settings ?? {},
  });
  const id = made['workflow']._id as string;
  return (await ok('PUT', `/api/v2/public/workflow/${id}/publish`, { published: true }))['_id'] as string;
}

async function until(executionId: string, is: (execution: Json) => boolean): Promise<Json> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { body } = await call('GET', `/api/v2/public/execution/${executionId}`);
    if (is(body)) return body;
    assert.ok(Date.now() < deadline, JSON.stringify(body).slice(0, 2_000));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Every table with all its rows as text, bytes in hexadecimal. */
async function databaseAsText(): Promise<Map<string, string>> {
  const { pool } = api.database;
  const { rows } = await pool.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition`,
  );
  const found = new Map<string, string>();
  for (const { name } of rows) {
    const { rows: texts } = await pool.query<{ text: string }>(`select t::text as text from ${name} t`);
    found.set(name, texts.map(({ text }) => text).join('\n'));
  }
  return found;
}

/** The ways in which the secret may be written where it must not be. */
const forms = [
  trace,
  Buffer.from(trace).toString('hex'),
  ...[0, 1, 2].map((shift) =>
    Buffer.from(' '.repeat(shift) + trace)
      .toString('base64')
      .slice(shift === 0 ? 0 : shift + 1, -4),
  ),
];

function assertClean(what: string, text: string): void {
  for (const form of forms) {
    const at = text.indexOf(form);
    assert.equal(at, -1, `${what} holds the secret: …${text.slice(Math.max(0, at - 200), at + 60)}…`);
  }
}

test('a secret that went by every road stands in no table, no log line and no answer', async () => {
  const signUp = { email: 'ada@example.com', password: 'correct horse', name: 'A', organization: 'Ops' };
  const signed = await api.app.inject({ method: 'POST', url: '/api/admin/sign-up', payload: signUp });
  cookie = signed.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
  const { keys } = await ok('GET', '/api/admin/api-keys');
  const testKey = (keys as Json[]).find(({ environment }) => environment === 'test')!;
  key = (await ok('POST', `/api/admin/api-keys/${testKey['id']}/reveal`))['key'] as string;
  await ok('POST', '/api/v2/public/linked-account', { linked_account_id: 'ann', name: 'Ann' });
  const { rows } = await api.database.pool.query<{ org: string }>(
    `select id as org from organization where name = 'Ops'`,
  );
  const orgId = rows[0]!.org;
  await api.database.pool.query(
    `insert into recovery_queue (id, org_id, environment, name, columns)
     values ($1, $2, 'test', 'Failed', '[{"name":"key","label":"Key"}]')`,
    [newId(), orgId],
  );

  // Where secrets are kept.
  const variable = { name: 'CANARY', scope: 'org', format: 'string', is_encrypted: true };
  const { id: variableId } = await ok('POST', '/api/admin/variables', variable);
  await ok('PUT', `/api/admin/variables/${variableId}/value`, { value: canary });
  await ok('GET', `/api/admin/variables/${variableId}/values`);
  await ok('PUT', '/api/admin/mail-settings', {
    host: '127.0.0.1',
    port: (smtp.server.address() as AddressInfo).port,
    security: 'none',
    username: 'ops',
    password: canary,
    default_from: 'ops@example.com',
  });
  await ok('PUT', '/api/admin/model-providers/own', { kind: 'openai', base_url: base, key: canary });
  await ok('POST', '/api/admin/alert-rules', {
    name: 'Failures',
    watches: 'events',
    events: ['Workflow Errored'],
    kind: 'custom',
    url: `${base}/alert?key=${encodeURIComponent(canary)}`,
    headers: { authorization: `Bearer ${Buffer.from(canary).toString('base64')}` },
  });
  await ok('POST', '/api/v2/public/application/event', { name: 'Order', response: { note: 'x' } });

  // Where they are used.
  const secret = '{{env.org.CANARY}}';
  const child = await publish('Child', { kind: 'api_call' }, [
    ['2', 'http', { method: 'POST', url: `${base}/child`, body: { got: '{{event.key}}' } }],
    ['3', 'response', { data: { key: '{{node.2.body.again}}' } }],
  ]);
  const table = { table_name: 'keys', columns: ['name', { name: 'key', encrypted: true }] };
  const parent = await publish(
    'Parent',
    { kind: 'event', event: 'Order', idempotency: { key: '{event:note}' } },
    [
      [
        '2',
        'http',
        {
          method: 'POST',
          url: `${base}/echo?key=${secret}`,
          headers: { authorization: `Bearer ${secret}`, 'x-note': '{{event.note}}' },
          body: { secret, list: [secret], resume: '{{node.14.resume_url}}' },
          http_trace: true,
        },
      ],
      [
        '3',
        'custom_code',
        {
          code: 'async function yourFunction(params) { console.log("key", params.key); workflow.setVariable("kept", params.key); return { key: params.key, [params.key]: 1 }; }',
          params: { key: secret },
        },
      ],
      ['4', 'table', { ...table, action: 'create_table' }],
      ['5', 'table', { ...table, action: 'add_record', data: { name: 'a', key: '{{event.card}}' } }],
      ['6', 'table', { ...table, action: 'search_record', search: { name: 'a' } }],
      ['7', 'sub_flow', { workflow: child, payload: { key: secret }, wait_for_completion: true }],
      ['8', 'loop', { mode: 'array', fanout_array: [1, 2], output_data: '{{node.9.body.key}}' }],
      ['9', 'transform', { query: '{"key": key}', input: { key: secret } }, '8'],
      ['10', 'try_catch', {}],
      ['11', 'http', { method: 'GET', url: `${base}/fail/${secret}?q=${secret}` }, '10'],
      [
        '12',
        'recovery_queue',
        { queue: 'Failed', columns: { key: secret }, payload: { secret }, dedup_key: secret },
        '10',
      ],
      [
        '13',
        'human_task',
        {
          title: `Approve ${secret}`,
          fields: [{ name: 'word', type: 'text', value: secret }],
          receivers: 'bob@example.com',
          subject: 'Please',
          body: 'Here: [[form_url]]',
          timeout_minutes: 60,
        },
      ],
      ['14', 'wait_for_webhook', { headers: [{ key: 'x-proof', value: secret }] }],
      ['15', 'log', { title: `now ${secret}`, body: { secret }, level: 'INFO' }],
      ['16', 'http', { method: 'GET', url: `${base}/fail?key=${secret}` }],
    ],
    {
      start: { custom_output: { encrypt: ['card', 'headers.x-note'] } },
      settings: { custom_fields: { key: secret } },
      edges: [
        { source: '8', target: '9', source_handle: 'body' },
        { source: '10', target: '11', source_handle: 'try' },
        { source: '10', target: '12', source_handle: 'catch' },
      ],
    },
  );

  // What comes in brings them as well.
  const payload = { note: `my ${canary}`, card: `card-${canary}`, huge: `${canary} ${'x'.repeat(40_000)}` };
  const fired = { event: 'Order', payload };
  await ok('POST', '/api/v2/public/event/trigger', fired);
  await ok('POST', '/api/v2/public/event/trigger', fired);
  const listed = await ok('GET', `/api/v2/public/execution?workflow_id=${parent}`);
  const executionId = listed['docs'][0]._id as string;
  await until(executionId, (execution) => execution['waiting_on'] === 'human_task');
  const form = /https?:\/\/\S+\/([\w-]{43})/.exec(mails.replaceAll('=\r\n', ''));
  assert.ok(form !== null, mails);
  const answer = await api.app.inject({
    method: 'POST',
    url: `/api/v2/public/human-tasks/${form[1]}`,
    payload: { data: { word: `${canary}!` } },
  });
  assert.equal(answer.statusCode, 200, answer.body);
  await until(executionId, (execution) => execution['waiting_on'] === 'webhook');
  assertCleanDatabase(await databaseAsText());
  const url = /\/api\/v1\/workflows\/webhooks\/[\w.-]+/.exec(arrived.join(' '))![0];
  assert.equal((await call('POST', url, { word: canary }, { 'x-proof': 'wrong' })).status, 401);
  assert.equal((await call('POST', url, { word: canary }, { 'x-proof': canary })).status, 200);
  const ended = await until(executionId, (execution) => execution['status'] === 'ERRORED');
  assert.match(JSON.stringify(ended), /\[REDACTED\]/);

  const alerts = startAlerts(api.deps, { lookEveryMs: 10 });
  try {
    const deadline = Date.now() + 60_000;
    while (!arrived.some((text) => text.includes('/alert?key='))) {
      assert.ok(Date.now() < deadline, 'no alert came');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    await alerts.close();
  }

  // Whatever can be asked, is.
  const at = `/api/admin/executions/${executionId}`;
  const doors = [
    at,
    `${at}/nodes/8/batches`,
    `${at}/batches?batch=8:0`,
    `/api/v2/public/execution/${executionId}/nodes/8/batches`,
    `/api/v2/public/execution/${executionId}?full_values=true`,
    '/api/admin/executions',
    '/api/admin/executions?search=REDACTED',
    '/api/admin/executions.csv',
    '/api/admin/executions/errors',
    '/api/admin/received-events',
    '/api/admin/human-tasks',
    '/api/admin/alert-rules',
    '/api/admin/alert-deliveries',
    '/api/admin/mail-settings',
    '/api/admin/model-providers',
    '/api/admin/variables',
    '/api/admin/usage?by=workflow',
    `/api/admin/workflows/${parent}`,
    `/api/v2/public/workflow/request-structure/${parent}`,
    '/api/v2/public/execution',
    '/openapi.json',
  ];
  for (const door of doors) await ok('GET', door);
  const { entries } = await ok('GET', '/api/admin/received-events');
  for (const { id } of entries as Json[]) await ok('GET', `/api/admin/received-events/${id}`);
  assert.equal((entries as Json[]).filter(({ status }) => status === 'DUPLICATE').length, 1);
  const rerun = await ok('POST', `${at}/rerun`);
  await until(rerun['id'] as string, (execution) => execution['waiting_on'] === 'human_task');
  await ok('POST', `/api/admin/executions/${rerun['id']}/stop`);
  const retried = await ok('POST', `${at}/retry`, { from: 'failure' });
  await until(
    (retried['id'] ?? retried['execution_id']) as string,
    (execution) => execution['status'] === 'ERRORED',
  );

  assert.ok(arrived.filter((text) => text.includes(trace)).length >= 5, 'the outside got the true values');
  assertCleanDatabase(await databaseAsText());
  for (const { what, text } of said) assertClean(what, text);
  for (const line of lines) {
    assertClean('the log of the server', line);
    assert.ok(!line.includes(url) && !line.includes(form[1]!), 'links that are credentials are not logged');
  }
});

function assertCleanDatabase(tables: ReadonlyMap<string, string>): void {
  assert.ok(tables.size > 50 && tables.get('journal')!.length > 1_000);
  for (const [table, text] of tables) assertClean(`table ${table}`, text);
}

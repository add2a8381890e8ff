import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { connectWithKeys, issueSessionToken, saveAppSettings, sendWithConnection } from '#connections/index';
import { createWorkflow, publishWorkflow } from '#workflows/index';

/** Actions that an organisation adds to an app: through the dashboard's API, as action calls, and in workflows. */

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let api: TestApi;
let cookie: string;
let ada: string;
let app: Server;
let elsewhere: Server;
let seen: Seen[] = [];
let strayed: Seen[] = [];
let answer: (request: Seen, response: ServerResponse) => void;
const key = 'acme_key_very_secret';

before(async () => {
  api = await createTestApi();
  app = await listening((request, response) => {
    if (request.url.endsWith('/users/me')) {
      json(response, { id: 'u1', email: 'ada@x.example', company: { id: 'c1' } });
      return;
    }
    seen.push(request);
    answer(request, response);
  });
  elsewhere = await listening((request, response) => {
    strayed.push(request);
    json(response, {});
  });
  const { tenant } = api.org;
  const variables = { acme_base_url: urlOf(app) };
  await saveAppSettings(api.deps, tenant, 'acme-crm', { isEnabled: true, variables });
  const linkedAccount = await api.addLinkedAccount('ada');
  ada = linkedAccount.id;
  await api.addLinkedAccount('nobody');
  await api.app.inject({
    method: 'POST',
    url: '/api/v2/public/linked-account',
    headers: { 'x-api-key': api.org.keys.test },
    payload: { linked_account_id: 'owned', your_app: { auth_credentials: { secret: 's-1' } } },
  });
  await connectWithKeys(api.deps, { tenant, linkedAccount, slug: 'acme-crm', fields: { apiKey: key } });
  const signedUp = await call('POST', '/sign-up', {
    email: 'ada@example.com',
    password: 'correct horse',
    name: 'A',
    organization: 'Ada',
  });
  cookie = signedUp.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
  await api.database.db.updateTable('organization_member').set({ organization_id: api.org.orgId }).execute();
});
beforeEach(() => {
  seen = [];
  strayed = [];
  answer = (request, response) => json(response, { said: JSON.parse(request.body || 'null') as unknown });
});
after(async () => {
  for (const server of [app, elsewhere]) {
    server.closeAllConnections();
    server.close();
  }
  await api.close();
});

async function listening(serve: (request: Seen, response: ServerResponse) => void): Promise<Server> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () =>
      serve(
        { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body },
        response,
      ),
    );
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return server;
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function json(response: ServerResponse, body: unknown, status = 200, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

async function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown) {
  const response = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers: {
      ...(cookie === undefined ? {} : { cookie }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return {
    status: response.statusCode,
    body: response.json(),
    text: response.body,
    cookies: response.cookies,
  };
}

const path = '/apps/acme-crm/custom-actions';

async function make(definition: object): Promise<{ id: string; action_id: string }> {
  const made = await call('POST', path, definition);
  assert.equal(made.status, 200, made.text);
  return made.body;
}

/** As any backend calls actions: with the API key, for a linked account. */
async function wire(
  method: 'GET' | 'POST',
  at: string,
  payload?: object,
  account = 'ada',
  slug = 'acme-crm',
) {
  const response = await api.app.inject({
    method,
    url: `/api/v2/integration-schema/${slug}/actions${at}`,
    headers: { 'x-api-key': api.org.keys.test, linked_account_id: account },
    ...(payload !== undefined && { payload }),
  });
  return { status: response.statusCode, body: response.json(), text: response.body };
}

const tagContact = {
  name: 'Tag a contact',
  description: 'Puts tags on a contact.',
  fields: [
    { name: 'id', label: 'Contact', required: true },
    { name: 'tags', type: 'list', required: true },
    { name: 'note', type: 'textarea', help: 'Shown beside the tags.' },
    { name: 'level', type: 'select', options: ['low', 'high'] },
  ],
  method: 'POST',
  path: '/contacts/{id}/tags',
  query: { level: '{{level}}', fixed: '1' },
  headers: { 'X-Note': '{{note}}' },
  body: { tags: '{{tags}}', text: 'Note: {{note}}', level: '{{level}}' },
};

test('an action that is added to an app is listed, described and called like its own, with the credential of the account', async () => {
  const made = await make(tagContact);
  assert.equal(made.action_id, 'tagAContact');
  const listed = (await wire('GET', '')).body as { action_id: string; tag: string; description: string }[];
  assert.deepEqual(
    listed.find(({ action_id: id }) => id === 'tagAContact'),
    {
      action_id: 'tagAContact',
      name: 'Tag a contact',
      description: 'Puts tags on a contact.',
      tag: 'Custom',
    },
  );
  assert.deepEqual(
    ((await wire('GET', '/tagAContact')).body as { name: string; required: boolean }[]).map(
      ({ name, required }) => [name, required],
    ),
    [
      ['id', true],
      ['tags', true],
      ['note', false],
      ['level', false],
    ],
  );
  const done = await wire('POST', '/tagAContact/execute', {
    id: '../../deals?x=1',
    tags: 'a, b',
    note: 'say "hi" {{event.x}}',
  });
  assert.deepEqual(done.body, {
    node_status: 'Success',
    http_status: 200,
    // A field without a value is left out; what a value holds is never read as a template.
    data: { said: { tags: ['a', 'b'], text: 'Note: say "hi" {{event.x}}' } },
  });
  const [sent] = seen;
  assert.equal(sent?.url, '/api/v1/contacts/..%2F..%2Fdeals%3Fx%3D1/tags?fixed=1');
  assert.equal(sent?.headers['x-acme-key'], key);
  assert.equal(sent?.headers['x-note'], 'say "hi" {{event.x}}');
  assert.ok(!done.text.includes(key));
});

test('bad parameters and accounts are told before anything is sent', async () => {
  const fails = async (payload: object, text: RegExp, account?: string) => {
    const refused = await wire('POST', '/tagAContact/execute', payload, account);
    assert.equal(refused.status, 400, refused.text);
    assert.match(refused.body.message, text);
  };
  await fails({ tags: ['a'] }, /Required parameter 'id' is missing/);
  await fails({ id: '..', tags: ['a'] }, /'id' may not be "\." or "\.\."/);
  await fails({ id: '1', tags: ['a'], level: 'top' }, /'level' must be one of "low", "high"/);
  await fails({ id: '1', tags: ['a'] }, /"nobody" is not connected to Acme CRM/, 'nobody');
  assert.equal((await wire('POST', '/noSuch/execute', {})).status, 404);
  assert.equal(seen.length, 0);
});

test('the credential never travels to a host that is not of the app', async () => {
  const away = `${urlOf(elsewhere)}/api/v1`;
  await make({ name: 'Steal', method: 'GET', base_url: away, path: '/x' });
  const byBase = await wire('POST', '/steal/execute', {});
  assert.match(byBase.body.message, /requests may not go to "http:\/\/127\.0\.0\.1/);
  await make({
    name: 'By script',
    method: 'GET',
    path: '/x',
    pre_request_script: `function yourFunction({ request }) { return { ...request, path: '${away}/x' }; }`,
  });
  assert.match((await wire('POST', '/byScript/execute', {})).body.message, /requests may not go to/);
  answer = (_request, response) => json(response, {}, 302, { location: `${away}/stolen` });
  await make({ name: 'By redirect', method: 'GET', path: '/x' });
  await wire('POST', '/byRedirect/execute', {});
  const secrets = JSON.stringify(strayed);
  assert.ok(!secrets.includes(key), secrets);
  await make({
    name: 'Next page away',
    method: 'GET',
    path: '/x',
    pagination: { type: 'cursor', cursor_path: 'next' },
  });
  answer = (_request, response) => json(response, { rows: [1], next: `${away}/page-2` });
  assert.match((await wire('POST', '/nextPageAway/execute', {})).body.message, /requests may not go to/);
});

test('a script shapes the request in the sandbox, and sees no credential', async () => {
  await make({
    name: 'Signed',
    method: 'POST',
    path: '/things',
    fields: [{ name: 'n', type: 'number', required: true }],
    body: { n: '{{n}}' },
    pre_request_script: `function yourFunction(params) {
      const { fields, request } = params;
      return { headers: { ...request.headers, 'X-Sum': fields.n + 1 }, body: { ...request.body, given: JSON.stringify(params) } };
    }`,
  });
  const done = await wire('POST', '/signed/execute', { n: 41 });
  assert.equal(seen[0]?.headers['x-sum'], '42', done.text);
  const { said } = done.body.data as { said: { n: number; given: string } };
  assert.equal(said.n, 41);
  assert.ok(!said.given.includes(key));
  await make({ name: 'Broken', method: 'GET', path: '/x', pre_request_script: 'throw new Error("no")' });
  assert.match((await wire('POST', '/broken/execute', {})).text, /no/);
  await make({
    name: 'Wrong',
    method: 'GET',
    path: '/x',
    pre_request_script: 'function yourFunction() { return { path: 5 }; }',
  });
  assert.match((await wire('POST', '/wrong/execute', {})).body.message, /must return the request: path/);
});

test('neither a script nor the request of a node sets a header that only the server sets', async () => {
  const setting = (name: string) => `function yourFunction() { return { headers: { '${name}': 'x' } }; }`;
  for (const name of ['Authorization', 'Host', 'content-length']) {
    const action = `set${name.replace('-', '')}`;
    await make({ name, action_id: action, method: 'GET', path: '/x', pre_request_script: setting(name) });
    const refused = await wire('POST', `/${action}/execute`, {});
    assert.equal(refused.status, 400, refused.text);
    assert.match(refused.body.message, new RegExp(`'headers' may not set "${name}"`));
  }
  const request = { method: 'GET', path: '/x', headers: { Host: 'evil.example' } } as const;
  const target = { tenant: api.org.tenant, linkedAccountId: ada, slug: 'acme-crm' };
  await assert.rejects(sendWithConnection(api.deps, target, request), /may not set "host"/);
  assert.equal(seen.length, 0);
});

test('a token goes where the action wants it, in place of where the app has it', async () => {
  await make({
    name: 'Elsewhere',
    method: 'GET',
    path: '/x',
    token_injection: { in: 'header', name: 'Authorization', value: 'Token {{credential.apiKey}}' },
  });
  await wire('POST', '/elsewhere/execute', {});
  assert.equal(seen[0]?.headers.authorization, `Token ${key}`);
  assert.equal(seen[0]?.headers['x-acme-key'], undefined);
  await make({
    name: 'Lost',
    method: 'GET',
    path: '/x',
    token_injection: { in: 'query', name: 'token', value: '{{credential.access_token}}' },
  });
  const lost = await wire('POST', '/lost/execute', {});
  assert.match(lost.body.message, /reads nothing of the connection, which has \{\{credential\.apiKey\}\}/);
});

test('pages come as one answer, and a refusal is an outcome with what the app said', async () => {
  await make({
    name: 'All things',
    method: 'GET',
    path: '/things',
    pagination: { type: 'page', size_key: 'per', size: 2 },
  });
  answer = (request, response) => {
    const page = Number(new URL(request.url, 'http://x').searchParams.get('page'));
    json(response, { rows: page > 2 ? [] : [page * 10, page * 10 + 1] });
  };
  assert.deepEqual((await wire('POST', '/allThings/execute', {})).body.data, { rows: [10, 11, 20, 21] });
  answer = (_request, response) => json(response, { why: 'tired' }, 422);
  assert.deepEqual((await wire('POST', '/allThings/execute', {})).body, {
    node_status: 'Errored',
    http_status: 422,
    data: { why: 'tired' },
  });
});

test('an answer of any kind is kept as a file', async () => {
  const bytes = Buffer.from([0xff, 0xfe, 0, 1, 2, 0x80]);
  answer = (_request, response) => response.writeHead(200, { 'content-type': 'image/x' }).end(bytes);
  await make({ name: 'Picture', method: 'GET', path: '/pictures/a.img', save_to_file: true });
  const { data } = (await wire('POST', '/picture/execute', {})).body as { data: Record<string, string> };
  assert.deepEqual([data['file_name'], data['file_size']], ['a.img', 6]);
  const { pathname, search } = new URL(data['file_url']!);
  const file = await api.app.inject({ url: `${pathname}${search}` });
  assert.ok(file.rawPayload.equals(bytes));
  answer = (_request, response) => json(response, { why: 'gone' }, 404);
  const gone = (await wire('POST', '/picture/execute', {})).body;
  assert.deepEqual([gone.node_status, gone.http_status, gone.data], ['Errored', 404, { why: 'gone' }]);
});

test('a workflow runs it as an app action, with its templates and the effect that it declares', async () => {
  const caller = { tenant: api.org.tenant, isCustomer: false };
  const made = await createWorkflow(api.deps, caller, {
    name: 'Tags',
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: {} },
      {
        id: '2',
        node_type: 'custom_action',
        name: 'Tag',
        data: { app: 'acme-crm', action: 'tagAContact', parameters: { id: '{{event.id}}', tags: ['x'] } },
      },
      { id: '3', node_type: 'response', name: 'Response', data: { data: '{{node.2.body}}' } },
    ],
    edges: [
      { source: '1', target: '2' },
      { source: '2', target: '3' },
    ],
  });
  await publishWorkflow(api.deps, caller, made.id);
  const run = async (payload: object) => {
    const headers = { 'x-api-key': api.org.keys.test, linked_account_id: 'ada', slug: 'x' };
    const response = await api.app.inject({
      method: 'POST',
      url: `/api/v1/workflow/${made.id}/execute`,
      headers: { ...headers, sync_execution: 'true' },
      payload,
    });
    const result = response.json();
    const log = await api.app.inject({ url: `/api/v2/public/execution/${result.execution_id}`, headers });
    assert.ok(!log.body.includes(key));
    return result;
  };
  assert.deepEqual((await run({ id: 7 })).return_value, { said: { tags: ['x'], text: 'Note: ' } });
  assert.equal(seen[0]?.url, '/api/v1/contacts/7/tags?fixed=1');
  // POST is `once`: an answer of 503 leaves it unknown whether it happened, and it is not sent again.
  seen = [];
  answer = (_request, response) => json(response, {}, 503);
  assert.match(JSON.stringify((await run({ id: 7 })).execution_error), /status 503/);
  assert.equal(seen.length, 1);
});

test('it is tried alone, changed, and deleted; nothing of it crosses to another organisation or environment', async () => {
  const made = await make({ ...tagContact, name: 'Mine', action_id: 'mine' });
  const one = `${path}/${made.id}`;
  const tried = await call('POST', `${one}/test`, {
    linked_account_id: 'ada',
    parameters: { id: '1', tags: 'a' },
  });
  assert.deepEqual([tried.status, tried.body.node_status], [200, 'Success'], tried.text);
  assert.equal((await call('POST', `${one}/test`, { linked_account_id: 'none' })).status, 404);
  const changed = await call('PUT', one, { name: 'Mine', method: 'GET', path: '/other' });
  assert.deepEqual([changed.body.action_id, changed.body.path], ['mine', '/other']);
  await wire('POST', '/mine/execute', {});
  assert.equal(seen.at(-1)?.url, '/api/v1/other');
  const other = await api.addOrganization('Other');
  const stranger = await api.app.inject({
    url: '/api/v2/integration-schema/acme-crm/actions',
    headers: { 'x-api-key': api.org.keys.production, linked_account_id: 'ada' },
  });
  assert.ok(!stranger.body.includes('mine'));
  assert.notEqual(other.orgId, api.org.orgId);
  assert.equal((await call('DELETE', one)).status, 200);
  assert.equal((await call('GET', one)).status, 404);
  assert.equal((await wire('POST', '/mine/execute', {})).status, 404);
});

/** The organisation's own API: the first path is its token exchange. */
function ownApi(tokens: readonly string[], isTaken: (token: string) => boolean = () => true): void {
  let exchanges = 0;
  answer = (request, response) => {
    if (request.url.startsWith('/own/auth')) {
      json(response, { data: { token: tokens[Math.min(exchanges, tokens.length - 1)] } });
      exchanges += 1;
      return;
    }
    const isKnown = isTaken(String(request.headers.authorization).replace('Bearer ', ''));
    json(response, { said: JSON.parse(request.body || 'null') as unknown }, isKnown ? 200 : 401);
  };
}

const own = (method: 'GET' | 'POST', at: string, payload?: object) =>
  wire(method, at, payload, 'owned', 'custom');
const exchangesSeen = (): number => seen.filter(({ url }) => url.startsWith('/own/auth')).length;

test("the organisation's own API is called with what a token exchange gives for the account, kept as long as it counts", async () => {
  const unset = await own('POST', '/httprequest/execute', { path: '/things' });
  assert.match(unset.body.message, /My App has no API yet/);
  const settings = {
    base_url: `${urlOf(app)}/own`,
    auth: {
      url: `${urlOf(app)}/own/auth`,
      headers: { 'X-Secret': '{{linked_account.auth_credentials.secret}}' },
      body: { who: '{{linked_account.id}}' },
      cache_s: 600,
    },
    inject: [
      { in: 'header', name: 'Authorization', value: 'Bearer {{response.data.token}}' },
      { in: 'header', name: 'X-Tenant', value: 'of {{linked_account.id}}' },
      { in: 'body', name: 'tenant', value: '{{linked_account.id}}' },
    ],
  };
  assert.equal((await call('PUT', '/own-api', settings)).status, 200);
  assert.deepEqual((await call('GET', '/own-api')).body.own_api.inject, settings.inject);
  const made = await call('POST', '/apps/custom/custom-actions', {
    name: 'Put a thing',
    fields: [{ name: 'id', required: true }, { name: 'who' }],
    method: 'PUT',
    path: '/things/{id}',
    headers: { 'x-tenant': '{{who}}' },
    body: { id: '{{id}}' },
  });
  assert.equal(made.body.action_id, 'putAThing', made.text);
  ownApi(['t-1', 't-2']);
  const done = await own('POST', '/putAThing/execute', { id: 'a/b' });
  assert.deepEqual(done.body.data, { said: { tenant: 'owned', id: 'a/b' } }, done.text);
  const [exchange, sent] = seen;
  assert.deepEqual([exchange?.headers['x-secret'], exchange?.body], ['s-1', '{"who":"owned"}']);
  assert.deepEqual(
    [sent?.url, sent?.headers.authorization, sent?.headers['x-tenant']],
    ['/own/things/a%2Fb', 'Bearer t-1', 'of owned'],
  );
  // What the request says itself counts more; the token is not exchanged again.
  await own('POST', '/putAThing/execute', { id: '1', who: 'somebody' });
  assert.deepEqual([seen.at(-1)?.headers['x-tenant'], exchangesSeen()], ['somebody', 1]);
  const { rows } = await api.database.pool.query<{ token_sealed: Buffer }>(
    'select token_sealed from own_api_token',
  );
  assert.ok(rows.length === 1 && !rows[0]!.token_sealed.toString('latin1').includes('t-1'));
  // One that the API no longer takes is exchanged once more, and the call is made again.
  seen = [];
  ownApi(['t-2'], (token) => token === 't-2');
  assert.equal((await own('POST', '/putAThing/execute', { id: '1' })).body.http_status, 200);
  assert.deepEqual([exchangesSeen(), seen.length], [1, 3]);
  // Other settings forget the tokens of those before.
  assert.equal((await call('PUT', '/own-api', settings)).status, 200);
  await own('POST', '/putAThing/execute', { id: '1' });
  assert.equal(exchangesSeen(), 2);
});

test('what proves the account is said by the settings and custom actions, and by nobody who calls', async () => {
  ownApi(['t-1']);
  const free = {
    method: 'POST',
    path: '/things',
    headers: { 'x-tenant': 'of bob' },
    body: { tenant: 'bob' },
  };
  await own('POST', '/httprequest/execute', free);
  assert.deepEqual([seen.at(-1)?.headers['x-tenant'], seen.at(-1)?.body], ['of owned', '{"tenant":"owned"}']);
  const text = await own('POST', '/httprequest/execute', { ...free, body: 'tenant=bob', bodyType: 'text' });
  assert.deepEqual([text.status, /'body' must be a JSON object or a form/.test(text.text)], [400, true]);
  const { token } = await issueSessionToken(
    api.deps,
    api.org.tenant,
    { id: ada, accountId: 'ada', name: null },
    { forceNew: false },
  );
  const browser = await api.app.inject({
    method: 'POST',
    url: '/api/v2/integration-schema/custom/actions/httprequest/execute',
    headers: { authorization: `Bearer ${token}` },
    payload: free,
  });
  assert.deepEqual([browser.statusCode, /API key/.test(browser.body)], [403, true], browser.body);
});

test('calls that are refused with the same token exchange it once', async () => {
  let isSecondDone = (): void => undefined;
  const secondDone = new Promise<void>((resolve) => (isSecondDone = resolve));
  let exchanges = 0;
  await api.database.pool.query('delete from own_api_token');
  ownApi(['old']);
  await own('POST', '/putAThing/execute', { id: 'first' });
  answer = (request, response) => {
    if (request.url.startsWith('/own/auth')) {
      exchanges += 1;
      json(response, { data: { token: `new-${exchanges}` } });
    } else if (request.headers.authorization === `Bearer new-${exchanges}`) {
      json(response, {});
      if (request.url.endsWith('/b')) isSecondDone();
    } else if (request.url.endsWith('/a')) void secondDone.then(() => json(response, {}, 401));
    else json(response, {}, 401);
  };
  const both = await Promise.all(['a', 'b'].map((id) => own('POST', '/putAThing/execute', { id })));
  assert.deepEqual(
    both.map(({ body }) => body.http_status),
    [200, 200],
  );
  assert.equal(exchanges, 1);
});

test('a workflow calls the own API by an API proxy, and what proves the account goes nowhere else', async () => {
  ownApi(['t-secret']);
  const run = async (parameters: object, action = 'putAThing') => {
    const account = await api.addLinkedAccount(`runs-${Math.random()}`);
    const ran = await api.deps.engine.runSync(api.org.tenant, {
      workflowId: 'proxy-test',
      document: {
        nodes: [
          { id: '1', node_type: 'start' },
          { id: '2', node_type: 'api_proxy', name: 'Own', data: { action, parameters } },
        ],
        edges: [{ source: '1', target: '2' }],
      },
      linkedAccount: account,
      configId: account.accountId,
      source: 'api_call',
      payload: { id: 5 },
      timeoutMs: 10_000,
    });
    const { nodes } = await api.deps.engine.read(api.org.tenant, ran.executionId);
    assert.ok(!JSON.stringify(nodes).includes('t-secret'));
    return nodes.find(({ nodeId }) => nodeId === '2')!;
  };
  const ran = await run({ id: '{{event.id}}' });
  assert.equal(ran.status, 'success', JSON.stringify(ran.error));
  assert.equal(seen.at(-1)?.url, '/own/things/5');
  assert.equal((await run({ path: '/free?x=1' }, 'httprequest')).status, 'success');
  assert.match((await run({}, 'putAThing')).error!.message, /Required parameter 'id' is missing/);
  assert.match((await run({}, 'noSuch')).error!.message, /Action noSuch not found/);
  const away = await run({ path: `${urlOf(elsewhere)}/x` }, 'httprequest');
  assert.match(away.error!.message, /may not go to/);
  answer = (request, response) =>
    request.url.startsWith('/own/auth')
      ? json(response, { data: { token: 't-secret' } })
      : json(response, {}, 302, { location: `${urlOf(elsewhere)}/stolen` });
  await run({ path: '/moved' }, 'httprequest');
  assert.ok(strayed.length > 0 && !JSON.stringify(strayed).includes('t-secret'));
  strayed = [];
  answer = (request, response) =>
    request.url.startsWith('/own/auth')
      ? json(response, { data: { token: 't-secret' } })
      : json(response, {}, 307, { location: `${urlOf(elsewhere)}/stolen` });
  const moved = await run({ method: 'POST', path: '/moved', body: { a: 1 } }, 'httprequest');
  assert.match(moved.error!.message, /redirected a request whose body proves the account/);
  assert.equal(strayed.length, 0);
  answer = (_request, response) => json(response, {}, 302, { location: `${urlOf(elsewhere)}/auth` });
  strayed = [];
  assert.match((await run({ id: 1 })).error!.message, /token exchange of My App answered with status 302/);
  assert.equal(strayed.length, 0);
});

test('what is wrong with the settings of the own API is told by field', async () => {
  const good = { base_url: 'https://api.example' };
  const cases: readonly (readonly [object, RegExp])[] = [
    [{}, /base_url/],
    [{ base_url: 'ftp://x' }, /base_url.*is not an http/],
    [{ base_url: 'https://u:p@x.example' }, /base_url.*without user/],
    [{ ...good, auth: { url: 'nope' } }, /auth\.url/],
    [{ ...good, auth: { url: 'https://x.example', cache_s: -1 } }, /auth\.cache_s/],
    [
      { ...good, auth: { url: 'https://x.example', headers: { 'X-Api-Key': 'k-1' } } },
      /auth\.headers\.X-Api-Key.*holds a secret as it is/,
    ],
    [
      { ...good, auth: { url: 'https://x.example', body: { client_secret: 'k-1' } } },
      /auth\.body\.client_secret.*holds a secret as it is/,
    ],
    [
      { ...good, inject: [{ in: 'header', name: 'Authorization', value: 'Bearer k-1' }] },
      /inject\.0\.value.*holds a secret as it is/,
    ],
    [
      { ...good, auth: { url: 'https://x.example', body: '{{response.x}}' } },
      /auth\.body.*reads \{\{response\}\}/,
    ],
    [{ ...good, inject: [{ in: 'header', name: 'a', value: '{{response.t}}' }] }, /inject\.0\.value.*reads/],
    [
      { ...good, inject: [{ in: 'cookie', name: 'a', value: 'b' }] },
      /inject\.0\.in.*use header, query or body/,
    ],
  ];
  for (const [body, text] of cases) {
    const refused = await call('PUT', '/own-api', body);
    assert.equal(refused.status, 400, refused.text);
    assert.match(JSON.stringify(refused.body), text);
  }
  const placed = await call('POST', '/apps/custom/custom-actions', {
    name: 'P',
    method: 'GET',
    path: '/x',
    token_injection: { in: 'query', name: 't', value: '{{credential.x}}' },
  });
  assert.match(JSON.stringify(placed.body), /token_injection.*is of connected apps/);
  assert.equal((await call('DELETE', '/own-api')).status, 200);
  assert.equal((await call('DELETE', '/own-api')).status, 404);
});

test('what is wrong with a definition is told by field, and the key of a certificate never comes out', async () => {
  const good = { name: 'Good', method: 'GET', path: '/x' };
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ ...good, name: ' ' }, /name/],
    [{ ...good, method: 'FETCH' }, /method.*use GET/],
    [{ ...good, path: '' }, /path.*write the path/],
    [{ ...good, path: '/a/{id}' }, /path.*names \{id\}, and there is no such field/],
    [{ ...good, body: { a: '{{b}}' } }, /body.*reads \{\{b\}\}/],
    [{ ...good, query: { a: '{{ 1 + 1 }}' } }, /query.*is not a template/],
    [{ ...good, headers: { Authorization: 'x' } }, /headers.*the credential is that of the connection/],
    [{ ...good, base_url: 'ftp://x' }, /base_url.*is not an http/],
    [{ ...good, fields: [{ name: 'a b' }] }, /fields\.0\.name.*use letters/],
    [{ ...good, fields: [{ name: 'a' }, { name: 'a' }] }, /fields\.1\.name.*twice/],
    [{ ...good, fields: [{ name: 'a', type: 'select' }] }, /fields\.0\.options.*list the options/],
    [{ ...good, pagination: { type: 'cursor' } }, /pagination\.cursor_path.*name where/],
    [{ ...good, pagination: { type: 'page' }, save_to_file: true }, /pagination.*kept as a file/],
    [{ ...good, response_schema: { type: 'nope' } }, /response_schema.*no JSON Schema/],
    [
      { ...good, token_injection: { in: 'header', name: 'a', value: 'sk-1' } },
      /does not belong in a definition/,
    ],
    [{ ...good, mtls: { client_certificate: 'x', client_key: 'top-secret' } }, /mtls\.client_certificate/],
    [{ ...good, mtls: { client_key: 'top-secret' } }, /mtls\.client_certificate.*belongs to/],
  ];
  for (const [body, text] of cases) {
    const refused = await call('POST', path, body);
    assert.equal(refused.status, 400, refused.text);
    assert.match(JSON.stringify(refused.body), text);
    assert.ok(!refused.text.includes('top-secret'));
  }
  assert.equal((await call('POST', path, { ...good, action_id: 'listContacts' })).status, 409);
  await make({ ...good, action_id: 'good' });
  assert.equal((await call('POST', path, { ...good, action_id: 'good' })).status, 409);
  assert.equal((await call('POST', '/apps/no-app/custom-actions', good)).status, 404);
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi, type TestOrganization } from '#api/testing';
import { createField } from '#configs/index';
import { createFunction } from '#functions/index';
import { createTable } from '#records/index';
import type { Tenant } from '#domain/tenant';

let api: TestApi;
let other: TestOrganization;
let test1: Tenant;
let production: Tenant;
let cookie = '';

before(async () => {
  api = await createTestApi();
  other = await api.addOrganization('Other');
  test1 = api.org.tenant;
  production = { ...test1, environment: 'production' };
  await api.addLinkedAccount('ada');
  for (const tenant of [test1, production]) await enable(tenant);
  const answer = await call('POST', '/api/admin/sign-up', {
    email: 'ada@example.com',
    password: 'correct horse',
    name: 'Ada',
    organization: 'Ada & Co.',
  });
  cookie = answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
});
after(() => api.close());

async function enable({ orgId, environment }: Tenant): Promise<void> {
  await api.database.db
    .insertInto('app_setting')
    .values({ org_id: orgId, environment, app_slug: 'gong', client_id: null, client_secret_sealed: null })
    .execute();
}

async function call(method: string, url: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await api.app.inject({
    method: method as 'GET',
    url,
    headers: {
      ...(headers['authorization'] === undefined && { 'x-api-key': api.org.keys.test }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), cookies: answer.cookies, headers: answer.headers };
}

const base = '/api/v2/public/workflow';
const inProduction = () => ({ 'x-api-key': api.org.keys.production });
const exported = async (id: string, headers = {}) => {
  const answer = await call('GET', `${base}/${id}/export`, undefined, headers);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
};
const imported = async (file: unknown, headers = {}, query = '') => {
  const answer = await call('POST', `${base}/import${query}`, file, headers);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
};

async function made(body: object, headers = {}): Promise<string> {
  const answer = await call('POST', base, body, headers);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.workflow.associated_workflow;
}

const makeFunction = (tenant: Tenant) =>
  createFunction(api.deps, tenant, { name: 'Score', language: 'javascript', code: 'return 1' });
const makeTable = (tenant: Tenant) =>
  createTable(
    api.deps,
    tenant,
    { linkedAccountId: null, executionId: null },
    { name: 'Leads', columns: [{ name: 'a', encrypted: false }] },
  );

/** A workflow that names much, with secrets written where variables should be. */
async function big(): Promise<string> {
  const score = await makeFunction(test1);
  const { table } = await makeTable(test1);
  const child = await made({ name: 'Child', workflow_alias: 'child' });
  const other = await made({ name: 'Another child' });
  const id = await made({
    name: 'Big',
    description: 'It does much.',
    slug: 'gong',
    workflow_alias: 'big',
    autoEnable: true,
    udf_filter: [{ key: 'plan', value: 'pro' }],
    settings: { timeout: 60 },
    json_schema: { type: 'object' },
    manual_execution_payload: { n: 1 },
    nodes: [
      {
        id: '1',
        node_type: 'start',
        name: 'Start',
        data: { trigger: { kind: 'webhook', auth: { type: 'token', header: 'x-token', secret: 'hunter2' } } },
      },
      { id: '2', node_type: 'function', name: 'Score', data: { function_id: score.id, inputs: {} } },
      {
        id: '3',
        node_type: 'table',
        name: 'Leads',
        data: { action: 'search_record', table_id: table.id, private: false },
      },
      { id: '4', node_type: 'sub_flow', name: 'Call', data: { workflow: other } },
      { id: '5', node_type: 'sub_flow', name: 'Call by alias', data: { workflow: 'child' } },
      {
        id: '6',
        node_type: 'http',
        name: 'Post',
        data: {
          url: 'https://example.com/{{env.org.PATH_PART}}',
          headers: [
            { key: 'Authorization', value: 'Bearer s3cret' },
            { key: 'X-Api-Key', value: '{{env.org.API_KEY}}' },
            { key: 'Accept', value: 'text/plain' },
          ],
          client_key: '',
          sort_key: 'name',
        },
      },
      { id: '7', node_type: 'app_action', name: 'Act', data: { app: 'gong', action: 'listCalls' } },
    ],
    edges: ['1', '2', '3', '4', '5', '6'].map((source) => ({ source, target: String(Number(source) + 1) })),
  });
  assert.notEqual(child, other);
  const parent = await createField(
    api.deps,
    test1,
    { slug: 'gong', workflowId: id },
    { name: 'Kind', fieldType: 'text' },
  );
  await createField(
    api.deps,
    test1,
    { slug: 'gong', workflowId: id },
    {
      name: 'Detail',
      fieldType: 'text',
      isRequired: true,
      definition: { parent: parent.id, help_text: 'More' },
    },
  );
  return id;
}

test('a workflow that is exported, imported and exported again is the same file, without a secret in it', async () => {
  const id = await big();
  const file = await exported(id);
  const text = JSON.stringify(file);
  for (const secret of ['hunter2', 's3cret', 'secret_id', test1.orgId])
    assert.ok(!text.includes(secret), secret);
  assert.deepEqual(file.needs, {
    apps: ['gong'],
    events: [],
    functions: ['Score'],
    tables: ['Leads'],
    queues: [],
    polling_triggers: [],
    workflows: [file.needs.workflows[0], 'child'],
    variables: ['API_KEY', 'PATH_PART'],
    model_providers: [],
    secrets: ['nodes.6.data.headers.0.value', 'nodes.1.data.trigger.auth.secret'],
  });

  const first = await imported(file, inProduction());
  assert.equal(first.created, true);
  assert.deepEqual(first.connect, ['gong']);
  assert.deepEqual(first.missing, {
    ...file.needs,
    apps: [],
    secrets: ['nodes[5].data.headers.0.value', 'nodes[0].data.trigger.auth.secret'],
  });
  assert.deepEqual(await exported(first.workflow_id, inProduction()), file);
  // What is missing keeps it from going live, each by its place.
  const refused = await call('PUT', `${base}/${first.workflow_id}/publish`, {}, inProduction());
  assert.equal(refused.status, 400);
  assert.match(refused.body.message, /nodes\[5\]\.data\.headers\.0\.value: was left out of the file/);
  assert.match(refused.body.message, /there is no function "@name:Score"/);

  // Once they are there, the same file finds them, whatever their ids are here.
  await makeFunction(production);
  await makeTable(production);
  for (const name of file.needs.workflows) {
    if (name === 'child') await made({ name: 'Child', workflow_alias: 'child' }, inProduction());
    else await imported(await exported(name), inProduction());
  }
  const second = await imported(file, inProduction());
  assert.deepEqual([second.created, second.workflow_id], [false, first.workflow_id]);
  assert.deepEqual(second.missing, {
    ...first.missing,
    functions: [],
    tables: [],
    workflows: [],
  });
  assert.deepEqual(await exported(first.workflow_id, inProduction()), file);
  const { body: draft } = await call('GET', `${base}/${first.workflow_id}/edit`, undefined, inProduction());
  assert.match(draft.nodes[1].data.function_id, /^[0-9a-f]{24}$/);
  // Back where it came from, it is a draft of the same workflow.
  assert.deepEqual((await imported(file)).workflow_id, id);
});

test('an import changes the draft and no published version; secrets that were entered here stay', async () => {
  const node = (value: string) => [
    { id: '1', node_type: 'start', name: 'Start', data: {} },
    {
      id: '2',
      node_type: 'http',
      name: 'Get',
      data: { method: 'GET', url: 'https://example.com', headers: { Authorization: value } },
    },
  ];
  const id = await made({
    name: 'Deployed',
    nodes: node('Bearer there'),
    edges: [{ source: '1', target: '2' }],
  });
  const file = await exported(id);
  const { workflow_id: there } = await imported(file, inProduction());
  await call('PUT', `${base}/${there}`, { nodes: node('Bearer here') }, inProduction());
  const live = await call('PUT', `${base}/${there}/publish`, {}, inProduction());
  assert.equal(live.body.current_version, 1, JSON.stringify(live.body));

  const again = await imported({ ...file, workflow: { ...file.workflow, name: 'Renamed' } }, inProduction());
  assert.deepEqual([again.workflow_id, again.missing.secrets], [there, []]);
  const { body: draft } = await call('GET', `${base}/${there}/edit`, undefined, inProduction());
  assert.deepEqual(
    [draft.name, draft.nodes[1].data.headers.Authorization, draft.current_version],
    ['Renamed', 'Bearer here', 1],
  );
  const asNew = await imported(file, inProduction(), '?as_new=true&name=Mine');
  assert.notEqual(asNew.workflow_id, there);
  assert.equal(
    (await call('GET', `${base}/${asNew.workflow_id}`, undefined, inProduction())).body.name,
    'Mine',
  );
});

test('what is exported is what is published; the draft only when asked for', async () => {
  const id = await made({ name: 'Two faces' });
  await call('PUT', `${base}/${id}/publish`, {});
  await call('PUT', `${base}/${id}`, { settings: { timeout: 5 } });
  assert.deepEqual((await exported(id)).workflow.settings, {});
  const draft = await call('GET', `${base}/${id}/export?draft=true`);
  assert.deepEqual(draft.body.workflow.settings, { timeout: 5 });
  assert.match(String(draft.headers['content-disposition']), /attachment; filename="Two-faces\.json"/);
});

test('a file that is none is refused by the name of the field, and leaves nothing behind', async () => {
  const file = await exported(await made({ name: 'Good', slug: 'gong' }));
  const { workflow } = file;
  const taken = await made({ name: 'Taken', slug: 'gong', workflow_alias: 'taken' });
  assert.ok(taken);
  const count = async () =>
    (await api.database.pool.query('select count(*)::int as n from workflow')).rows[0].n as number;
  const before = await count();
  const asNew = (change: object) => ({ ...file, workflow: { ...workflow, id: 'elsewhere', ...change } });
  const wrong: [unknown, number, RegExp][] = [
    [{}, 400, /format: is not "inlay\.workflow"/],
    [{ ...file, format_version: 2 }, 400, /format_version: is not 1/],
    [{ ...file, workflow: undefined }, 400, /workflow/],
    [asNew({ alias: 'not good' }), 400, /workflow\.alias: use 1 to 100/],
    [asNew({ alias: 'taken' }), 400, /taken/],
    [asNew({ app: 'no-such-app' }), 404, /no-such-app/],
    [asNew({ nodes: [{ id: '1' }] }), 400, /node_type/],
    [asNew({ nodes: [{ id: '1', node_type: 'nonsense' }] }), 400, /nonsense/],
    [
      asNew({ fields: [{ name: 'x', field_type: 'magic' }] }),
      400,
      /workflow\.fields\.0\.field_type: is none of/,
    ],
    [
      asNew({ fields: [{ name: 'x', field_type: 'text', position: 9e12 }] }),
      400,
      /workflow\.fields\.0\.position/,
    ],
    [{ ...file, workflow: { ...workflow, app: null } }, 400, /belongs to gong, the file to no app/],
  ];
  for (const [body, status, message] of wrong) {
    const answer = await call('POST', `${base}/import`, body);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.match(answer.body.message, message);
  }
  assert.equal((await call('POST', `${base}/import?as_new=maybe`, file)).status, 400);
  assert.equal(await count(), before);
});

test('another organisation finds nothing to export, and its imports are its own; a customer imports for itself', async () => {
  const id = await made({ name: 'Ours' });
  const theirs = { 'x-api-key': other.keys.test };
  assert.equal((await call('GET', `${base}/${id}/export`, undefined, theirs)).status, 404);
  const copy = await imported(await exported(id), theirs);
  assert.deepEqual([copy.created, copy.workflow_id === id], [true, false]);
  assert.equal((await call('GET', `${base}/${copy.workflow_id}`)).status, 404);
  assert.equal((await call('GET', `${base}/${id}/export`, undefined, { 'x-api-key': 'nobody' })).status, 401);

  const token = await call('POST', '/api/v2/public/session-token', { linked_account_id: 'ada' });
  const asAda = { authorization: `Bearer ${token.body.token}` };
  assert.equal((await call('GET', `${base}/${id}/export`, undefined, asAda)).status, 403);
  const own = await imported(await exported(id), asAda);
  assert.deepEqual([own.created, own.workflow_id === id], [true, false]);
  assert.equal((await call('GET', `${base}/${own.workflow_id}`)).body.public_access_workflow, true);
});

test('of a file that is imported by several at once there is one workflow', async () => {
  const file = await exported(await made({ name: 'At once' }));
  const several = await Promise.all(Array.from({ length: 4 }, () => imported(file, inProduction())));
  assert.equal(new Set(several.map(({ workflow_id: id }) => id)).size, 1);
  assert.equal(several.filter(({ created }) => created).length, 1);
});

test('a sub-flow that a file names is the one of whoever imports it, and never that of another account', async () => {
  await api.addLinkedAccount('bob');
  const child = await exported(await made({ name: 'Portable child' }));
  const { rows } = await api.database.pool.query<{ draft_id: string }>(
    'select draft_id from workflow where id = $1',
    [child.workflow.id],
  );
  const draftId = rows[0]!.draft_id;
  const parent = await exported(
    await made({
      name: 'Portable parent',
      nodes: [
        { id: '1', node_type: 'start', name: 'Start', data: {} },
        { id: '2', node_type: 'sub_flow', name: 'Call', data: { workflow: draftId } },
      ],
      edges: [{ source: '1', target: '2' }],
    }),
  );
  assert.deepEqual(parent.needs.workflows, [child.workflow.id]);
  const as = (linked_account_id: string) => ({ ...inProduction(), linked_account_id });
  for (const id of ['ada', 'bob']) {
    await call('POST', '/api/v2/public/linked-account', { linked_account_id: id }, inProduction());
  }
  const { workflow_id: ofAda } = await imported(child, as('ada'));
  const { missing } = await imported(parent, as('bob'));
  assert.deepEqual(missing.workflows, [child.workflow.id]);
  const { workflow_id: ofBob } = await imported(child, as('bob'));
  for (const [account, own] of [
    ['ada', ofAda],
    ['bob', ofBob],
  ] as const) {
    const { workflow_id: id, missing: still } = await imported(parent, as(account));
    const { body: draft } = await call('GET', `${base}/${id}/edit`, undefined, as(account));
    assert.deepEqual([draft.nodes[1].data.workflow, still.workflows], [own, []]);
  }
});

test('an alias is free, taken in its app, or no alias at all', async () => {
  const id = await made({ name: 'Holder', slug: 'gong', workflow_alias: 'held' });
  const ask = async (query: string, headers = {}) =>
    (await call('GET', `${base}/alias-availability?${query}`, undefined, headers)).body;
  assert.deepEqual(await ask('alias=held&slug=gong'), {
    alias: 'held',
    available: false,
    reason: 'the workflow "Holder" has it',
  });
  assert.deepEqual(await ask('alias=held', { slug: 'gong' }), await ask('alias=held&slug=gong'));
  const free = { alias: 'held', available: true };
  assert.deepEqual(await ask(`alias=held&slug=gong&workflow_id=${id}`), free);
  assert.deepEqual(await ask('alias=held'), free);
  assert.deepEqual(await ask('alias=held&slug=gong', { 'x-api-key': other.keys.test }), free);
  assert.match((await ask('alias=a%20b')).reason, /letters, digits/);
  assert.match((await ask('')).message, /alias: is missing/);
});

test('a version says who published it, and customers are not told who of the organisation did', async () => {
  const admin = { cookie, 'x-api-key': '' };
  const created = await call('POST', '/api/admin/workflows', { name: 'Signed' }, admin);
  const { id } = created.body;
  const published = await call('POST', `/api/admin/workflows/${id}/publish`, {}, admin);
  assert.equal(published.body.versions[0].author, 'Ada');

  const byKey = await made({ name: 'By key' });
  await call('PUT', `${base}/${byKey}/publish`, {});
  const versions = async (workflow: string, headers = {}) =>
    (await call('GET', `${base}/versions/${workflow}`, undefined, headers)).body.docs[0];
  assert.equal((await versions(byKey)).author.kind, 'api_key');
  const token = await call('POST', '/api/v2/public/session-token', { linked_account_id: 'ada' });
  const asAda = { authorization: `Bearer ${token.body.token}` };
  assert.equal((await versions(byKey, asAda)).author, undefined);
  const own = await made({ name: 'By Ada' }, asAda);
  await call('PUT', `${base}/${own}/publish`, {}, asAda);
  assert.deepEqual((await versions(own, asAda)).author, { kind: 'linked_account', id: 'ada', name: 'ada' });
});

test('the dashboard copies a workflow beside itself, and into the other environment as its draft there', async () => {
  const admin = (environment = 'test') => ({ cookie, 'x-api-key': '', 'x-inlay-environment': environment });
  const { body: source } = await call(
    'POST',
    '/api/admin/workflows',
    { name: 'Source', alias: 'source' },
    admin(),
  );
  const copy = (body: object, as = admin()) =>
    call('POST', `/api/admin/workflows/${source.id}/copy`, body, as);
  const beside = await copy({});
  const read = (id: string, as: Record<string, string>) =>
    call('GET', `/api/admin/workflows/${id}`, undefined, as);
  assert.equal((await read(beside.body.workflow_id, admin())).body.name, 'Copy of Source');
  const there = await copy({ environment: 'production' });
  assert.equal(there.body.created, true, JSON.stringify(there.body));
  const again = await copy({ environment: 'production', name: 'Source 2' });
  assert.deepEqual([again.body.created, again.body.workflow_id], [false, there.body.workflow_id]);
  assert.equal((await read(there.body.workflow_id, admin('production'))).body.name, 'Source 2');
  assert.equal((await read(there.body.workflow_id, admin())).status, 404);
  assert.equal((await copy({ environment: 'staging' })).status, 400);
  const file = await call('GET', `/api/admin/workflows/${source.id}/export`, undefined, admin());
  const back = await call('POST', '/api/admin/workflows/import', file.body, admin());
  assert.equal(back.body.workflow_id, source.id, JSON.stringify(back.body));
  const free = await call('GET', '/api/admin/workflows/alias-availability?alias=source', undefined, admin());
  assert.equal(free.body.available, false);
});

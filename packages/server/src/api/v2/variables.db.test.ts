import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createTestApi, type TestApi, type TestOrganization } from '#api/testing';
import { createDefinition, type DefinitionInput } from '#variables/index';

let api: TestApi;
let token: string;
before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('ada');
  await api.addLinkedAccount('bob');
  const session = await call('POST', '/api/v2/public/session-token', { linked_account_id: 'ada' });
  token = session.body.token;
});
after(() => api.close());

interface As {
  readonly org?: TestOrganization;
  readonly headers?: Record<string, string>;
  readonly environment?: 'test' | 'production';
}

async function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: unknown, as: As = {}) {
  const key = (as.org ?? api.org).keys[as.environment ?? 'test'];
  const answer = await api.app.inject({
    method,
    url,
    headers: {
      ...(as.headers ?? { 'x-api-key': key }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), text: answer.body };
}

const env = (path: string) => `/api/v2/public/env${path}`;
const asSession = (): As => ({ headers: { authorization: `Bearer ${token}` } });

async function define(input: Partial<DefinitionInput> & { name: string }, org = api.org): Promise<string> {
  const definition = { scope: 'org', format: 'string', isEncrypted: false, ...input } as const;
  return (await createDefinition(api.deps, org.tenant, definition, 'test')).id;
}

const setTo = (id: string, value: unknown, owner: object = {}, as: As = {}) =>
  call('POST', env('/values'), { variable_definition_id: id, value, ...owner }, as);

async function newWorkflow(): Promise<string> {
  const nodes = [{ id: '1', node_type: 'start', name: 'Start', data: {} }];
  const made = await call('POST', '/api/v2/public/workflow', { name: 'W', nodes, edges: [] });
  return made.body.workflow._id;
}

test('definitions are listed with filters, and read by id', async () => {
  const id = await define({ name: 'LIST_ME', description: 'for a list', format: 'url', scope: 'workspace' });
  await define({ name: 'LIST_OTHER' });
  const one = await call('GET', env(`/definitions/${id}`));
  assert.equal(one.status, 200);
  const { definition } = one.body;
  assert.deepEqual(
    { ...definition, createdAt: null, updatedAt: null },
    {
      _id: id,
      org_id: api.org.orgId,
      name: 'LIST_ME',
      description: 'for a list',
      scope: 'workspace',
      var_format: 'url',
      encrypted: false,
      created_by: 'test',
      updated_by: 'test',
      createdAt: null,
      updatedAt: null,
    },
  );
  const namesOf = async (query: string) => {
    const { body } = await call('GET', env(`/definitions?${query}`));
    return body.docs.map(({ name }: { name: string }) => name);
  };
  assert.deepEqual(await namesOf('name=list_'), ['LIST_ME', 'LIST_OTHER']);
  assert.deepEqual(await namesOf('names=LIST_OTHER,none'), ['LIST_OTHER']);
  assert.deepEqual(await namesOf('name=list_&scope=workspace&var_format=URL'), ['LIST_ME']);
  const page = await call('GET', env('/definitions?name=list_&limit=1&page=2'));
  assert.deepEqual([page.body.docs.length, page.body.totalDocs, page.body.hasPrevPage], [1, 2, true]);
});

test('a value is set, replaced, read, listed with its definition and deleted', async () => {
  const id = await define({ name: 'CYCLE' });
  const unset = await call('GET', env(`/value/${id}`));
  assert.deepEqual([unset.status, /"CYCLE" has no value here/.test(unset.body.message)], [404, true]);
  const first = await setTo(id, 'one');
  const second = await setTo(id, 'two');
  assert.equal(first.status, 200, first.text);
  assert.deepEqual([second.body._id, second.body.value], [first.body._id, 'two']);
  assert.deepEqual((await call('GET', env(`/value/${id}`))).body, {
    value: 'two',
    encrypted: false,
    name: 'CYCLE',
    scope: 'org',
    variable_definition_id: id,
  });
  const list = await call('GET', env(`/values/org?variable_definition_id=${id}`));
  assert.equal(list.body.status, 'success');
  assert.deepEqual(list.body.docs[0].variable_definition_id, {
    _id: id,
    name: 'CYCLE',
    scope: 'org',
    encrypted: false,
  });
  const gone = await call('DELETE', env(`/values/${first.body._id}`));
  assert.equal(gone.body.status, 'success');
  assert.equal((await call('DELETE', env(`/values/${first.body._id}`))).status, 404);
  assert.equal((await call('GET', env(`/value/${id}`))).status, 404);
});

test('an encrypted value is read back by nobody, and stands sealed in the database', async () => {
  const id = await define({ name: 'HIDDEN', isEncrypted: true });
  const answers = [
    await setTo(id, 'top-secret-1'),
    await call('GET', env(`/value/${id}`)),
    await call('GET', env('/values/org')),
  ];
  for (const { text } of answers) {
    assert.ok(text.includes('[REDACTED]'), text);
    assert.ok(!text.includes('top-secret-1'), text);
  }
  const { rows } = await api.database.pool.query('select * from variable_value where definition_id = $1', [
    id,
  ]);
  assert.equal(rows[0].value, null);
  assert.ok(!(rows[0].value_sealed as Buffer).includes('top-secret-1'));
  const placeholder = await setTo(id, '[REDACTED]');
  assert.deepEqual([placeholder.status, /stands for the value/.test(placeholder.body.message)], [400, true]);
});

test('values differ by environment; definitions do not', async () => {
  const id = await define({ name: 'PER_ENV' });
  await setTo(id, 'for test');
  assert.equal(
    (await call('GET', env(`/value/${id}`), undefined, { environment: 'production' })).status,
    404,
  );
  await setTo(id, 'for production', {}, { environment: 'production' });
  assert.equal((await call('GET', env(`/value/${id}`))).body.value, 'for test');
});

test('another organisation finds neither definitions nor values, and cannot set them', async () => {
  const id = await define({ name: 'OURS' });
  const { body } = await setTo(id, 'ours');
  const other = await api.addOrganization('Other');
  const as: As = { org: other };
  const answers = [
    await call('GET', env(`/definitions/${id}`), undefined, as),
    await call('GET', env(`/value/${id}`), undefined, as),
    await setTo(id, 'theirs', {}, as),
    await call('DELETE', env(`/values/${body._id}`), undefined, as),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [404, 404, 404, 404],
  );
  assert.equal((await call('GET', env('/definitions'), undefined, as)).body.totalDocs, 0);
});

test('a customer writes no workflow that reads a variable of the organisation, by whatever template', async () => {
  await define({ name: 'ORG_KEY', isEncrypted: true });
  await define({ name: 'ADAS', scope: 'linked_account' });
  const nodes = (data: object, node_type = 'http') => [
    { id: '1', node_type: 'start', name: 'Start', data: {} },
    { id: '2', node_type, name: 'Send', data: { method: 'GET', url: 'https://example.com', ...data } },
  ];
  const edges = [{ source: '1', target: '2' }];
  const make = (data: object, as = asSession(), type?: string) =>
    call('POST', '/api/v2/public/workflow', { name: 'Own', nodes: nodes(data, type), edges }, as);
  const closed: [object, string?][] = [
    [{ url: 'https://example.com/{{env.org.ORG_KEY}}' }],
    [{ body: { deep: ['x {{event.a || env.org.ORG_KEY}}'] } }],
    [{ body: '{"a": {{ORG_KEY}}}' }],
    [{ body: '{{env}}' }],
    [{ body: '{{env.workspace.ANY}}' }],
    [{ html: '{{#if event.a}}<p>{{env.org.ORG_KEY}}</p>{{/if}}' }, 'pdf'],
  ];
  for (const [data, type] of closed) {
    const refused = await make(data, asSession(), type);
    assert.equal(refused.status, 400, `${JSON.stringify(data)}: ${refused.text}`);
    assert.match(refused.body.message, /nodes\[1\]: reads \{\{(env|ORG_KEY).*a variable of the organisation/);
    assert.equal((await make(data, {}, type)).status, 200);
  }
  const open = await make({
    body: '{{env.linked_account.ADAS}} {{env.workflow.X}} {{ADAS}} {{event.ORG_KEY}}',
  });
  assert.equal(open.status, 200, open.text);
  const id = open.body.workflow.associated_workflow;
  const changed = { nodes: nodes({ body: '{{ORG_KEY}}' }), edges };
  const refused = await call('PUT', `/api/v2/public/workflow/${id}`, changed, asSession());
  assert.match(refused.body.message, /a variable of the organisation/);
  const { body: file } = await call('GET', `/api/v2/public/workflow/${id}/export`, undefined, asSession());
  const tampered = { ...file, workflow: { ...file.workflow, nodes: changed.nodes } };
  const imported = await call('POST', '/api/v2/public/workflow/import', tampered, asSession());
  assert.match(imported.body.message, /a variable of the organisation/);
});

describe('the scope decides whose value it is', () => {
  test('an account has its own, named in the body or by header', async () => {
    const id = await define({ name: 'MINE', scope: 'linked_account' });
    assert.equal((await setTo(id, "ada's", { linked_account_id: 'ada' })).body.linked_account_id, 'ada');
    const byHeader: As = { headers: { 'x-api-key': api.org.keys.test, linked_account_id: 'bob' } };
    assert.equal((await setTo(id, "bob's", {}, byHeader)).body.linked_account_id, 'bob');
    assert.equal((await call('GET', env(`/value/${id}?linked_account_id=ada`))).body.value, "ada's");
    const all = await call('GET', env(`/values/linked_account?variable_definition_id=${id}`));
    assert.equal(all.body.totalDocs, 2);
    const bobs = await call('GET', env('/values/linked_account?linked_account_id=bob'));
    assert.deepEqual(
      bobs.body.docs.map(({ value }: { value: string }) => value),
      ["bob's"],
    );
  });

  test('a workflow has its own, by either of its ids', async () => {
    const id = await define({ name: 'PER_WORKFLOW', scope: 'workflow' });
    const workflowId = await newWorkflow();
    const set = await setTo(id, 'a {{env.org.CYCLE}} b', { workflow_id: workflowId });
    assert.equal(set.status, 200, set.text);
    const list = await call('GET', env(`/values/workflow?workflow_id=${workflowId}`));
    assert.deepEqual(
      list.body.docs.map(({ value }: { value: string }) => value),
      ['a {{env.org.CYCLE}} b'],
    );
  });

  test('the wrong owner is refused with the way out', async () => {
    const org = await define({ name: 'NO_OWNER' });
    const workflow = await define({ name: 'NEEDS_WORKFLOW', scope: 'workflow' });
    const account = await define({ name: 'NEEDS_ACCOUNT', scope: 'linked_account' });
    const cases = [
      [await setTo(org, 'x', { linked_account_id: 'ada' }), /leave linked_account_id out for org scope/],
      [await setTo(workflow, 'x'), /workflow_id is required for workflow scope/],
      [await setTo(account, 'x'), /linked_account_id is required for linked_account scope/],
      [await call('GET', env('/values/workflow')), /workflow_id is required for workflow scope/],
      [await call('GET', env('/values/galaxy')), /scope/],
    ] as const;
    for (const [answer, message] of cases) {
      assert.equal(answer.status, 400, answer.text);
      assert.match(answer.body.message, message);
    }
    assert.equal((await setTo(workflow, 'x', { workflow_id: 'f'.repeat(24) })).status, 404);
    assert.equal((await setTo(account, 'x', { linked_account_id: 'nobody' })).status, 404);
    assert.equal((await setTo('f'.repeat(24), 'x')).status, 404);
  });
});

test('a value that does not fit its format is refused, naming the format', async () => {
  const number = await define({ name: 'A_NUMBER', format: 'number' });
  const url = await define({ name: 'A_URL', format: 'url' });
  const text = await define({ name: 'A_TEXT' });
  const bad = [
    await setTo(number, 'twelve'),
    await setTo(number, '1,5'),
    await setTo(url, 'example.com'),
    await setTo(url, 'javascript:alert(1)'),
    await setTo(text, ''),
    await setTo(text, 'x'.repeat(40_000)),
  ];
  for (const answer of bad) {
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.body.message, /value does not match the variable format/i);
  }
  assert.equal((await setTo(number, 12)).status, 400);
  for (const good of ['-3.5', '1e3', '90071992547409931']) {
    assert.equal((await setTo(number, good)).status, 200, good);
  }
  assert.equal((await setTo(url, 'https://api.example.com/v1')).status, 200);
});

test('a session token reaches the variables of its own account and no others', async () => {
  const own = await define({ name: 'OF_SESSION', scope: 'linked_account' });
  const org = await define({ name: 'OF_ORG' });
  const bobs = await setTo(own, 'bob', { linked_account_id: 'bob' });
  const orgs = await setTo(org, 'org');
  const mine = await setTo(own, 'mine', {}, asSession());
  assert.deepEqual([mine.status, mine.body.linked_account_id], [200, 'ada'], mine.text);
  assert.equal((await call('GET', env(`/value/${own}`), undefined, asSession())).body.value, 'mine');
  const scopes = await call('GET', env('/definitions'), undefined, asSession());
  assert.ok(scopes.body.docs.every(({ scope }: { scope: string }) => scope === 'linked_account'));
  const refused = [
    await setTo(own, 'x', { linked_account_id: 'bob' }, asSession()),
    await setTo(org, 'x', {}, asSession()),
    await call('GET', env(`/value/${org}`), undefined, asSession()),
    await call('GET', env('/values/org'), undefined, asSession()),
    await call('GET', env('/definitions?scope=org'), undefined, asSession()),
    await call('GET', env(`/definitions/${own}`), undefined, asSession()),
  ];
  assert.deepEqual(
    refused.map(({ status }) => status),
    [403, 403, 403, 403, 403, 403],
  );
  for (const { body } of [bobs, orgs]) {
    assert.equal((await call('DELETE', env(`/values/${body._id}`), undefined, asSession())).status, 404);
  }
  const list = await call('GET', env('/values/linked_account'), undefined, asSession());
  assert.ok(list.body.docs.every((doc: { linked_account_id: string }) => doc.linked_account_id === 'ada'));
});

test('twenty writers of one first value leave one value', async () => {
  const id = await define({ name: 'RACED' });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => setTo(id, `v${n}`)));
  assert.ok(answers.every(({ status }) => status === 200));
  const list = await call('GET', env(`/values/org?variable_definition_id=${id}`));
  assert.equal(list.body.totalDocs, 1);
});

test('values go with their account, and with their definition', async () => {
  const id = await define({ name: 'GOES', scope: 'linked_account' });
  await api.addLinkedAccount('leaver');
  await setTo(id, 'x', { linked_account_id: 'leaver' });
  await call('DELETE', '/api/v2/public/linked-account/leaver', undefined, {
    headers: { 'x-api-key': api.org.keys.test, linked_account_id: 'leaver' },
  });
  const list = await call('GET', env(`/values/linked_account?variable_definition_id=${id}`));
  assert.equal(list.body.totalDocs, 0);
});

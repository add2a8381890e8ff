import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { createWorkflow, getWorkflow, publishWorkflow } from '#workflows/index';

/** Functions that workflows share: through the dashboard's API, and as the nodes of real executions meet them. */

let api: TestApi;
let cookie: string;

before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('acme');
  const answer = await call('POST', '/sign-up', {
    email: 'ada@example.com',
    password: 'correct horse',
    name: 'A',
    organization: 'Ada',
  });
  cookie = answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
  // The user looks at the organisation whose key the executions use.
  const { id } = await api.database.db.selectFrom('console_user').select('id').executeTakeFirstOrThrow();
  await api.database.db
    .updateTable('organization_member')
    .set({ organization_id: api.org.orgId })
    .where('user_id', '=', id)
    .execute();
});
after(() => api.close());

async function call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) {
  const answer = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers: {
      ...(cookie === undefined ? {} : { cookie }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), cookies: answer.cookies };
}

const add = {
  code: 'function yourFunction({ a, b }) { return { sum: a + b }; }',
  inputs: [
    { name: 'a', type: 'number', required: true },
    { name: 'b', type: 'number', required: true },
  ],
  outputs: [{ name: 'sum', type: 'number' }],
};

const documentOf = (data: object) => ({
  nodes: [
    { id: '1', node_type: 'start', name: 'Start', data: {} },
    { id: '2', node_type: 'function', name: 'Call', data },
    { id: '3', node_type: 'response', name: 'Response', data: { data: '{{node.2.body}}' } },
  ],
  edges: [
    { source: '1', target: '2' },
    { source: '2', target: '3' },
  ],
});
const caller = () => ({ tenant: api.org.tenant, isCustomer: false });

async function publishCall(data: object): Promise<string> {
  const made = await createWorkflow(api.deps, caller(), { name: 'Calls', ...documentOf(data) });
  await publishWorkflow(api.deps, caller(), made.id);
  return made.id;
}

async function execute(workflowId: string, payload: object) {
  const answer = await api.app.inject({
    method: 'POST',
    url: `/api/v1/workflow/${workflowId}/execute`,
    headers: {
      'x-api-key': api.org.keys.test,
      linked_account_id: 'acme',
      sync_execution: 'true',
      slug: 'x',
    },
    payload,
  });
  return answer.json();
}

test('a function is made, listed with the built-in ones, changed in versions and deleted', async () => {
  const made = await call('POST', '/functions', { name: 'Add', ...add });
  assert.deepEqual(
    [made.status, made.body.version, made.body.language],
    [200, 1, 'javascript'],
    JSON.stringify(made.body),
  );
  const { functions } = (await call('GET', '/functions')).body;
  assert.deepEqual(
    functions
      .filter((one: { name: string }) => ['Add', 'UUID'].includes(one.name))
      .map((one: { is_built_in: boolean }) => one.is_built_in),
    [false, true],
  );
  const path = `/functions/${made.body.id}`;
  assert.equal((await call('PATCH', path, { description: 'Adds.' })).body.version, 1);
  assert.equal(
    (await call('PATCH', path, { code: 'function yourFunction() { return 0; }' })).body.version,
    2,
  );
  assert.equal((await call('GET', `${path}?version=1`)).body.code, add.code);
  assert.equal((await call('GET', `${path}?version=9`)).status, 404);
  assert.equal((await call('DELETE', path)).status, 200);
  assert.equal((await call('GET', path)).status, 404);
});

test('what is wrong with a function is told by field', async () => {
  await call('POST', '/functions', { name: 'Taken', ...add });
  const cases: readonly (readonly [body: object, status: number, text: RegExp])[] = [
    [{ ...add }, 400, /"name" is required/],
    [{ name: 'No code' }, 400, /"code" is required/],
    [{ name: 'Taken', ...add }, 409, /Function "Taken" already exists/],
    [{ name: 'N', ...add, inputs: [{ name: 'a b' }] }, 400, /inputs\.0\.name: is "a b"/],
    [
      { name: 'N', ...add, inputs: [{ name: 'a' }, { name: 'a' }] },
      400,
      /inputs\.1\.name: "a" is there twice/,
    ],
    [{ name: 'N', ...add, language: 'ruby' }, 400, /language/],
    [{ name: 'N', ...add, inputs: [{ name: 'a', type: 'date' }] }, 400, /inputs\.0\.type/],
  ];
  for (const [body, status, text] of cases) {
    const answer = await call('POST', '/functions', body);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.match(answer.body.message, text);
  }
});

test('a published workflow calls the version that it was published with; a deleted function fails its node', async () => {
  const { id } = (await call('POST', '/functions', { name: 'Pinned', ...add })).body;
  const workflow = await publishCall({ function_id: id, inputs: { a: '{{event.a}}', b: '2' } });
  assert.deepEqual((await execute(workflow, { a: '40' })).return_value, { sum: 42 });

  await call('PATCH', `/functions/${id}`, { code: 'function yourFunction() { return { sum: -1 }; }' });
  assert.deepEqual((await execute(workflow, { a: 1 })).return_value, { sum: 3 });
  await publishWorkflow(api.deps, caller(), workflow);
  assert.equal((await getWorkflow(api.deps, caller(), workflow)).published_version, 2);
  assert.deepEqual((await execute(workflow, { a: 1 })).return_value, { sum: -1 });

  const missing = await execute(workflow, {});
  assert.match(JSON.stringify(missing.execution_error), /input \\"a\\" is missing/);
  await call('DELETE', `/functions/${id}`);
  const gone = await execute(workflow, { a: 1 });
  assert.match(JSON.stringify(gone.execution_error), /There is no function/);
  await assert.rejects(publishWorkflow(api.deps, caller(), workflow), /there is no function/);
});

test("another tenant's function is not there", async () => {
  const { id } = (await call('POST', '/functions', { name: 'Ours', ...add })).body;
  const other = await api.addOrganization('Other');
  const theirs = { tenant: other.tenant, isCustomer: false };
  const made = await createWorkflow(api.deps, theirs, { name: 'Steals', ...documentOf({ function_id: id }) });
  await assert.rejects(publishWorkflow(api.deps, theirs, made.id), /there is no function/);
});

test('a built-in function runs without the sandbox, and Python functions run in it', async () => {
  const math = await publishCall({
    function_id: 'builtin:math',
    inputs: { value: '{{event.n}}', operations: [{ operation: 'multiply', value: 2 }] },
  });
  assert.deepEqual((await execute(math, { n: 21 })).return_value, { result: 42 });
  const { id } = (
    await call('POST', '/functions', {
      name: 'Python',
      language: 'python',
      code: 'def yourFunction(params):\n  return {"length": len(params["text"])}',
      inputs: [{ name: 'text', type: 'string', required: true }],
    })
  ).body;
  const python = await publishCall({ function_id: id, inputs: { text: 'abc' } });
  assert.deepEqual((await execute(python, {})).return_value, { length: 3 });
});

test('what code keeps by name is there for the next node of the execution', async () => {
  const code = (text: string) => ({ code: `async function yourFunction() { ${text} }` });
  const made = await createWorkflow(api.deps, caller(), {
    name: 'Remembers',
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: {} },
      { id: '2', node_type: 'custom_code', name: 'Sets', data: code(`workflow.setVariable('n', 41)`) },
      {
        id: '3',
        node_type: 'custom_code',
        name: 'Gets',
        data: {
          language: 'python',
          code: 'import workflow\ndef yourFunction(p):\n  return workflow.getVariable("n") + 1',
        },
      },
      { id: '4', node_type: 'response', name: 'Response', data: { data: '{{node.3.body}}' } },
    ],
    edges: [
      { source: '1', target: '2' },
      { source: '2', target: '3' },
      { source: '3', target: '4' },
    ],
  });
  await publishWorkflow(api.deps, caller(), made.id);
  assert.equal((await execute(made.id, {})).return_value, 42);
});

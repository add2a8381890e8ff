import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi, type TestOrganization } from '#api/testing';
import { createField } from '#configs/index';
import { findListeners } from '#db/workflow-listeners';
import { newId } from '#domain/ids';

let api: TestApi;
let other: TestOrganization;
let fields: Record<'name' | 'size' | 'stage' | 'sub' | 'map' | 'live' | 'rules', string>;
let workflowId: string;
let workflowField: string;

before(async () => {
  api = await createTestApi();
  other = await api.addOrganization('Other Company');
  await api.addLinkedAccount('ada');
  const { tenant } = api.org;
  for (const slug of ['gong', 'acme-crm']) {
    await api.database.db
      .insertInto('app_setting')
      .values({
        org_id: tenant.orgId,
        environment: 'test',
        app_slug: slug,
        client_id: null,
        client_secret_sealed: null,
      })
      .execute();
  }
  const add = async (name: string, fieldType: string, extra: object = {}, workflow?: string) =>
    (
      await createField(
        api.deps,
        tenant,
        { slug: 'gong', workflowId: workflow },
        { name, fieldType, ...extra },
      )
    ).id;
  const stage = await add('Stage', 'select', {
    definition: {
      options: [
        { name: 'New', value: 'new' },
        { name: 'Won', value: 0 },
      ],
    },
  });
  fields = {
    stage,
    name: await add('Name', 'text', { isRequired: true }),
    size: await add('Size', 'number', { definition: { default_value: 5 } }),
    sub: await add('Sub stage', 'select', { definition: { parent: stage, options: ['a', 'b'] } }),
    map: await add('Mapping', 'map', { definition: { labels_object: 'my_fields' } }),
    live: await add('Workspace', 'select', { definition: { live_options: 'workspaces' } }),
    rules: await add('Rules', 'rule_engine'),
  };
  workflowId = await publish('Sync', { slug: 'gong' });
  await publish('By itself', { slug: 'gong', autoEnable: true });
  await publish('Hidden', { slug: 'gong', hide_in_config: true });
  await publish('For pro', { slug: 'gong', udf_filter: [{ key: 'plan', value: 'pro' }] });
  workflowField = await add('Owner', 'email', { isRequired: true }, workflowId);
});
after(() => api.close());

async function publish(name: string, body: object): Promise<string> {
  const made = await call('POST', '/api/v2/public/workflow', { name, ...body }, {});
  await call('PUT', `/api/v2/public/workflow/${made.body.workflow._id}/publish`, {}, {});
  return made.body.workflow.associated_workflow;
}

const account = { linked_account_id: 'ada' };
async function call(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  url: string,
  body?: unknown,
  headers: Record<string, string> = account,
) {
  const answer = await api.app.inject({
    method,
    url,
    headers: {
      ...(headers['authorization'] === undefined ? { 'x-api-key': api.org.keys.test } : {}),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json() };
}
const open = async (configId: string, body: object = {}) => {
  const answer = await call('POST', '/api/v2/public/config', { slug: 'gong', config_id: configId, ...body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
};
const save = (configId: string, body: object) =>
  call('PUT', '/api/v2/public/config', { slug: 'gong', config_id: configId, ...body });
// oxlint-disable-next-line typescript/no-explicit-any -- answers of the wire
const valueOf = (config: any, id: string) =>
  config.fields.find((field: { id: string }) => field.id === id)?.value;

async function connect(): Promise<void> {
  const { tenant } = api.org;
  const ada = await api.database.db
    .selectFrom('linked_account')
    .select('id')
    .where('account_id', '=', 'ada')
    .executeTakeFirstOrThrow();
  await api.database.db
    .insertInto('connection')
    .values({
      id: newId(),
      org_id: tenant.orgId,
      environment: 'test',
      linked_account_id: ada.id,
      app_slug: 'gong',
      auth_type: 'keybased',
      status: 'active',
      credential_sealed: Buffer.from('x'),
      connected_at: new Date(),
      granted_scopes: null,
      status_reason: null,
      refresh_lease_owner: null,
    })
    .execute();
}

test('a config is made once with defaults, before the app is connected', async () => {
  const first = await open('once');
  assert.deepEqual([first.slug, first.config_id], ['gong', 'once']);
  assert.equal(valueOf(first, fields.size), 5);
  assert.equal('value' in first.fields.find((field: { id: string }) => field.id === fields.name), false);
  assert.deepEqual(
    first.workflows.map((item: { name: string; enabled: boolean }) => [item.name, item.enabled]),
    [
      ['Sync', false],
      ['By itself', true],
    ],
  );
  assert.equal(first.workflows[0].fields[0].id, workflowField);
  assert.match(first.field_errors[0].error.message, /not connected to Gong/);
  const quiet = await call(
    'POST',
    '/api/v2/public/config',
    { slug: 'gong', config_id: 'once' },
    { ...account, disable_field_options: 'true' },
  );
  assert.deepEqual(quiet.body.field_errors, []);
  assert.equal(
    quiet.body.fields.some((field: object) => 'options' in field),
    false,
  );
});

test('twenty who open one config at once get the same one', async () => {
  await Promise.all(Array.from({ length: 20 }, () => open('race')));
  const list = await call('GET', '/api/v2/public/slug/gong/configs');
  assert.equal(list.body.filter((item: { config_id: string }) => item.config_id === 'race').length, 1);
});

test('values come as a map, a list, an empty list or under older names, and merge', async () => {
  await open('merge');
  assert.equal(valueOf((await save('merge', { fields: { [fields.name]: 'Ada' } })).body, fields.name), 'Ada');
  const listed = await save('merge', {
    fields: [
      { id: fields.size, value: '42' },
      { id: fields.stage, name: 'Stage' },
    ],
  });
  assert.deepEqual([valueOf(listed.body, fields.name), valueOf(listed.body, fields.size)], ['Ada', 42]);
  await save('merge', { fields: [], workflows: [{ id: workflowId, fields: [] }] });
  const older = await save('merge', { application_data_slots: { [fields.stage]: '0' } });
  assert.deepEqual([valueOf(older.body, fields.name), valueOf(older.body, fields.stage)], ['Ada', 0]);
  const cleared = await save('merge', { fields: { [fields.name]: null } });
  assert.equal(
    'value' in cleared.body.fields.find((field: { id: string }) => field.id === fields.name),
    false,
  );
  assert.ok(
    cleared.body.field_errors.some((error: { id: string }) => error.id === fields.name),
    'required and missing',
  );
});

test('bad values are kept out and told, good ones beside them are saved', async () => {
  await open('bad');
  const answer = await save('bad', {
    fields: { [fields.name]: 'Ada', [fields.size]: 'many', [fields.stage]: 'lost' },
  });
  assert.equal(answer.status, 200);
  assert.deepEqual([valueOf(answer.body, fields.name), valueOf(answer.body, fields.size)], ['Ada', 5]);
  const told = answer.body.field_errors.map((error: { error: { message: string } }) => error.error.message);
  assert.ok(
    told.includes('"Size" is not a number') && told.includes('"Stage" "lost" is not among the choices'),
    told.join(),
  );
});

test('a child has no choices before its parent has a value, and loses its own when the parent changes', async () => {
  const config = await open('parent');
  const child = (body: { fields: { id: string }[] }) =>
    body.fields.find((field) => field.id === fields.sub) as object;
  assert.equal('options' in child(config), false);
  const chosen = (await save('parent', { fields: { [fields.stage]: 'new', [fields.sub]: 'a' } })).body;
  assert.equal((child(chosen) as { options: unknown[] }).options.length, 2);
  assert.equal(valueOf(chosen, fields.sub), 'a');
  assert.equal(
    valueOf((await save('parent', { fields: { [fields.stage]: 0 } })).body, fields.sub),
    undefined,
  );
  await open('parent2');
  const url = `/api/v2/public/config/field/${fields.sub}?config_id=parent2`;
  const asked = await call('POST', url, { value: 'new' }, { ...account, slug: 'gong' });
  assert.equal(asked.body.options.length, 2);
});

test('labels come as a list for every map, or by the name of the object', async () => {
  const list = [{ name: 'First', value: 'first' }];
  const labels = (config: { fields: { id: string }[] }) =>
    (config.fields.find((field) => field.id === fields.map) as unknown as { labels: unknown }).labels;
  assert.deepEqual(labels(await open('labels1', { labels: list })), list);
  assert.deepEqual(labels(await open('labels1', { labels: [] })), list);
  assert.deepEqual(labels(await open('labels2', { labels: { my_fields: list, others: [] } })), list);
  assert.deepEqual(
    labels(await open('labels3', { map_fields_object: { my_fields: { fields: list } } })),
    list,
  );
  assert.deepEqual(labels(await open('labels4')), []);
});

test('a workflow is switched on only once the app is connected, by PUT of the config or by its own door', async () => {
  await open('switch');
  const door = `/api/v2/public/slug/gong/config/switch/workflows/${workflowId}`;
  const early = await call('PATCH', door, { enabled: true });
  assert.deepEqual([early.status, /not connected/.test(early.body.message)], [400, true]);
  await connect();
  const on = await save('switch', {
    workflows: [{ id: workflowId, enabled: true, fields: { [workflowField]: 'no address' } }],
  });
  assert.equal(on.status, 200, JSON.stringify(on.body));
  assert.equal(on.body.workflows[0].enabled, true);
  assert.ok(on.body.field_errors.some((error: { id: string }) => error.id === workflowField));
  const enabled = await call('GET', '/api/v2/public/workflow/enabled');
  assert.ok(
    enabled.body.some(
      (item: { name: string; config_id: string }) => item.name === 'Sync' && item.config_id === 'switch',
    ),
  );
  for (const method of ['PUT', 'PATCH'] as const) {
    const off = await call(method, door, { enabled: false });
    assert.deepEqual([off.status, off.body.workflows[0].enabled], [200, false]);
    assert.ok(Array.isArray(off.body.workflows[0].data_slots));
  }
  assert.equal(
    (await call('PATCH', door.replace(workflowId, '0'.repeat(24)), { enabled: true })).status,
    404,
  );
});

test("an account's own workflow runs by itself, and is switched off and on again where it is configured", async () => {
  await open('own');
  const event = 'Own switch';
  await call('POST', '/api/v2/public/application/event', { name: event, response: {} }, {});
  const made = await call('POST', '/api/v2/public/workflow', {
    name: 'Own',
    slug: 'gong',
    nodes: [{ id: '1', type: 'start', data: { trigger: { kind: 'event', event } } }],
  });
  const id = made.body.workflow.associated_workflow;
  assert.equal((await call('PUT', `/api/v2/public/workflow/${id}/publish`, {})).status, 200);
  const { rows } = await api.database.pool.query<{ linked_account_id: string }>(
    'select linked_account_id from workflow where id = $1',
    [id],
  );
  const listens = async (configId: string): Promise<boolean> =>
    (
      await findListeners(api.database.pool, api.org.tenant, {
        event,
        configId,
        linkedAccountId: rows[0]!.linked_account_id,
      })
    ).length === 1;
  assert.ok(await listens('own'));
  const door = `/api/v2/public/slug/gong/config/own/workflows/${id}`;
  for (const [enabled, method] of [
    [true, 'PUT'],
    [false, 'PUT'],
    [true, 'PATCH'],
  ] as const) {
    const answer = await call(method, door, { enabled });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const shown = answer.body.workflows.find((item: { id: string }) => item.id === id);
    assert.equal(shown.enabled, enabled);
    assert.deepEqual([await listens('own'), await listens('another')], [enabled, true]);
  }
  const stranger = await call('PUT', door, { enabled: true }, { linked_account_id: 'somebody else' });
  assert.equal(stranger.status, 404);
});

test('one field is read, saved, cleared and refused by its own doors', async () => {
  await open('field');
  const headers = { ...account, slug: 'gong', config_id: 'field' };
  const url = `/api/v2/public/config/field/${fields.size}`;
  assert.equal((await call('PUT', url, { value: '7' }, headers)).body.value, 7);
  assert.equal((await call('GET', url, undefined, headers)).body.value, 7);
  const bad = await call('PUT', url, { value: 'x' }, headers);
  assert.deepEqual([bad.status, bad.body.message], [400, 'value: "Size" is not a number']);
  assert.equal((await call('PUT', url, {}, headers)).status, 400);
  assert.equal('value' in (await call('DELETE', url, undefined, headers)).body, false);
  assert.equal(
    (
      await call(
        'PUT',
        `/api/v2/public/config/field/${workflowField}?workflow_id=${workflowId}`,
        { value: 'a@b.example' },
        headers,
      )
    ).body.value,
    'a@b.example',
  );
  const none = await call('GET', '/api/v2/public/config/field/nope', undefined, headers);
  assert.deepEqual([none.status, none.body.message], [400, 'Field with id nope not found']);
  assert.equal((await call('GET', url, undefined, account)).status, 400);
  const rules = await call(
    'POST',
    `/api/v2/public/config/rule-engine/${fields.rules}`,
    { rule_column: { lhs: 'x' } },
    headers,
  );
  assert.deepEqual(
    [rules.body.rule_column.rhs.type, rules.body.rule_column.operator.options[0].value],
    ['text', 'eq'],
  );
  assert.equal(
    (await call('POST', `/api/v2/public/config/rule-engine/${fields.size}`, {}, headers)).status,
    400,
  );
});

test('unknown ids, foreign keys, prototype keys and shapes that mean nothing are refused by name', async () => {
  await open('refused');
  const refused: [body: object | string, status: number, message: RegExp][] = [
    [{ fields: { nope: 1 } }, 400, /Field with id nope not found/],
    [{ fields: 'x' }, 400, /fields: is neither/],
    [{ fields: [{ value: 1 }] }, 400, /fields\[0\]: has no "id"/],
    [{ workflows: [{ enabled: true }] }, 400, /workflows\[0\]: has no "id"/],
    [{ workflows: [{ id: workflowId, enabled: 'yes' }] }, 400, /workflows\[0\]\.enabled/],
    [{ workflows: [{ id: 'f'.repeat(24), enabled: true }] }, 404, /not found/],
  ];
  for (const [body, status, message] of refused) {
    const answer = await save('refused', body as object);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.match(answer.body.message, message);
  }
  const proto = await call(
    'PUT',
    '/api/v2/public/config',
    '{"slug":"gong","config_id":"refused","fields":{"__proto__":1}}',
  );
  assert.equal(proto.status, 400);
  assert.equal((await save('never opened', { fields: {} })).status, 404);
  assert.equal((await call('GET', '/api/v2/public/slug/gong/config/never')).status, 404);
  assert.equal((await call('POST', '/api/v2/public/config', {})).body.error_code, 'MISSING_REQUIRED_FIELD');
  assert.equal(
    (await call('POST', '/api/v2/public/config', { slug: 'nosuchapp' })).body.error_code,
    'INVALID_APP_ID',
  );
  assert.equal(
    (
      await call('GET', '/api/v2/public/slug/gong/config/refused', undefined, {
        ...account,
        'x-api-key': other.keys.test,
      })
    ).status,
    404,
  );
});

test('the browser door has the same config, with a session only; delete takes it away', async () => {
  const { body } = await call('POST', '/api/v2/public/session-token', { linked_account_id: 'ada' }, {});
  const session = { authorization: `Bearer ${body.token}` };
  const made = await call('POST', '/api/v2/f-sdk/config', { slug: 'gong', labels: [] }, session);
  assert.deepEqual([made.status, made.body.config_id], [200, 'ada']);
  await call('PUT', '/api/v2/f-sdk/config', { slug: 'gong', fields: { [fields.name]: 'B' } }, session);
  for (const path of ['config', 'config/', 'config/ada']) {
    assert.equal(
      valueOf((await call('GET', `/api/v2/f-sdk/slug/gong/${path}`, undefined, session)).body, fields.name),
      'B',
      path,
    );
  }
  assert.equal((await call('GET', '/api/v2/f-sdk/slug/gong/config')).status, 403);
  const gone = await call('DELETE', '/api/v2/f-sdk/slug/gong/config/', undefined, session);
  assert.deepEqual([gone.status, gone.body], [200, { message: 'Installation Deleted Success' }]);
  assert.equal((await call('DELETE', '/api/v2/f-sdk/slug/gong/config/ada', undefined, session)).status, 404);
});

test('savers of one config wait for each other: nobody loses a value', async () => {
  await open('together');
  await Promise.all([
    save('together', { fields: { [fields.name]: 'Ada' } }),
    save('together', { fields: { [fields.size]: 9 } }),
    save('together', { fields: { [fields.stage]: 'new' } }),
    save('together', { fields: { [fields.map]: { a: 'b' } } }),
  ]);
  const { body } = await call('GET', '/api/v2/public/slug/gong/config/together');
  assert.deepEqual(
    [fields.name, fields.size, fields.stage, fields.map].map((id) => valueOf(body, id)),
    ['Ada', 9, 'new', { a: 'b' }],
  );
});

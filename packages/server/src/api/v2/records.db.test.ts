import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { deleteTablesOfEndedExecutions } from '#db/data-table';

/** Tables and data references over the wire and in workflows. */

let api: TestApi;
before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('ada');
  await api.addLinkedAccount('bob');
});
after(() => api.close());

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

async function call(method: Method, url: string, body?: unknown, account?: string) {
  const answer = await api.app.inject({
    method,
    url: `/api/v2/public${url}`,
    headers: {
      'x-api-key': api.org.keys.test,
      ...(account !== undefined && { linked_account_id: account }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json() };
}

async function newTable(name: string, columns: readonly string[], account?: string): Promise<string> {
  const body = { table_name: name, columns: columns.map((column_name) => ({ column_name })) };
  const made = await call('POST', '/tables', body, account);
  assert.equal(made.status, 200, JSON.stringify(made.body));
  return made.body.table_id;
}

/** Runs nodes after one another for `ada` and gives what each of them put out. */
async function runNodes(...nodes: { node_type: string; data: object }[]) {
  const numbered = nodes.map((node, index) => ({ id: String(index + 2), name: `N${index + 2}`, ...node }));
  const all = [{ id: '1', node_type: 'start', name: 'Start', data: {} }, ...numbered];
  const edges = numbered.map(({ id }) => ({ source: String(Number(id) - 1), target: id }));
  const made = await call('POST', '/workflow', { name: 'Records', nodes: all, edges });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const live = await call('PUT', `/workflow/${made.body.workflow._id}/publish`, { published: true });
  const started = await api.app.inject({
    method: 'POST',
    url: `/api/v2/public/workflow/${live.body._id}/execute`,
    headers: {
      'x-api-key': api.org.keys.test,
      linked_account_id: 'ada',
      sync_execution: 'true',
      'content-type': 'application/json',
    },
    payload: '{}',
  });
  const read = await call('GET', `/execution/${started.json().execution_id}`, undefined, 'ada');
  return {
    status: read.body.status,
    outputs: read.body.nodes
      .slice(1)
      .map((node: { latest_output: { body: unknown } }) => node.latest_output.body),
  };
}

test('a table keeps rows, drops unknown columns and gives each row its id', async () => {
  const id = await newTable('orders', ['no', 'total']);
  const rows = { data: [{ no: 'A1', total: 12.5, color: 'red' }, { no: 'A2' }] };
  const added = await call('PATCH', `/tables/${id}`, rows);
  assert.deepEqual(added.body.transformed_add_data, [
    { no: 'A1', total: 12.5 },
    { no: 'A2', total: null },
  ]);
  const read = await call('GET', `/tables/${id}`);
  assert.deepEqual(read.body.columns, ['no', 'total']);
  assert.deepEqual(read.body.docs, added.body.add_record_result);
  assert.equal(read.body.totalDocs, 2);

  const [first] = added.body.add_record_result;
  const changed = await call('PATCH', `/tables/${id}/records/${first.record_id}`, { data: { total: 13 } });
  assert.deepEqual(changed.body, { record_id: first.record_id, no: 'A1', total: 13 });
  const gone = await call('DELETE', `/tables/${id}/${first.record_id}`);
  assert.equal(gone.body.no, 'A1');
  assert.equal((await call('DELETE', `/tables/${id}/${first.record_id}`)).status, 404);
  const [listed] = (await call('GET', '/tables?name=ORD')).body.docs;
  assert.equal(listed.record_count, 1);
});

test('a name that exists gives the same table again', async () => {
  const id = await newTable('twice', ['a']);
  const again = await call('POST', '/tables', { table_name: 'twice', columns: [{ column_name: 'b' }] });
  assert.deepEqual(again.body, { table_id: id, already_exists: true });
});

test('columns are added, renamed in a ring and removed with what they hold', async () => {
  const id = await newTable('columns', ['a', 'b']);
  await call('PATCH', `/tables/${id}`, { data: { a: 1, b: 2 } });
  await call('PATCH', `/tables/${id}/columns/add`, { columns: ['c', 'a'] });
  const renames = [
    { old_name: 'a', new_name: 'b' },
    { old_name: 'b', new_name: 'a' },
  ];
  const renamed = await call('PATCH', `/tables/${id}/columns/rename`, { renames });
  assert.deepEqual(renamed.body.columns, ['b', 'a', 'c']);
  assert.equal((await call('DELETE', `/tables/${id}/columns/remove`, { columns: ['c'] })).status, 200);
  const [row] = (await call('GET', `/tables/${id}`)).body.docs;
  assert.deepEqual([row.b, row.a, 'c' in row], [1, 2, false]);
  const last = await call('DELETE', `/tables/${id}/columns/remove`, { columns: ['a', 'b'] });
  assert.equal(last.status, 400);
  assert.match(last.body.message, /one column must remain/);
});

test('a search finds text whatever its case, and takes no pattern', async () => {
  const id = await newTable('people', ['name']);
  await call('PATCH', `/tables/${id}`, { data: [{ name: 'Ada Lovelace' }, { name: 'Bob (a+)+$' }] });
  const found = await call('POST', `/tables/${id}/search`, { name: 'LOVE' });
  assert.deepEqual(
    found.body.map(({ name }: { name: string }) => name),
    ['Ada Lovelace'],
  );
  assert.equal((await call('POST', `/tables/${id}/search`, { name: '(a+)+$' })).body.length, 1);
  const wrong = await call('POST', `/tables/${id}/search`, { age: 3 });
  assert.match(wrong.body.message, /no column "age"; it has name/);
});

test('the values of an encrypted column are sealed at rest, read back, and not searchable', async () => {
  const columns = [{ column_name: 'who' }, { column_name: 'iban', encrypted: true }];
  const { body } = await call('POST', '/tables', { table_name: 'banks', columns });
  const id = body.table_id;
  await call('PATCH', `/tables/${id}`, { data: { who: 'ada', iban: 'DE02500105170137075030' } });
  const { rows } = await api.database.pool.query(
    `select fields::text as shown, encode(fields_sealed, 'escape') as sealed from data_record where table_id = $1`,
    [id],
  );
  assert.equal(rows[0].shown, '{"who": "ada"}');
  assert.ok(!rows[0].sealed.includes('DE0250'));
  assert.equal((await call('GET', `/tables/${id}`)).body.docs[0].iban, 'DE02500105170137075030');
  assert.equal((await call('POST', `/tables/${id}/search`, { iban: 'DE' })).status, 400);
});

test("a caller that names an account sees that account's tables and no other", async () => {
  const id = await newTable('private', ['a'], 'ada');
  assert.equal((await call('GET', `/tables/${id}`, undefined, 'bob')).status, 404);
  assert.equal((await call('PATCH', `/tables/${id}`, { data: { a: 1 } }, 'bob')).status, 404);
  assert.equal((await call('DELETE', `/tables/${id}`, undefined, 'bob')).status, 404);
  assert.equal((await call('GET', `/tables/${id}`, undefined, 'ada')).status, 200);
  const [own] = (await call('GET', '/tables?name=private')).body.docs;
  assert.equal(own.linked_account_id, 'ada');
  const other = await api.addOrganization('Other');
  const stranger = await api.app.inject({
    method: 'GET',
    url: `/api/v2/public/tables/${id}`,
    headers: { 'x-api-key': other.keys.test },
  });
  assert.equal(stranger.statusCode, 404);
});

test('a deleted table is gone with its rows, and its name is free again', async () => {
  const id = await newTable('short', ['a']);
  await call('PATCH', `/tables/${id}`, { data: { a: 1 } });
  assert.deepEqual(await call('DELETE', `/tables/${id}`), { status: 200, body: true });
  assert.equal((await call('GET', `/tables/${id}`)).status, 404);
  assert.notEqual(await newTable('short', ['a']), id);
});

test('what a table cannot take is refused with the field at fault', async () => {
  const id = await newTable('strict', ['a']);
  for (const [body, text] of [
    [{ data: [] }, /at least one record/],
    [{ data: { a: 'x'.repeat(70_000) } }, /data\[0\]\.a: is longer than 65536 bytes/],
    [{ data: { a: 'nul\u0000' } }, /NUL/],
    [{ data: 'text' }, /data/],
  ] as const) {
    const answer = await call('PATCH', `/tables/${id}`, body);
    assert.equal(answer.status, 400, JSON.stringify(answer.body));
    assert.match(answer.body.message, text);
  }
  const missing = await call('POST', '/tables', { table_name: 'x' });
  assert.equal(missing.body.message, 'table_name and columns are required');
  const many = Array.from({ length: 31 }, (_, index) => ({ column_name: `c${index}` }));
  const wide = await call('POST', '/tables', { table_name: 'wide', columns: many });
  assert.match(wide.body.message, /at most 30 columns/);
  const twins = [{ column_name: 'a' }, { column_name: 'a' }];
  assert.match(
    (await call('POST', '/tables', { table_name: 't', columns: twins })).body.message,
    /two columns/,
  );
});

test('a full table refuses more rows and keeps those that it has', async () => {
  const id = await newTable('full', ['a']);
  await api.database.pool.query('update data_table set record_count = 50000 where id = $1', [id]);
  const answer = await call('PATCH', `/tables/${id}`, { data: { a: 1 } });
  assert.equal(answer.status, 400);
  assert.match(answer.body.message, /more than 50000 records/);
  assert.equal((await call('GET', `/tables/${id}`)).body.docs.length, 0);
});

test('groups are set and unset without an answer body', async () => {
  const id = await newTable('grouped', ['a']);
  assert.equal((await call('PUT', '/tables/group/edit', { tableIds: [id], group: 'G' })).status, 204);
  assert.equal((await call('GET', '/tables?name=grouped')).body.docs[0].group, 'G');
  await call('PUT', '/tables/group/edit', { tableIds: [id], group: '' });
  assert.equal('group' in (await call('GET', '/tables?name=grouped')).body.docs[0], false);
});

test('a data reference is a table of record ids with a column for each app', async () => {
  const made = await call('POST', '/dataref', { refName: 'contacts' }, 'ada');
  assert.deepEqual(made.body.data, {});
  assert.equal((await call('POST', '/dataref', { refName: 'contacts' }, 'ada')).status, 400);
  assert.equal((await call('POST', '/dataref', {}, 'ada')).body.message, '"refName" is required.');
  const ids = { action: 'bulk_create', ref_name: 'contacts', slug: 'salesforce' };
  const ran = await runNodes(
    { node_type: 'data_ref', data: { ...ids, records: [{ record_id: 'r1', external_id: '003' }] } },
    {
      node_type: 'data_ref',
      data: { action: 'create', ref_name: 'contacts', record_id: 'r1', external_id: 'U9', slug: 'slack' },
    },
    {
      node_type: 'data_ref',
      data: { action: 'get_by_external_id', ref_name: 'contacts', external_id: '003' },
    },
    { node_type: 'data_ref', data: { action: 'get_by_record_id', ref_name: 'contacts', record_id: 'none' } },
  );
  assert.equal(ran.status, 'COMPLETED');
  const known = [
    { slug: 'salesforce', value: '003' },
    { slug: 'slack', value: 'U9' },
  ];
  assert.deepEqual(ran.outputs.slice(2), [
    { message: 'Ref found', data: { r1: known } },
    { message: 'Ref not found', data: {} },
  ]);
  const table = await call('GET', '/dataref/contacts', undefined, 'ada');
  assert.deepEqual(table.body, {
    headers: ['record_id', 'salesforce', 'slack'],
    rows: [{ record_id: 'r1', salesforce: '003', slack: 'U9' }],
    page: 1,
    limit: 100,
    totalDocs: 1,
    totalPages: 1,
    hasNextPage: false,
  });
  assert.equal((await call('GET', '/dataref/contacts', undefined, 'bob')).status, 404);
  const [listed] = (await call('GET', '/dataref')).body.docs;
  assert.deepEqual([listed.name, listed.linked_account_id], ['contacts', 'ada']);
  const names = await call('GET', '/dataref?unique=true');
  assert.deepEqual(names.body.docs, [{ name: 'contacts', linked_account_ids: ['ada'] }]);
  assert.equal((await call('PUT', '/dataref/contacts/clear-records', {}, 'ada')).status, 200);
  assert.equal((await call('GET', '/dataref/contacts', undefined, 'ada')).body.totalPages, 0);
  const deleted = { acknowledged: true, deletedCount: 1 };
  assert.deepEqual((await call('DELETE', '/dataref/contacts', undefined, 'ada')).body, deleted);
});

test('reading an unknown data reference fails the node, and writing makes it', async () => {
  const read = { action: 'get_by_record_id', ref_name: 'nowhere', record_id: '1' };
  const failed = await runNodes({ node_type: 'data_ref', data: read });
  assert.equal(failed.status, 'ERRORED');
  const made = await runNodes({
    node_type: 'data_ref',
    data: { action: 'create', ref_name: 'new', record_id: '1', external_id: 2, slug: 'slack' },
  });
  assert.deepEqual(made.outputs[0].data, { 1: [{ slug: 'slack', value: '2' }] });
});

test('a workflow keeps rows in a table of its account, and a table that is not persistent ends with it', async () => {
  const table = { table_name: 'seen', persistent: false };
  const ran = await runNodes(
    { node_type: 'table', data: { action: 'create_table', ...table, columns: ['no', 'qty'] } },
    { node_type: 'table', data: { action: 'add_record', ...table, data: { no: 'A1', qty: 2 } } },
    { node_type: 'table', data: { action: 'search_record', ...table, search: { no: 'A1', qty: '2' } } },
    {
      node_type: 'table',
      data: {
        action: 'update_record',
        ...table,
        record_id: '{{node.4.body.0.record_id}}',
        data: { qty: 5 },
      },
    },
  );
  assert.equal(ran.status, 'COMPLETED', JSON.stringify(ran.outputs));
  assert.equal(ran.outputs[0].table_created, true);
  assert.deepEqual([ran.outputs[3].no, ran.outputs[3].qty], ['A1', 5]);
  assert.equal((await call('GET', '/tables?name=seen')).body.totalDocs, 0);
  assert.equal(await deleteTablesOfEndedExecutions(api.database.pool), 1);
});

test('a table node without its table fails and says which field', async () => {
  const ran = await runNodes({ node_type: 'table', data: { action: 'add_record', data: { a: 1 } } });
  assert.equal(ran.status, 'ERRORED');
  assert.match(JSON.stringify(ran.outputs), /table_name/);
});

test('what a workflow writes for a config is read there as a data store, and nowhere else', async () => {
  await api.database.db
    .insertInto('app_setting')
    .values({
      org_id: api.org.orgId,
      environment: 'test',
      app_slug: 'gong',
      client_id: null,
      client_secret_sealed: null,
    })
    .execute();
  const stores = '/datastore/config/gong';
  const missing = await call('GET', stores, undefined, 'ada');
  assert.equal(missing.status, 404);
  assert.match(missing.body.message, /Config with config id ada not found/);
  for (const account of ['ada', 'bob']) await call('POST', '/config', { slug: 'gong' }, account);
  await call('POST', '/config', { slug: 'gong', config_id: 'second' }, 'ada');
  assert.deepEqual((await call('GET', stores, undefined, 'ada')).body, []);

  const nodes = [
    { id: '1', node_type: 'start', name: 'Start', data: {} },
    {
      id: '2',
      node_type: 'table',
      name: 'Make',
      data: { action: 'create_table', table_name: 'synced', columns: ['email', 'config_id'] },
    },
    {
      id: '3',
      node_type: 'table',
      name: 'Add',
      data: {
        action: 'add_record',
        table_name: 'synced',
        data: [{ email: 'Ann@x.org' }, { email: 'bob@x.org' }],
      },
    },
  ];
  const edges = [
    { source: '1', target: '2' },
    { source: '2', target: '3' },
  ];
  const made = await call('POST', '/workflow', { name: 'Sync', slug: 'gong', nodes, edges });
  const live = await call('PUT', `/workflow/${made.body.workflow._id}/publish`, {});
  const ran = await api.app.inject({
    method: 'POST',
    url: `/api/v2/public/workflow/${live.body._id}/execute`,
    headers: { 'x-api-key': api.org.keys.test, linked_account_id: 'ada', sync_execution: 'true' },
  });
  assert.equal(ran.statusCode, 200, ran.body);
  await newTable('by hand', ['a'], 'ada');

  assert.deepEqual((await call('GET', stores, undefined, 'ada')).body, ['synced']);
  const records = await call('GET', `${stores}/synced/records`, undefined, 'ada');
  assert.deepEqual(
    records.body.map(({ email }: { email: string }) => email),
    ['Ann@x.org', 'bob@x.org'],
  );
  const search = (body: unknown, account = 'ada') => call('POST', `${stores}/synced/search`, body, account);
  assert.deepEqual((await search({ email: 'ANN' })).body, [records.body[0]]);
  assert.deepEqual((await search({})).body, []);
  assert.match((await search({ nothing: 'x' })).body.message, /nothing/);
  assert.deepEqual((await search({ config_id: 'second' })).body, [], 'a column, not the config');

  assert.deepEqual((await call('GET', `${stores}?config_id=second`, undefined, 'ada')).body, []);
  assert.equal(
    (await call('GET', `${stores}/synced/records?config_id=second`, undefined, 'ada')).status,
    404,
  );
  assert.deepEqual((await call('GET', stores, undefined, 'bob')).body, []);
  assert.equal((await search({ email: 'a' }, 'bob')).status, 404);
  assert.equal((await call('GET', `${stores}/by%20hand/records`, undefined, 'ada')).status, 404);
  assert.equal((await call('GET', stores)).status, 400, 'no account');

  // More than one call may hold is told before it is read.
  const { rows } = await api.database.pool.query<{ id: string }>(
    "select id from data_table where name = 'synced'",
  );
  await api.database.pool.query(
    `insert into data_record (table_id, id, org_id, environment, fields)
     select id, gen_random_uuid(), org_id, environment, jsonb_build_object('email', repeat('x', 60000))
     from data_table, generate_series(1, 1200) where id = $1`,
    [rows[0]!.id],
  );
  for (const refused of [
    await call('GET', `${stores}/synced/records`, undefined, 'ada'),
    await search({ email: 'xx' }),
    await call('POST', `/tables/${rows[0]!.id}/search`, { email: 'xx' }, 'ada'),
  ]) {
    assert.deepEqual([refused.status, /more than 64 MiB/.test(refused.body.message)], [400, true]);
  }
  assert.equal((await search({ email: 'ann' })).body.length, 1);
});

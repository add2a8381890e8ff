import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import type { LinkedAccountRef } from '#domain/linked-account';
import { createWorkflow, publishWorkflow } from '#workflows/index';

let api: TestApi;
let account: LinkedAccountRef;

before(async () => {
  api = await createTestApi();
  account = await api.addLinkedAccount('ada');
});
after(() => api.close());

const start = { id: '1', node_type: 'start', name: 'Start', data: {} };
const edges = [{ source: '1', target: '2' }];

/** Runs the node as a draft is tried, with the payload as the event. */
async function transform(data: object, payload: unknown = {}) {
  const answer = await api.deps.engine.runSync(api.org.tenant, {
    workflowId: 'transformation-test',
    document: { nodes: [start, { id: '2', node_type: 'transformation', name: 'T', data }], edges },
    linkedAccount: account,
    configId: account.accountId,
    source: 'api_call',
    payload,
    timeoutMs: 20_000,
  });
  const { nodes } = await api.deps.engine.read(api.org.tenant, answer.executionId);
  return { ...nodes.find(({ nodeId }) => nodeId === '2')!, executionId: answer.executionId };
}

const shape = { sku: 'Item', total: '$number(Price) * $number(Qty)', fixed: 1, tags: ['Item', '"new"'] };

test('rows of CSV, XML, X12 and JSON get the form of one object', async () => {
  const csv = await transform(
    { source_format: 'csv', source: '{{event.text}}', transformation: shape },
    { text: 'Item;Price;Qty\nA1;2.5;4\nB2;1;0\n' },
  );
  const rows = [
    { sku: 'A1', total: 10, fixed: 1, tags: ['A1', 'new'] },
    { sku: 'B2', total: 0, fixed: 1, tags: ['B2', 'new'] },
  ];
  assert.deepEqual(csv.output, { rows, total_rows: 2 }, JSON.stringify(csv.error));
  const xml = await transform({
    source_format: 'XML',
    source: '<o><line><Item>A1</Item><Price>2.5</Price><Qty>4</Qty></line></o>',
    rows_path: 'o.line',
    transformation: JSON.stringify(shape),
  });
  assert.deepEqual(xml.output, { rows: rows.slice(0, 1), total_rows: 1 }, JSON.stringify(xml.error));
  const edi = await transform({
    source_format: 'edi',
    source: 'BEG*00*NE*PO-7~PO1*1*4*EA*2.5~PO1*2*1*EA*3~',
    transformation: { order: "segments[id='BEG'].elements[2]", lines: "[segments[id='PO1'].elements[1]]" },
  });
  assert.deepEqual(edi.output, { rows: [{ order: 'PO-7', lines: ['4', '1'] }], total_rows: 1 });
  const json = await transform(
    { source_format: 'json', source: '{{event}}', rows_path: 'list', transformation: '[n, n + 1]' },
    { list: [{ n: 1 }, { other: true }] },
  );
  // One row is one entry, whatever it becomes.
  assert.deepEqual(json.output, { rows: [[1, 2], []], total_rows: 2 });
});

test('a file is read in place of the source', async () => {
  async function* bytes(): AsyncGenerator<Buffer> {
    yield Buffer.from('\uFEFF[{"a": 1}, {"a": 2}]');
  }
  const file = { name: 'rows.json', contentType: 'application/json', linkedAccountId: account.id };
  const { url } = await api.deps.files.write(api.org.tenant, file, bytes());
  const read = await transform({ source_format: 'json', file_url: url, transformation: { b: 'a * 2' } });
  assert.deepEqual(read.output, { rows: [{ b: 2 }, { b: 4 }], total_rows: 2 }, JSON.stringify(read.error));
});

test('a workflow is started once for each row, and gets the new row', async () => {
  const caller = { tenant: api.org.tenant, isCustomer: false };
  const made = await createWorkflow(api.deps, caller, {
    name: 'Row',
    alias: 'row',
    nodes: [start, { id: '2', node_type: 'response', name: 'R', data: { data: '{{event.sku}}' } }],
    edges,
    jsonSchema: { type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } },
  });
  await publishWorkflow(api.deps, caller, made.id);
  const rows = [{ Item: 'A1' }, { Item: 'B2' }, { Item: 'C3' }];
  const given = { source_format: 'json', source: '{{event.rows}}', workflow: 'row' };
  const ran = await transform({ ...given, transformation: { sku: 'Item' } }, { rows });
  const { execution_ids: ids } = ran.output as { execution_ids: string[] };
  assert.equal(new Set(ids).size, 3, JSON.stringify(ran.error));
  const { rows: places } = await api.database.pool.query<{ batch: string; child_execution_id: string }>(
    'select batch, child_execution_id from child_execution where parent_execution_id = $1 order by batch',
    [ran.executionId],
  );
  // The place of each child is kept by the database: another attempt finds it there and starts no second one.
  assert.deepEqual(
    places,
    ids.map((id, at) => ({ batch: `2:${at}`, child_execution_id: id })),
  );
  const misfit = await transform({ ...given, transformation: { other: 'Item' } }, { rows });
  assert.match(misfit.error!.message, /^Row 1: The payload does not fit the schema of workflow "row"/);
});

test('what is wrong with source, path, rows or expression is told by name', async () => {
  const good = { source_format: 'json', source: [{ a: 1 }], transformation: { b: 'a' } };
  const cases: readonly (readonly [object, RegExp, unknown?])[] = [
    [{ ...good, source_format: 'yaml' }, /source_format: use csv, xml, edi or json/],
    [{ ...good, source: '' }, /source: give the data/],
    [{ ...good, transformation: '' }, /transformation: write an object of JSONata/],
    [{ ...good, transformation: { b: 'a +' } }, /.+/],
    [{ ...good, source: '{broken' }, /"source" cannot be read or written as JSON/],
    [{ ...good, source_format: 'xml', source: '<a><b></a>' }, /as XML/],
    [{ ...good, source_format: 'edi', source: 'no edi' }, /as X12/],
    [{ ...good, rows_path: 'x.y' }, /rows_path.*nothing stands at "x\.y"/],
    [{ ...good, delimiter: ';;' }, /delimiter: is one character/],
    [{ ...good, workflow: 'nobody' }, /Row 1: Workflow with id nobody not found/],
    [{ ...good, source: '{{event}}' }, /10001 rows; at most 10000/, Array.from({ length: 10_001 }, () => 1)],
  ];
  for (const [data, text, payload] of cases) {
    const { status, error } = await transform(data, payload);
    assert.equal(status, 'errored', JSON.stringify(data));
    assert.match(error!.message, text);
  }
});

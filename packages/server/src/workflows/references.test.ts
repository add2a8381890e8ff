import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWorkflowDocument } from '#domain/workflow-document';
import { mapReferences, namedNeeds, referencesOf } from '#workflows/references';

const document = readWorkflowDocument({
  nodes: [
    {
      id: '1',
      node_type: 'start',
      data: { trigger: { kind: 'polling', app: 'acme-crm', polling_trigger_id: 'poll' } },
    },
    { id: '2', node_type: 'function', data: { function_id: 'score' } },
    { id: '3', node_type: 'function', data: { function_id: 'builtin:group' } },
    { id: '4', node_type: 'sub_flow', data: { workflow_id: 'child' } },
    { id: '5', node_type: 'sub_flow', data: { workflow: '{{event.which}}' } },
    { id: '6', node_type: 'transformation', data: { workflow: 'row' } },
    {
      id: '7',
      node_type: 'agent',
      data: { tools: [{ workflow: 'tool' }, { app: 'gong', action: 'listCalls' }, 'nonsense'] },
    },
    { id: '8', node_type: 'recovery_queue', data: { queue: 'failed' } },
    { id: '9', node_type: 'table', data: { action: 'create_table', table_name: 'made', columns: ['a'] } },
    { id: '10', node_type: 'table', data: { action: 'search_record', table_name: 'made' } },
    { id: '11', node_type: 'table', data: { action: 'search_record', table_name: 'there' } },
    { id: '12', node_type: 'table', data: { action: 'search_record', table_id: 'by id' } },
  ],
});

test('every reference of a document is found wherever its node keeps it; templates and built-in functions are none', () => {
  assert.deepEqual(referencesOf(document), {
    function: ['score'],
    table: ['by id'],
    queue: ['failed'],
    polling_trigger: ['poll'],
    workflow: ['child', 'row', 'tool'],
  });
});

test('tools of an agent are found in JSON text, too', () => {
  const tools = JSON.stringify([{ workflow: 'tool' }, { app: 'gong', action: 'listCalls' }]);
  const written = readWorkflowDocument({ nodes: [{ id: '2', node_type: 'agent', data: { tools } }] });
  assert.deepEqual(referencesOf(written).workflow, ['tool']);
  assert.deepEqual(namedNeeds(null, written).apps, ['gong']);
  assert.equal(mapReferences(written, (_kind, value) => value).nodes[0]?.data['tools'], tools);
  const there = mapReferences(written, () => 'other');
  assert.deepEqual(there.nodes[0]?.data['tools'], [
    { workflow: 'other' },
    { app: 'gong', action: 'listCalls' },
  ]);
});

test('what takes the place of references changes nothing else', () => {
  const there = mapReferences(document, (kind, value) => `${kind} ${value}`);
  assert.deepEqual(there.nodes[6]?.data['tools'], [
    { workflow: 'workflow tool' },
    { app: 'gong', action: 'listCalls' },
    'nonsense',
  ]);
  const back = mapReferences(there, (kind, value) => value.slice(kind.length + 1));
  assert.deepEqual(back, document);
});

test('apps of triggers and tools are needed, and tables that the workflow does not make itself', () => {
  const needs = namedNeeds(null, document);
  assert.deepEqual(
    [needs.apps, needs.tables, needs.modelProviders],
    [['acme-crm', 'gong'], ['there'], ['openai']],
  );
});

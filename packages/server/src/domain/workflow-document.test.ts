import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AppError } from '#domain/errors';
import { validateWorkflow } from '#domain/workflow-checks';
import type { NodeTypeFacts, NodeTypes } from '#domain/workflow-checks';
import {
  emptyWorkflowDocument,
  readWorkflowDocument,
  retireNodes,
  triggerOf,
} from '#domain/workflow-document';

const next = () => ['next'];
const nodeTypes: NodeTypes = new Map<string, NodeTypeFacts>([
  ['start', { fields: {}, ports: next }],
  ['http', { fields: { url: { label: 'URL', required: true } }, ports: next }],
  [
    'rule',
    {
      fields: { conditions: { label: 'Conditions', type: 'conditions' } },
      ports: () => ['true', 'false'],
    },
  ],
  ['response', { fields: {}, ports: () => [] }],
  ['custom_code', { fields: {}, literal: ['code'], ports: next }],
  ['loop', { fields: {}, container: ['body'], inside: ['output_data'], ports: next }],
  ['try_catch', { fields: {}, container: ['try', 'catch'], ports: next }],
  [
    'terminate',
    {
      fields: {},
      ports: () => [],
      placeProblem: (_data, around) => (around.includes('loop') ? undefined : 'stands in no loop'),
    },
  ],
]);

const start = { id: '1', type: 'start', name: 'Start', data: null };
const http = (id: string, data: object = { url: 'https://a.example' }) => ({
  id,
  node_type: 'http',
  name: `Call ${id}`,
  data,
});
const edge = (source: string, target: string, source_handle?: string) => ({ source, target, source_handle });
const problems = (nodes: object[], edges: object[] = [], purpose: 'draft' | 'publish' = 'publish') =>
  validateWorkflow(readWorkflowDocument({ nodes, edges }), nodeTypes, purpose).map(
    (p) => `${p.path}: ${p.message}`,
  );

test('a straight workflow has no problems', () => {
  assert.deepEqual(problems([start, http('2'), http('3')], [edge('1', '2'), edge('2', '3')]), []);
  assert.deepEqual(validateWorkflow(emptyWorkflowDocument(), nodeTypes), []);
});

describe('each fault is named with its node', () => {
  const code = (source: string) => ({
    id: '2',
    node_type: 'custom_code',
    name: 'Code',
    data: { code: source },
  });
  const table: [fault: string, nodes: object[], edges: object[], message: RegExp][] = [
    [
      'an operator that does not exist, beside values that are templates',
      [
        start,
        {
          id: '2',
          node_type: 'rule',
          name: 'Is it large',
          data: {
            conditions: [
              { variable: '{{event.total}}', operator: 'gt', value: 3 },
              { conditions: [{ variable: '{{event.total}}', operator: 'bigger', value: 3 }] },
            ],
          },
        },
      ],
      [edge('1', '2')],
      /nodes\[1\]\.data\.conditions\[1\]\[0\]\.operator: .*Is it large.*"bigger" is not an operator; use one of eq/,
    ],
    [
      'an operator that does not exist, in the conditions of a node',
      [start, { ...http('2'), conditions: [{ variable: '{{event.total}}', operator: '>', value: 3 }] }],
      [edge('1', '2')],
      /nodes\[1\]\.conditions\[0\]\.operator: .*">" is not an operator/,
    ],
    [
      'a cycle',
      [start, http('2'), http('3')],
      [edge('1', '2'), edge('2', '3'), edge('3', '2')],
      /circle: "Call 2" \(2\) -> "Call 3" \(3\) -> "Call 2" \(2\)/,
    ],
    [
      'an edge to itself',
      [start, http('2')],
      [edge('1', '2'), edge('2', '2')],
      /circle: "Call 2" \(2\) -> "Call 2" \(2\)/,
    ],
    ['no start', [http('2')], [], /no start node/],
    ['two starts', [start, { ...start, id: '9' }], [], /2 start nodes/],
    [
      'two triggers',
      [{ ...start, data: { triggers: [{ kind: 'event', event: 'a' }, { kind: 'api_call' }] } }],
      [],
      /2 triggers/,
    ],
    [
      'an unknown trigger',
      [{ ...start, data: { trigger: { kind: 'telepathy' } } }],
      [],
      /"telepathy" is not a trigger/,
    ],
    ['an event without a name', [{ ...start, data: { trigger: { kind: 'event' } } }], [], /names none/],
    ['a double id', [start, http('2'), http('2')], [], /nodes\[2\]\.id: node "Call 2" \(2\) has an id/],
    [
      'an unknown type',
      [start, { id: '2', type: 'teleport', name: 'T' }],
      [],
      /"teleport" is not a node type; use one of start/,
    ],
    [
      'an edge to nowhere',
      [start],
      [edge('1', '7')],
      /edges\[0\]: leads from node "Start" \(1\) to node "7", which does not exist/,
    ],
    ['an edge from nowhere', [start, http('2')], [edge('5', '2')], /starts at node "5"/],
    ['an edge into start', [start, http('2')], [edge('1', '2'), edge('2', '1')], /into the start node/],
    [
      'an edge by a port that is not there',
      [start, { id: '2', type: 'rule', name: 'R' }, http('3')],
      [edge('1', '2'), edge('2', '3', 'maybe')],
      /leaves node "R" \(2\) by "maybe"; it has only true, false/,
    ],
    ['an edge twice', [start, http('2')], [edge('1', '2'), edge('1', '2', 'next')], /there twice/],
    ['an unreached node', [start, http('2')], [], /node "Call 2" \(2\) is not reached/],
    [
      'a missing setting',
      [start, http('2', {})],
      [edge('1', '2')],
      /nodes\[1\]\.data\.url: node "Call 2" \(2\): "URL" is required/,
    ],
    [
      'a reference to no node',
      [start, http('2', { url: '{{node.9.body.u}}' })],
      [edge('1', '2')],
      /no node 9/,
    ],
    [
      'code in braces',
      [start, http('2', { url: '{{event.a + 1}}' })],
      [edge('1', '2')],
      /"\{\{event.a \+ 1\}\}" is not a template/,
    ],
    ['a template in code', [start, code('return "{{event.name}}"')], [edge('1', '2')], /make it a parameter/],
    [
      'code that is too long',
      [start, code('x'.repeat(300_000))],
      [edge('1', '2')],
      /longer than 262144 bytes/,
    ],
    [
      'a prototype in a template',
      [start, http('2', { url: '{{event.__proto__}}' })],
      [edge('1', '2')],
      /"__proto__" is not accepted/,
    ],
  ];
  for (const [fault, nodes, edges, message] of table) {
    test(fault, () => assert.match(problems(nodes, edges).join('\n'), message));
  }
});

test('a draft may have loose nodes and empty settings, but no cycle', () => {
  assert.deepEqual(problems([start, http('2', {})], [], 'draft'), []);
  assert.match(
    problems([start, http('2'), http('3')], [edge('2', '3'), edge('3', '2')], 'draft').join(),
    /circle/,
  );
});

test('braces that are code, not templates, are left alone in source text', () => {
  const source = 'function yourFunction({a:{b}}){ if (b) {{ b.x = 1 }} return `${{}.x}` }';
  assert.deepEqual(
    problems([start, { id: '2', type: 'code', name: 'Code', data: { code: source } }], [edge('1', '2')]),
    [],
  );
});

test('the spellings of the wire are read into one form', () => {
  const document = readWorkflowDocument({
    nodes: [
      {
        id: 1,
        type: 'start',
        name: 'Start',
        incoming_nodes: [],
        outgoing_nodes: [],
        data: { trigger_type: 'event', event_name: 'Lead' },
      },
      { id: 2, type: 'code', input_data: { code: 'x' }, skip_on_error: true },
    ],
    edges: [{ from: 1, to: 2, sourceHandle: 'next' }],
    settings: null,
  });
  assert.deepEqual(document.nodes[1], {
    id: '2',
    node_type: 'custom_code',
    name: 'custom_code 2',
    data: { code: 'x' },
    skip_on_error: true,
  });
  assert.deepEqual(document.edges, [{ source: '1', target: '2', source_handle: 'next' }]);
  assert.deepEqual([triggerOf(document).kind, triggerOf(document).event], ['event', 'Lead']);
  assert.equal(triggerOf(emptyWorkflowDocument()).kind, 'api_call');
});

test('the id of a removed node comes back only as the same kind of node', () => {
  const before = readWorkflowDocument({ nodes: [start, http('2')], edges: [edge('1', '2')] });
  const removed = retireNodes(before, readWorkflowDocument({ nodes: [start] }));
  const undone = retireNodes(removed, { ...before });
  assert.deepEqual(validateWorkflow({ ...undone, retired_nodes: removed.retired_nodes }, nodeTypes), []);
  const reused = {
    ...removed,
    nodes: [...removed.nodes, { id: '2', node_type: 'rule', name: 'R', data: {} }],
  };
  assert.match(
    validateWorkflow(reused, nodeTypes)[0]?.message ?? '',
    /takes the id of a http node that was removed/,
  );
});

test('documents that cannot be read name the field, and prototype keys are refused', () => {
  const refused = (raw: unknown, pattern: RegExp) =>
    assert.throws(
      () => readWorkflowDocument(raw),
      (e) => e instanceof AppError && pattern.test(e.message),
    );
  refused({ nodes: 'x' }, /nodes: /);
  refused({ nodes: [{ id: '1' }] }, /nodes\.0\.node_type: required/);
  refused({ nodes: [{ id: '../etc', type: 'http' }] }, /nodes\.0\.id: use 1 to 64/);
  for (const id of ['__proto__', 'constructor', 'prototype']) {
    refused({ nodes: [start, { id, type: 'http' }] }, /nodes\.1\.id: is a name that nothing may have/);
  }
  refused({ nodes: [start], edges: [{ source: '1' }] }, /edges\.0: an edge needs/);
  refused({ nodes: Array.from({ length: 501 }, (_, i) => http(String(i))) }, /nodes: /);
  refused(JSON.parse('{"nodes":[{"id":"1","type":"start","data":{"__proto__":{"x":1}}}]}'), /"__proto__"/);
});

test('a chain of 500 nodes is checked without trouble', () => {
  const nodes = [start, ...Array.from({ length: 499 }, (_, i) => http(String(i + 2)))];
  const edges = nodes
    .slice(1)
    .map((node, i) => edge((nodes[i] as { id: string }).id, (node as { id: string }).id));
  assert.deepEqual(problems(nodes, edges), []);
});

describe('containers', () => {
  const loop = (id: string, data: object = {}) => ({ id, node_type: 'group', name: 'Each', data });
  const inside = (parent_id: string, id: string, read = '') => ({
    ...http(id, { url: `https://a.example/${read}` }),
    parent_id,
  });

  test('a loop leads to the nodes in it without an edge, or by "body"; its nodes read what is around them', () => {
    const nodes = [
      start,
      http('2'),
      loop('3', { output_data: '{{node.5.body}}' }),
      inside('3', '4', '{{node.2.body.id}}'),
      inside('3', '5', '{{node.4.body}}'),
    ];
    const edges = [edge('1', '2'), edge('2', '3'), edge('4', '5')];
    assert.deepEqual(problems(nodes, edges), []);
    assert.deepEqual(problems(nodes, [...edges, edge('3', '4', 'body')]), []);
  });

  test('every spelling of a parent is read', () => {
    for (const spelling of ['parent_id', 'parentId', 'parent_node']) {
      const { nodes } = readWorkflowDocument({ nodes: [start, loop('2'), { ...http('3'), [spelling]: 2 }] });
      assert.deepEqual([nodes[1]?.node_type, nodes[2]?.parent_id], ['loop', '2']);
    }
  });

  const table: [fault: string, nodes: object[], edges: object[], message: RegExp][] = [
    [
      'a parent that is not there',
      [start, inside('9', '3')],
      [edge('1', '3')],
      /node "9", which does not exist/,
    ],
    [
      'a parent that holds nothing',
      [start, http('2'), inside('2', '3')],
      [edge('1', '2')],
      /holds no other nodes/,
    ],
    ['a loop in itself', [start, { ...loop('2'), parent_id: '2' }], [], /stands inside itself/],
    [
      'an edge out of a loop',
      [start, loop('2'), inside('2', '3'), http('4')],
      [edge('1', '2'), edge('3', '4')],
      /across the border/,
    ],
    ['an edge into a loop', [start, loop('2'), inside('2', '3')], [edge('1', '3')], /across the border/],
    [
      'an edge inside by the wrong port',
      [start, loop('2'), inside('2', '3')],
      [edge('1', '2'), edge('2', '3')],
      /edges to its inside leave by "body"/,
    ],
    [
      'an inner port that leads outside',
      [start, loop('2'), http('3')],
      [edge('1', '2'), edge('2', '3', 'body')],
      /does not stand in it/,
    ],
    [
      'reading into a loop from outside',
      [start, loop('2'), inside('2', '3'), http('4', { url: '{{node.3.body}}' })],
      [edge('1', '2'), edge('2', '4')],
      /over by then; read the result of node "Each" \(2\)/,
    ],
    [
      'a cycle in a loop',
      [start, loop('2'), inside('2', '3'), inside('2', '4')],
      [edge('1', '2'), edge('2', '3', 'body'), edge('3', '4'), edge('4', '3')],
      /circle/,
    ],
    [
      'a node of a loop that nothing leads to',
      [start, loop('2'), inside('2', '3'), inside('2', '4')],
      [edge('1', '2'), edge('2', '3', 'body')],
      /not reached/,
    ],
    [
      'ending a loop where there is none',
      [start, { id: '2', node_type: 'terminate', name: 'End' }],
      [edge('1', '2')],
      /stands in no loop/,
    ],
    [
      'a node of both the try block and the catch',
      [
        start,
        { id: '2', node_type: 'try_catch', name: 'Try' },
        inside('2', '3'),
        inside('2', '4'),
        inside('2', '5'),
      ],
      [edge('1', '2'), edge('2', '3', 'try'), edge('2', '4', 'catch'), edge('3', '5'), edge('4', '5')],
      /led to by more than one of "try" and "catch"/,
    ],
  ];
  for (const [fault, nodes, edges, message] of table) {
    test(`${fault} is refused`, () => assert.match(problems(nodes, edges).join('\n'), message));
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileTemplate, render, templateProblems, type TemplateScope } from '#domain/template';
import { validateWorkflow } from '#domain/workflow-checks';
import { readWorkflowDocument } from '#domain/workflow-document';

/** The ten rules of templates, one test each (spec/workflows §10). */

const scope: TemplateScope = {
  values: {
    event: { list: [1, 'two'], nothing: null, text: 'say "hi" {{event.list}}', yes: true, 'a.b': 'dotted' },
    env: { workflow: { HELLO: 'Hi {{event.list.1}}', TWICE: '{{env.workflow.HELLO}}' } },
  },
  node: () => undefined,
};
const fill = (value: unknown, missing: 'empty' | 'omit' = 'empty') =>
  render(compileTemplate(value), scope, { missing });

test('1: alone in its field a template keeps its type; in a text objects are JSON, null and missing are nothing', () => {
  assert.deepEqual(fill('{{event.list}}'), [1, 'two']);
  assert.equal(fill('{{event.yes}}'), true);
  assert.equal(fill('{{event.nothing}}'), null);
  assert.equal(fill('{{event.gone}}'), '');
  assert.equal(fill('[{{event.nothing}}|{{event.gone}}|{{event.yes}}]'), '[||true]');
  assert.equal(fill('l={{event.list}}'), 'l=[1,"two"]');
});

test('2: JSON is read before it is filled in, so no value can break it; bare templates become values', () => {
  assert.deepEqual(fill('{"a": "{{event.text}}", "b": {{event.list}}, "c": "x{{event.yes}}"}'), {
    a: 'say "hi" {{event.list}}',
    b: [1, 'two'],
    c: 'xtrue',
  });
});

test('3: integers beyond a double stay text', () => {
  assert.deepEqual(fill('{"n": 90071992547409931, "m": {{event.list.0}}}'), { n: '90071992547409931', m: 1 });
});

test('4: where a node says so, a field whose template finds nothing is dropped', () => {
  const value = { a: '{{event.gone}}', b: { c: '{{event.gone}}', d: 1 }, e: 'x{{event.gone}}' };
  assert.deepEqual(fill(value, 'omit'), { b: { d: 1 }, e: 'x' });
  assert.deepEqual(fill(value), { a: '', b: { c: '', d: 1 }, e: 'x' });
});

test('5: a key with a dot cannot be addressed', () => {
  assert.equal(fill('{{event.a.b}}'), '');
});

test('6: nothing is evaluated, and text that was filled in is not read again, but for one level of workflow values', () => {
  assert.equal(fill('{{event.text}}'), 'say "hi" {{event.list}}');
  assert.equal(fill('{{env.workflow.HELLO}}'), 'Hi two');
  assert.equal(fill('{{HELLO}}'), 'Hi two');
  assert.equal(fill('{{TWICE}}'), 'Hi {{event.list.1}}');
  for (const code of ['{{1 + 1}}', '{{event.list.map(x => x)}}', '{{constructor.constructor("x")()}}']) {
    assert.equal(templateProblems(code, 'f').length, 1, code);
    assert.throws(() => fill(code), /template/i, code);
  }
});

test('7: code takes no templates: it is refused at save, with the way out', () => {
  const literal = new Map([
    ['start', { fields: {}, ports: () => ['next'] }],
    ['custom_code', { fields: {}, literal: ['code'], ports: () => ['next'] }],
  ]);
  const document = readWorkflowDocument({
    nodes: [
      { id: '1', node_type: 'start' },
      { id: '2', node_type: 'custom_code', data: { code: 'return {{event.x}}' } },
    ],
    edges: [{ source: '1', target: '2' }],
  });
  const [problem] = validateWorkflow(document, literal);
  assert.match(problem?.message ?? '', /inside source text.*params\.<name>/);
});

test('8: tokens of others stay as they are', () => {
  for (const text of ['Page {{page}} of {{total_pages}}', '[[form_url]]', '/v1/{id}', '{event:order.no}']) {
    assert.equal(fill(text), text);
  }
});

test('9: legacy spellings mean what they meant', () => {
  const old: TemplateScope = {
    values: { array_item: { x: 1 }, loop: { iteration_count: 3 } },
    node: (id) => (id === '5' ? { body: { field: 'f', list: ['l'] } } : undefined),
  };
  const table: readonly (readonly [string, unknown])[] = [
    ['{{node.5.response.field}}', 'f'],
    ['{{node.5.response:list.0}}', 'l'],
    ['{{5.field}}', 'f'],
    ['{{group:array_item.x}}', 1],
    ['{{node.5.body.array_item.x}}', 1],
    ['{{node.5.body.iteration_count}}', 3],
  ];
  for (const [written, value] of table) assert.equal(render(compileTemplate(written), old), value, written);
});

test('10: a node that does not exist cannot be read', () => {
  const types = new Map(['start', 'http'].map((type) => [type, { fields: {}, ports: () => ['next'] }]));
  const document = readWorkflowDocument({
    nodes: [
      { id: '1', node_type: 'start' },
      { id: '2', node_type: 'http', data: { url: '{{node.9.body}}' } },
    ],
    edges: [{ source: '1', target: '2' }],
  });
  assert.match(validateWorkflow(document, types)[0]?.message ?? '', /there is no node 9/);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AppError } from '#domain/errors';
import { compileTemplate, render, templateProblems } from '#domain/template';
import type { TemplateScope } from '#domain/template';

const rows = [
  { sku: 'A1', qty: 3 },
  { sku: 'B2', qty: 0 },
];
const results: Record<string, unknown> = {
  '7': { status: 'Success', body: { rows, next: null, empty: '', 'first name': 'Ada' } },
  '8': { status: 'Success', body: rows },
  '9': { status: 'Success', body: { loop_results: [{ id: 'x' }], total_iterations: 1 } },
};
const scope: TemplateScope = {
  values: {
    event: { order: { no: '90071992547409931' }, headers: { 'x-shop': 's1' }, response: { ok: true } },
    array_item: { email: 'a@b.c' },
    loop: { iteration_count: 4, iteration_number: 1 },
    env: {
      org: { tag: 'org-tag', only_org: 'o' },
      workspace: { tag: 'blue "quoted" {{event}}', region: 'eu' },
      linked_account: { region: 'us' },
      workflow: { greeting: 'Hi {{event.order.no}}', nested: '{{env.workflow.greeting}}' },
    },
    config: { pipeline: 'sales' },
    execution_id: 'e1',
  },
  node: (id) => results[id],
  nodeIdOf: (slug) => (slug === 'fetch_orders' ? '7' : undefined),
};
const fill = (value: unknown, missing?: 'empty' | 'omit') =>
  render(compileTemplate(value), scope, missing === undefined ? {} : { missing });

describe('the examples of the behaviour spec', () => {
  const table: [written: string, result: unknown][] = [
    ['{{node.7.body.rows.0.sku}}', 'A1'],
    ['{{node.7.body.rows[0].sku}}', 'A1'],
    ['{{node.7.body.rows}}', rows],
    ['SKU={{node.7.body.rows.1.sku}}&n={{node.7.body.rows.1.qty}}', 'SKU=B2&n=0'],
    ['{{node.8.response:0.sku}}', 'A1'],
    ['{{node.7.response.rows.1.sku}}', 'B2'],
    ['{{node.7.response:rows.1.sku}}', 'B2'],
    ['{{node.7.body.rows.length}}', 2],
    ["{{node.7.body.next || 'end'}}", 'end'],
    ['{{event.order.no}}', '90071992547409931'],
    ['{{start.body.order.no}}', '90071992547409931'],
    ['{{fetch_orders.body.rows}}', rows],
    ['{{fetch_orders.response.rows.0.qty}}', 3],
    ['{{ node.8.body }}', rows],
    ['{x}', '{x}'],
    ['{{x', '{{x'],
    ['{{7.rows.0.sku}}', 'A1'],
    ['{{group:array_item.email}}', 'a@b.c'],
    ['{{node.5.body.array_item.email}}', 'a@b.c'],
    ['{{node.5.body.iteration_count}}', 4],
    ['{{loop.iteration_number}}', 1],
    ['{{node.9.body.0.id}}', 'x'],
    ['{{node.7.body.first name}}', 'Ada'],
    ['{{event.headers.x-shop}}', 's1'],
    ['{{event.response.ok}}', true],
    ['{{dataslot.pipeline}}', 'sales'],
    ['{{config.pipeline}}', 'sales'],
    ['{{region}}', 'us'],
    ['{{only_org}}', 'o'],
    ['{{execution_id}}', 'e1'],
    ['{{env.workflow.greeting}}', 'Hi 90071992547409931'],
    ['{{env.workflow.nested}}', 'Hi {{event.order.no}}'],
    ['{{node.7.body.next || 12}}', 12],
    ['{{node.7.body.next || 1.5}}', 1.5],
    ['{{node.7.body.empty || false}}', false],
    ['{{missing || event.order.no}}', '90071992547409931'],
    ['{{node.7.body.next || null}}', null],
    ['{{node.7.body.next}}', null],
  ];
  for (const [written, result] of table) {
    test(written, () => assert.deepEqual(fill(written), result));
  }

  test('JSON text with a bare template has the value spliced in', () => {
    assert.deepEqual(fill('{"items": {{node.7.body.rows}}, "tag":"{{env.workspace.tag}}"}'), {
      items: rows,
      tag: 'blue "quoted" {{event}}',
    });
  });
});

test('tokens that belong to others stay as they are written', () => {
  for (const text of [
    '{{page}} of {{total_pages}}',
    '{{#each rows}}{{/each}}',
    '[[form_url]]',
    '{field}',
    '{{}}',
  ]) {
    assert.equal(fill(text), text);
  }
});

test('a value with quotes and braces cannot break the JSON around it', () => {
  assert.deepEqual(
    fill('{"a":"x {{env.workspace.tag}}","b":[{{node.7.body.next}},"{{node.7.body.next}}"]}'),
    {
      a: 'x blue "quoted" {{event}}',
      b: [null, null],
    },
  );
});

test('filled-in text is not read for templates again', () => {
  assert.equal(fill('{{env.workspace.tag}}'), 'blue "quoted" {{event}}');
  assert.equal(fill('> {{env.workspace.tag}}'), '> blue "quoted" {{event}}');
});

test('integers beyond 2^53 written in JSON text survive as text', () => {
  assert.deepEqual(fill('{"id": 90071992547409931, "x": {{event.order.no}}}'), {
    id: '90071992547409931',
    x: '90071992547409931',
  });
});

test('a template that finds nothing is empty text, or no field at all', () => {
  assert.equal(fill('{{event.nope}}'), '');
  assert.equal(fill('a{{event.nope}}b{{node.7.body.next}}c'), 'abc');
  assert.deepEqual(fill({ a: '{{event.nope}}', b: '{{node.7.body.next}}', c: 'x' }, 'omit'), {
    b: null,
    c: 'x',
  });
  assert.equal(fill('{{event.nope}}', 'omit'), undefined);
  assert.deepEqual(fill('{"a": {{event.nope}} }'), { a: null });
});

test('objects inside a longer text become JSON', () => {
  assert.equal(fill('rows: {{node.7.body.rows.0}}'), 'rows: {"sku":"A1","qty":3}');
});

test('prototypes are out of reach, as path segments and as keys', () => {
  for (const text of [
    '{{event.__proto__.polluted}}',
    '{{event.constructor.constructor}}',
    'a {{ prototype }}',
    '{{node.7.body.rows.constructor}}',
    '{{__proto__.x}}',
    "{{event.constructor || 'x'}}",
  ]) {
    assert.throws(
      () => fill(text),
      (e) => e instanceof AppError && e.code === 'template_invalid',
      text,
    );
  }
  assert.throws(
    () => fill(JSON.parse('{"__proto__":{"a":"{{event}}"}}')),
    (e) => e instanceof AppError && e.code === 'forbidden_key',
  );
  assert.equal(fill('{{event.toString}}'), '');
  assert.equal(fill('{{event.order.no.charAt}}'), '');
  assert.equal(fill('{{toString}}'), '');
});

test('code in braces is refused with the way out', () => {
  for (const text of [
    '{{ 1 + 1 }}',
    '{{node.2.body.x.map(y => y)}}',
    '{{event.a ? 1 : 2}}',
    '{{`x`}}',
    '{{a;b}}',
  ]) {
    assert.throws(() => fill(text), /is not a template.*code or transform node/s, text);
    assert.equal(templateProblems({ a: [text] }, 'data')[0]?.path, 'data.a[0]');
  }
});

test('random braces, quotes and dots never fail otherwise than typed, and unmatched ones stay', () => {
  const alphabet = [
    '{{',
    '}}',
    '{',
    '}',
    '.',
    '[',
    ']',
    '0',
    'a',
    "'",
    '"',
    '|',
    '||',
    ' ',
    ':',
    '\\',
    'node',
    '\n',
    'é',
  ];
  let seed = 42;
  const next = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % n;
  };
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: 1 + next(24) }, () => alphabet[next(alphabet.length)]).join('');
    try {
      const result = fill(text);
      if (!text.includes('}}')) assert.equal(result, text);
    } catch (error) {
      assert.ok(error instanceof AppError, `${JSON.stringify(text)} threw ${String(error)}`);
    }
  }
});

test('hostile text is read in linear time', () => {
  for (const unit of [
    '{{',
    '{{a',
    '{{a.',
    '{{a[',
    "{{a||'",
    '{{a||"',
    '{{a||\'{{a||"',
    '{{a+',
    '{{ ',
    '{{a ||',
  ]) {
    const text = unit.repeat(Math.ceil(400_000 / unit.length));
    // Processor time: a busy machine is not a slow parser.
    const started = process.cpuUsage();
    try {
      fill(text);
      fill(`${text}}}`);
    } catch (error) {
      assert.ok(error instanceof AppError);
    }
    const took = process.cpuUsage(started).user / 1_000;
    assert.ok(took < 3_000, `${unit} took ${took} ms`);
  }
});

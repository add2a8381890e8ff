import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSettings, pathsIn, render } from '#domain/template';

const values = {
  event: {
    name: '<b>Ann & "Co"</b>',
    html: '<p>ready</p>',
    rows: [
      { sku: 'A1', qty: 3, tags: ['x', 'y'] },
      { sku: 'B2', qty: 0, tags: [] },
    ],
    prices: { small: 1, large: 2 },
    none: [],
  },
};
const scope = { values, node: () => undefined };

function fill(body: string): unknown {
  return (render(compileSettings({ body }, ['body']), scope) as { body: unknown }).body;
}

test('a value in markup is text and never markup, unless three braces ask for it', () => {
  assert.equal(fill('<p>{{event.name}}</p>'), '<p>&lt;b&gt;Ann &amp; &quot;Co&quot;&lt;/b&gt;</p>');
  assert.equal(fill('<div>{{{event.html}}}</div>'), '<div><p>ready</p></div>');
  assert.equal(fill('{{event.html}}'), '<p>ready</p>');
});

test('each goes over a list or a map, and inside it the item is at hand', () => {
  assert.equal(fill('{{#each event.rows}}{{@index}}:{{sku}}={{this.qty}} {{/each}}'), '0:A1=3 1:B2=0 ');
  assert.equal(fill('{{#each event.prices}}{{@key}}={{this}};{{/each}}'), 'small=1;large=2;');
  assert.equal(fill('{{#each event.rows}}{{#each tags}}{{this}}{{else}}-{{/each}}{{/each}}'), 'xy-');
  assert.equal(fill('x{{#each event.missing}}never{{else}}nothing{{/each}}'), 'xnothing');
  assert.equal(fill('{{#each event.rows}}{{event.prices.small}}{{/each}}'), '11');
});

test('if is false for what is missing, empty, zero or an empty list', () => {
  const either = (path: string): unknown => fill(`{{#if ${path}}}yes{{else}}no{{/if}}`);
  assert.equal(either('event.rows'), 'yes');
  assert.equal(either('event.none'), 'no');
  assert.equal(either('event.rows.1.qty'), 'no');
  assert.equal(either('event.missing'), 'no');
});

test('braces that are not closed, and the page numbers of a PDF, stay as they are', () => {
  assert.equal(
    fill('{{event.prices.small}} of {{page}}/{{total_pages}} {{ and {x}'),
    '1 of {{page}}/{{total_pages}} {{ and {x}',
  );
});

test('what is not a path or a known block is refused with its text', () => {
  const refused: [string, RegExp][] = [
    ['{{#each event.rows}}x', /never closed/],
    ['{{#if event.name}}x{{/each}}', /closes an open "\{\{#if\}\}"/],
    ['x{{/if}}', /nothing opened/],
    ['x{{else}}', /outside of a block/],
    ['{{#with event}}x{{/with}}', /blocks are/],
    ['<p>{{event.constructor}}</p>', /not a path/],
    ['<p>{{constructor.constructor("return process")()}}</p>', /not a path/],
    ['{{#each __proto__}}x{{/each}}', /not a path/],
    ['{{#if a}}'.repeat(30), /deep in one another/],
  ];
  for (const [body, message] of refused) {
    assert.throws(() => fill(body), { code: 'template_invalid', message }, body);
  }
});

test('an item cannot put anything on a prototype, and its text is not read for templates again', () => {
  const item = JSON.parse('{"__proto__": {"polluted": true}, "name": "{{event.name}}"}') as unknown;
  const own = { values: { event: { rows: [item] } }, node: () => undefined };
  const compiled = compileSettings({ body: '{{#each event.rows}}{{name}}{{polluted}}{{/each}}' }, ['body']);
  assert.deepEqual(render(compiled, own), { body: '{{event.name}}' });
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('a result that grows without measure is refused', () => {
  const rows = Array.from({ length: 1000 }, () => Array.from({ length: 1000 }, () => 'x'));
  const own = { values: { event: { rows } }, node: () => undefined };
  const compiled = compileSettings({ body: '{{#each event.rows}}{{#each this}}{{this}}{{/each}}{{/each}}' }, [
    'body',
  ]);
  assert.throws(() => render(compiled, own), /more than 100000 times/);
});

test('only the settings that are HTML are markup, and their paths are known', () => {
  const compiled = compileSettings(
    { subject: '{{event.name}}', body: '<i>{{#if event.a}}{{b.c}}{{/if}}</i>' },
    ['body'],
  );
  assert.equal((render(compiled, scope) as { subject: string }).subject, values.event.name);
  assert.deepEqual(
    pathsIn(compiled).map(({ root }) => root),
    ['event', 'event', 'b'],
  );
});

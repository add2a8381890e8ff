import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config, ConfigField } from '../api/wire.ts';
import { checkDraft, descendantsOf, draftOf, fieldKey, isDirty, readField, withEnabled } from './draft.ts';

function field(field_type: string, rest: Partial<ConfigField> = {}): ConfigField {
  return { id: field_type, name: field_type, field_type, ...rest };
}

function config(fields: ConfigField[], workflows: Config['workflows'] = []): Config {
  return { slug: 'acme-crm', config_id: 'c', fields, workflows, field_errors: [] };
}

test('every wire type shows its stored value and reads the same value back', () => {
  const stored: [ConfigField, unknown][] = [
    [field('text'), 'Oslo'],
    [field('textarea'), 'two\nlines'],
    [field('number'), 0],
    [field('date'), '2026-11-21'],
    [field('email'), 'arya@example.com'],
    [field('url'), 'https://example.com/x'],
    [field('boolean'), true],
    [field('json'), { a: [1, null] }],
    [field('select'), 0],
    [field('select', { multiple: true }), ['a', 2]],
    [field('map'), { label1: 'name', label2: ['x', 'y'] }],
    [field('map_v2'), { stage: 'deal_stage' }],
    [field('rule_engine'), { logic: 'OR', conditions: [{ lhs: 'title', operator: 'eq', rhs: 'Demo' }] }],
    [field('something_new', { options: [{ name: 'A', value: 'a' }] }), 'a'],
  ];
  for (const [shape, value] of stored) {
    const withValue = { ...shape, value };
    const draft = draftOf(config([withValue]));
    assert.deepEqual(readField(withValue, draft[fieldKey(shape.id)]), { value }, shape.field_type);
    assert.equal(isDirty(draft, draft), false);
  }
});

test('text that is not of the type is refused with the way out, and kept as it was typed', () => {
  const wrong: [string, string][] = [
    ['number', 'twelve'],
    ['email', 'arya'],
    ['url', 'javascript:alert(1)'],
    ['url', 'example.com'],
    ['json', '{"a":'],
    ['date', 'yesterday'],
  ];
  for (const [type, typed] of wrong)
    assert.ok('problem' in readField(field(type), typed), `${type} ${typed}`);
  assert.deepEqual(readField(field('number'), '3,5'), { value: 3.5 });
});

test('a required field refuses blanks, but accepts the number 0 and the switch that is off', () => {
  const required = { required: true };
  for (const blank of ['', '   ']) assert.ok('problem' in readField(field('text', required), blank));
  assert.ok('problem' in readField(field('select', required), []));
  assert.ok('problem' in readField(field('map_v2', required), []));
  assert.deepEqual(readField(field('number', required), '0'), { value: 0 });
  assert.deepEqual(readField(field('select', required), [0]), { value: 0 });
  assert.deepEqual(readField(field('boolean', required), false), { value: false });
});

test('a stored secret need not be typed again and is not sent unless it is', () => {
  const secret = field('password', { required: true, value: '[REDACTED]' });
  const saved = draftOf(config([secret]));
  assert.deepEqual(checkDraft(config([secret]), saved, saved), {
    change: { fields: {}, workflows: [] },
    problems: {},
  });
  const typed = { ...saved, [fieldKey('password')]: 'n3w' };
  assert.deepEqual(checkDraft(config([secret]), typed, saved).change.fields, { password: 'n3w' });
  assert.ok('problem' in readField(field('password', { required: true }), ''));
});

test('only what differs is sent, and clearing sends null', () => {
  const shape = config([field('text', { value: 'a' }), field('number', { value: 1 })]);
  const saved = draftOf(shape);
  const draft = { ...saved, [fieldKey('text')]: '' };
  assert.deepEqual(checkDraft(shape, draft, saved).change, { fields: { text: null }, workflows: [] });
});

test('the fields of a workflow count only while it is on', () => {
  const workflow = { id: 'w', name: 'W', enabled: false, fields: [field('text', { required: true })] };
  const shape = config([], [workflow]);
  const saved = draftOf(shape);
  assert.deepEqual(checkDraft(shape, saved, saved).problems, {});
  const on = withEnabled(saved, 'w', true);
  assert.deepEqual(Object.keys(checkDraft(shape, on, saved).problems), [fieldKey('text', 'w')]);
  const filled = { ...on, [fieldKey('text', 'w')]: 'x' };
  assert.deepEqual(checkDraft(shape, filled, saved).change.workflows, [
    { id: 'w', enabled: true, fields: { text: 'x' } },
  ]);
});

test('half a map row or condition is refused', () => {
  assert.ok('problem' in readField(field('map_v2'), [{ lhs: 'a', rhs: undefined }]));
  const open = { logic: 'AND', conditions: [{ logic: 'OR', conditions: [{ lhs: 'a', operator: 'eq' }] }] };
  assert.ok('problem' in readField(field('rule_engine'), open));
});

test('fields that hang on another are found through each other, and a circle ends', () => {
  const fields = [
    field('a', { parent: 'c' }),
    field('b', { parent: 'a' }),
    field('c', { parent: 'b' }),
    field('d'),
  ];
  assert.deepEqual(new Set(descendantsOf(fields, 'a').map((f) => f.id)), new Set(['b', 'c']));
});

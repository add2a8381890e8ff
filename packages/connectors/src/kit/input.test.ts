import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { field, type Field } from '#kit/field';
import { parseField, parseInput } from '#kit/input';

const label = 'L';
const read = (one: Field, raw: unknown) => parseField('p', one, raw);

describe('values are read as their field promises', () => {
  const cases: readonly [string, Field, unknown, unknown][] = [
    ['a number as text', field.text({ label }), 7, '7'],
    ['numeric text as a number', field.number({ label }), ' 1e3 ', 1000],
    ['words as booleans', field.boolean({ label }), 'False', false],
    ['a date-time as a date', field.date({ label }), '2026-03-01T23:30:00-02:00', '2026-03-02'],
    ['a date as midnight UTC', field.datetime({ label }), '2026-03-01', '2026-03-01T00:00:00.000Z'],
    ['an offset as UTC', field.datetime({ label }), '2026-03-01T01:00:00+0100', '2026-03-01T00:00:00.000Z'],
    ['Unix seconds', field.datetime({ label }), 1772323200, '2026-03-01T00:00:00.000Z'],
    ['Unix milliseconds in text', field.datetime({ label }), '1772323200000', '2026-03-01T00:00:00.000Z'],
    ['commas as a list', field.list({ label }), 'a, b,,c', ['a', 'b', 'c']],
    ['JSON text as a list', field.list({ label }), '["a","b"]', ['a', 'b']],
    ['one value as a list', field.list({ label }), 5, ['5']],
    ['several choices', field.multiselect({ label, options: ['a', 'b'] }), 'b,a', ['b', 'a']],
    ['JSON text', field.json({ label }), '{"a":[1]}', { a: [1] }],
    ['an empty JSON array', field.json({ label, shape: 'array' }), [], []],
    ['a map of mixed values', field.map({ label }), { a: 1, b: true, c: null }, { a: '1', b: 'true' }],
    ['zero', field.number({ label }), 0, 0],
    ['a missing value with a default', field.number({ label, default: 3 }), '', 3],
    ['a missing optional value', field.text({ label, required: false }), null, undefined],
    ['an empty optional list', field.list({ label, required: false }), [], undefined],
    [
      'a data URL as a file',
      field.file({ label }),
      'data:text/plain;base64,aGk=',
      { name: 'file', contentType: 'text/plain', base64: 'aGk=' },
    ],
    [
      'a URL as a file',
      field.file({ label }),
      'https://x.example/a%20b.mp3?s=1',
      { name: 'a b.mp3', contentType: 'application/octet-stream', url: 'https://x.example/a%20b.mp3?s=1' },
    ],
  ];
  for (const [name, one, raw, expected] of cases) {
    test(name, () => assert.deepEqual(read(one, raw), expected));
  }
});

describe('values that do not fit are refused by name, never quoted', () => {
  const cases: readonly [string, Field, unknown][] = [
    ['text', field.text({ label }), { a: 1 }],
    ['number', field.number({ label }), 'twelve'],
    ['infinite number', field.number({ label }), 'Infinity'],
    ['boolean', field.boolean({ label }), 'perhaps'],
    ['ambiguous date', field.date({ label }), '02/03/2026'],
    ['day that does not exist', field.date({ label }), '2026-02-30'],
    ['hour that does not exist', field.datetime({ label }), '2026-02-03T25:00:00Z'],
    ['e-mail', field.email({ label }), 'not an address'],
    ['e-mail in a list', field.list({ label, of: 'email' }), 'a@b.example, nobody'],
    ['url', field.url({ label }), 'javascript:alert(1)'],
    ['choice', field.select({ label, options: ['a', 'b'] }), 'c'],
    ['json', field.json({ label }), '{'],
    ['json object', field.json({ label, shape: 'object' }), '[]'],
    ['map', field.map({ label }), ['a']],
    ['map of objects', field.map({ label }), { a: {} }],
    ['poisoned map', field.map({ label }), '{"__proto__":"x"}'],
    ['file', field.file({ label }), { name: 'a' }],
  ];
  for (const [name, one, raw] of cases) {
    test(name, () => {
      assert.throws(
        () => read(one, raw),
        (error: Error & { parameter?: string }) => {
          assert.equal(error.name, 'InvalidParameter');
          assert.match(error.parameter ?? '', /^p/);
          return true;
        },
      );
    });
  }
});

test('a required list that is empty is missing', () => {
  assert.throws(() => read(field.list({ label }), ' , '), { name: 'MissingParameter' });
});

test('inherited properties are not parameters', () => {
  const fields = { constructor: field.text({ label, required: false }) };
  assert.deepEqual(Object.entries(parseInput(fields, {})), [['constructor', undefined]]);
});

test('parameters that no field names are left alone', () => {
  assert.deepEqual(parseInput({ a: field.text({ label }) }, { a: 'x', slug: 'y' }), { a: 'x' });
});

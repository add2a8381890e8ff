import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFieldValue } from '#domain/config-field';

const options = [
  { name: 'Zero', value: 0 },
  { name: 'Sales', value: 'sales' },
];
const rule = (lhs: string, operator: string) => ({ lhs, operator, rhs: 'x' });

test('values get their stored form, or a reason', () => {
  const table: [fieldType: string, extra: object, value: unknown, result: unknown][] = [
    ['text', {}, 'a', 'a'],
    ['text', {}, 5, '5'],
    ['text', {}, { a: 1 }, /not a text/],
    ['number', {}, '12.5', 12.5],
    ['number', {}, 0, 0],
    ['number', {}, '1e400', /not a number/],
    ['number', {}, 'abc', /not a number/],
    ['number', {}, true, /not a number/],
    ['date', {}, '2026-02-28', '2026-02-28'],
    ['date', {}, '2026-02-30', /not a date/],
    ['date', {}, '28.02.2026', /not a date/],
    ['email', {}, 'a@b.example', 'a@b.example'],
    ['email', {}, 'a@b', /not an e-mail/],
    ['url', {}, 'https://a.example/x', 'https://a.example/x'],
    ['url', {}, 'javascript:alert(1)', /not an address/],
    ['select', { options }, '0', 0],
    ['select', { options }, 'sales', 'sales'],
    ['select', { options }, 'other', /not among the choices/],
    ['select', {}, 'anything', 'anything'],
    ['select', { options, isMultiple: true }, ['0', 'sales'], [0, 'sales']],
    ['select', { options, isMultiple: true }, 'sales', ['sales']],
    ['select', { options, isMultiple: true }, ['sales', 'x'], /not among/],
    ['json', {}, '{"a": 90071992547409931}', { a: '90071992547409931' }],
    ['json', {}, '{', /not valid JSON/],
    ['json', {}, [1], [1]],
    ['map', { labels: options }, { sales: 'x', 0: ['a'] }, { sales: 'x', 0: ['a'] }],
    ['map', { labels: options }, { other: 'x' }, /"other" is not among/],
    ['map_v2', {}, { a: 'b', c: [1] }, { a: 'b', c: [1] }],
    ['map_v2', {}, { a: { b: 1 } }, /neither a value nor a list/],
    ['map', {}, JSON.parse('{"__proto__": "x"}'), /"__proto__" is not accepted/],
    ['map', {}, 'x', /not a map/],
    [
      'rule_engine',
      {},
      { logic: 'AND', conditions: [rule('a', 'eq')] },
      { logic: 'AND', conditions: [rule('a', 'eq')] },
    ],
    [
      'rule_engine',
      {},
      { logic: 'AND', conditions: [{ logic: 'XOR', conditions: [] }] },
      /neither AND nor OR/,
    ],
    ['rule_engine', {}, { logic: 'OR', conditions: [rule('a', 'rm')] }, /"rm" is not an operator/],
  ];
  for (const [fieldType, extra, value, result] of table) {
    const checked = checkFieldValue({ fieldType, isMultiple: false, ...extra }, value);
    const name = `${fieldType} ${JSON.stringify(value)}`;
    if (result instanceof RegExp) assert.match(checked.ok ? 'accepted' : checked.message, result, name);
    else assert.deepEqual(checked, { ok: true, value: result }, name);
  }
});

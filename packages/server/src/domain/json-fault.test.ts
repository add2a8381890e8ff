import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findJsonFault } from '#domain/json-fault';

test('the place where JSON breaks is told in lines and columns, with what was expected', () => {
  const table: [text: string, line: number, column: number, expected: RegExp][] = [
    ['{"a": 1,\n "b": }', 2, 7, /a value/],
    ['{"a": 1', 1, 8, /"," or "}"/],
    ['{"a" 1}', 1, 6, /":"/],
    ["{'a': 1}", 1, 2, /key in double quotes/],
    ['{"a": 1,}', 1, 9, /key in double quotes/],
    ['[1 2]', 1, 4, /"," or "]"/],
    ['{"a": "x', 1, 9, /closing double quote/],
    ['{"a": "\\x"}', 1, 8, /escape/],
    ['{} x', 1, 4, /end of the text/],
    ['', 1, 1, /a value/],
    ['{"a": 01}', 1, 8, /"," or "}"/],
  ];
  for (const [text, line, column, expected] of table) {
    const fault = findJsonFault(text);
    assert.deepEqual([fault?.line, fault?.column], [line, column], text);
    assert.match(fault?.expected ?? '', expected);
  }
});

test('it agrees with JSON.parse about what is JSON', () => {
  const texts = [
    '{}',
    '[]',
    ' {"a":[1,-0.5e+3,null,true,"\\u00e9\\n"]} ',
    '"x"',
    '1',
    '-',
    '1.',
    '+1',
    '[,]',
    '{"a":1,"a":2}',
    'nul',
    'truex',
    '"\n"',
    '\u00a01',
  ];
  for (const text of texts) {
    let isJson = true;
    try {
      JSON.parse(text);
    } catch {
      isJson = false;
    }
    assert.equal(findJsonFault(text) === undefined, isJson, text);
  }
  assert.ok(findJsonFault('['.repeat(100_000)) !== undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonFaultAt } from './json-fault.ts';
import { readJson, readJsonObject } from './json-text.ts';

const mistakes: readonly (readonly [text: string, words: RegExp, line: number])[] = [
  ['{\n  "name": "Ada",\n  "email": oops\n}', /^Line 3, column 12: “o”/, 3],
  ['{\n  "name": "Ada"', /^Line 2, column 16: the text ends too early/, 2],
  ['{"a": 1,\n}', /^Line 2, column 1: there is a comma/, 2],
  ["{'a': 1}", /^Line 1, column 2: .*double quotes/, 1],
  ['{"a": "one\ntwo"}', /^Line 1, column 11: the line ends inside a text/, 1],
  ['{"a": 01}', /^Line 1, column 8: “1”/, 1],
  ['{"a": "\\x"}', /^Line 1, column 8: “\\”/, 1],
  ['{"a": 1} {', /^Line 1, column 10: “{”/, 1],
];
for (const [text, words, line] of mistakes) {
  test(`the mistake in ${JSON.stringify(text)} is told with its place`, () => {
    const reading = readJson(text);
    assert.match(reading.problem ?? '', words);
    assert.equal(reading.problem !== undefined && reading.line, line);
  });
}

test('what the browser reads has no fault', () => {
  const text = ' {"a": [1, -2.5e+3, true, false, null, "\\u00e9\\n/"], "": {}} \n';
  assert.deepEqual(readJson(text), { value: JSON.parse(text) });
  assert.equal(jsonFaultAt(text), undefined);
});

test('empty text asks for an object', () => {
  assert.match(readJson('  ').problem ?? '', /Enter a JSON object/);
});

test('arrays and plain values are not objects', () => {
  for (const text of ['[]', '1', 'null', '"text"'])
    assert.match(readJsonObject(text).problem ?? '', /must be a JSON object/);
  assert.deepEqual(readJsonObject('{"a": [1]}'), { value: { a: [1] } });
});

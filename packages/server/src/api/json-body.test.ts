import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJsonBody, parseJsonBytes } from '#api/json-body';

const refuses = (text: string, code: string, words: RegExp) =>
  assert.throws(
    () => parseJsonBody(text),
    (error: { code: string; message: string }) => error.code === code && words.test(error.message),
    text.slice(0, 80),
  );

test('an empty body is an empty object', () => {
  assert.deepEqual(parseJsonBody(''), {});
  assert.deepEqual(parseJsonBody(' \r\n'), {});
});

test('keys that reach a prototype are refused with their place, however they are spelt', () => {
  refuses('{"__proto__": {}}', 'forbidden_key', /"__proto__"/);
  refuses('{"a": [{"b": {"__proto__": 1}}]}', 'forbidden_key', /"a\[0\]\.b\.__proto__"/);
  refuses('{"\\u005f_proto__": {}}', 'forbidden_key', /"__proto__"/);
  refuses('{"x": {"constructor": {"prototype": {}}}}', 'forbidden_key', /"x\.constructor\.prototype"/);
});

test('words that only look dangerous pass', () => {
  const harmless = { constructor: 'Ferrari', prototype: 'X-1', note: '__proto__' };
  assert.deepEqual(parseJsonBody(JSON.stringify(harmless)), harmless);
});

test('malformed JSON is told without repeating the body', () => {
  refuses('{"secret": "hunter2", oops}', 'malformed_json', /not valid JSON/);
  assert.throws(
    () => parseJsonBody('{"secret": "hunter2", oops}'),
    (error: Error) => !error.message.includes('hunter2'),
  );
  refuses('hunter2', 'malformed_json', /^(?!.*hunter2)/);
  refuses('[1, 2', 'malformed_json', /position|end/i);
});

test('a body that nests a hundred thousand levels deep is refused', () => {
  refuses('['.repeat(100_000) + ']'.repeat(100_000), 'body_too_deep', /128/);
});

test('text that PostgreSQL cannot store is refused by its place', () => {
  refuses('{"a": {"b": "x\\u0000y"}}', 'invalid_request', /^a\.b: holds a NUL/);
  refuses('{"a": ["\\ud800"]}', 'invalid_request', /^a\[0\]: holds/);
  refuses('{"k\\u0000": 1}', 'invalid_request', /NUL/);
  assert.deepEqual(parseJsonBody('{"a": "\\ud83d\\ude00"}'), { a: '😀' });
});

test('bytes that are not UTF-8 are refused, not replaced', () => {
  const bytes = Buffer.concat([Buffer.from('{"a": "'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]);
  assert.throws(() => parseJsonBytes(bytes), /is not valid JSON: it is not UTF-8/);
  assert.deepEqual(parseJsonBytes(Buffer.from('{"a": "ä☃"}')), { a: 'ä☃' });
});

test('integers beyond 2^53 keep every digit, as text; other numbers stay numbers', () => {
  assert.deepEqual(
    parseJsonBody('{"id": 90071992547409931, "n": [-12345678901234567890, 1.5, 9007199254740991]}'),
    {
      id: '90071992547409931',
      n: ['-12345678901234567890', 1.5, 9007199254740991],
    },
  );
});

test('a number that no double holds is refused by its place', () => {
  refuses('{"a": {"b": 1e400}}', 'invalid_request', /^a\.b: is a number beyond/);
  refuses('[-1E+999]', 'invalid_request', /^\[0\]: is a number/);
  assert.deepEqual(parseJsonBody('[1e-400, 1e300]'), [0, 1e300]);
});

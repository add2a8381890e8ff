import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customOutputProblems, includedBody, readOutputRules } from '#domain/node-output';

test('settings are read from the node or its data; without any, everything is shown and handed on', () => {
  assert.deepEqual(readOutputRules({}, {}), {
    include: undefined,
    encrypt: [],
    isHidden: false,
    isTraced: false,
  });
  const rules = readOutputRules(
    { hide_node_request: true },
    { custom_output: { include: ['a.*.b'], encrypt: ['c', '', 7] }, http_trace: true },
  );
  assert.deepEqual(rules, { include: [['a', '*', 'b']], encrypt: [['c']], isHidden: true, isTraced: true });
});

test('an include list that finds nothing hands on nothing', () => {
  const rules = readOutputRules({}, { custom_output: { include: ['missing.field'] } });
  assert.deepEqual(includedBody(rules, { a: 1 }), {});
  assert.equal(includedBody(rules, 'text'), null);
  assert.equal(includedBody(readOutputRules({}, { custom_output: { include: [] } }), 'text'), 'text');
});

test('what is wrong with a custom output is told with its place', () => {
  assert.deepEqual(customOutputProblems(undefined), []);
  assert.deepEqual(customOutputProblems({ include: ['a'], encrypt: ['b.*'] }), []);
  assert.deepEqual(
    customOutputProblems({ include: 'a', encrypt: ['ok', 'a..b'] }).map(({ path }) => path),
    ['include', 'encrypt[1]'],
  );
  assert.match(customOutputProblems(['a'])[0]?.message ?? '', /"include"/);
});

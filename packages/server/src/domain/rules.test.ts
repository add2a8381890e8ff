import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { evaluateRule, readRule } from '#domain/rules';

const missing = undefined;

describe('operators', () => {
  const table: [left: unknown, operator: string, right: unknown, result: boolean][] = [
    ['5.50', 'eq', '5.5', true],
    ['007', 'eq', '7', false],
    ['1', 'eq', true, false],
    [1, 'eq', true, false],
    [true, 'eq', 'true', true],
    [7, 'eq', '7', true],
    ['90071992547409931', 'eq', '90071992547409932', false],
    ['90071992547409931', 'eq', '90071992547409931.0', true],
    ['1e3', 'eq', 1000, true],
    ['-0', 'eq', 0, true],
    ['abc', 'eq', 'ABC', false],
    [null, 'eq', '', false],
    [['a', 2], 'eq', '2', true],
    [['a', 2], 'eq', 3, false],
    [['a', 2], 'neq', 3, true],
    [[1, 2], 'eq', '[1, 2]', true],
    [{ a: 1, b: [2] }, 'eq', { b: ['2'], a: 1 }, true],
    ['a', 'neq', 'b', true],
    [missing, 'neq', 'b', true],
    ['90071992547409932', 'gt', '90071992547409931', true],
    ['90071992547409931', 'gt', '90071992547409932', false],
    [-2, 'lt', -1, true],
    ['0.1', 'lt', '0.11', true],
    ['10', 'gte', 9, true],
    ['abc', 'gt', 1, false],
    [5, 'lte', 'abc', false],
    ['1e999999999', 'gt', 5, true],
    ['Hello World', 'like', 'hello%', true],
    ['Hello', 'like', 'h_llo', true],
    ['Hello', 'like', 'h_lo', false],
    ['a%b', 'like', '%b', true],
    ['', 'like', '%', true],
    [['a', 'b'], 'contains', 'b', true],
    ['abc', 'contains', 'bc', true],
    [1234, 'contains', 23, true],
    [{ a: 1 }, 'contains', 'a', false],
    ['abc', 'not_contains', 'x', true],
    ['b', 'included_in', ['a', 'b'], true],
    ['b', 'included_in', '["a","b"]', true],
    ['b', 'included_in', 'a, b', true],
    ['c', 'not_included_in', ['a', 'b'], true],
    ['abc', 'starts_with', 'ab', true],
    ['abc', 'end_with', 'bc', true],
    [5, 'greater_or_equal', '5', true],
    [null, 'is_null', missing, true],
    ['', 'is_null', missing, false],
    [missing, 'is_null', missing, false],
    [missing, 'not_null', missing, true],
    [null, 'not_null', missing, false],
    ['', 'exist', missing, false],
    [0, 'exist', missing, true],
    [missing, 'not_exist', missing, true],
    [false, 'not_exist', missing, false],
  ];
  for (const [variable, operator, value, result] of table) {
    test(`${JSON.stringify(variable) ?? 'missing'} ${operator} ${JSON.stringify(value) ?? ''}`, () => {
      assert.equal(
        evaluateRule({ match: 'all', conditions: [{ variable, operator, value }] }).result,
        result,
      );
    });
  }
});

test('all and any combine, groups nest, and every condition is reported', () => {
  const yes = { variable: 1, operator: 'eq', value: 1 };
  const no = { variable: 1, operator: 'eq', value: 2 };
  assert.equal(evaluateRule({ match: 'all', conditions: [yes, no] }).result, false);
  assert.equal(evaluateRule({ match: 'any', conditions: [yes, no] }).result, true);
  assert.equal(
    evaluateRule({ match: 'any', conditions: [no, { match: 'all', conditions: [yes, yes] }] }).result,
    true,
  );
  assert.equal(evaluateRule({ match: 'all', conditions: [] }).result, true);
  assert.equal(evaluateRule({ match: 'any', conditions: [no, yes] }).evaluated.length, 2);
});

test('the shapes of builder, trigger and configuration rules are read', () => {
  const group = readRule({ logic: 'OR', conditions: [{ lhs: 1, operator: 'eq', rhs: 1 }] });
  assert.equal(group.match, 'any');
  assert.equal(evaluateRule(group).result, true);
  assert.equal(readRule([{ variable: null, operator: 'is_null' }]).match, 'all');
  assert.equal(evaluateRule(readRule([{ variable: null, operator: 'is_null' }])).result, true);
});

test('an unknown operator, and a name of the prototype as operator, are refused by name', () => {
  for (const operator of ['matches', 'constructor', '__proto__', 'toString']) {
    assert.throws(
      () => evaluateRule({ match: 'all', conditions: [{ variable: 1, operator, value: 1 }] }),
      new RegExp(`"${operator}" does not exist`),
    );
  }
  assert.throws(() => readRule('x'), /not a list/);
  assert.throws(() => readRule({ rule: 'some', conditions: [] }), /neither "all" nor "any"/);
});

test('a hostile LIKE pattern does not run away', () => {
  const started = performance.now();
  const conditions = [{ variable: 'a'.repeat(20_000), operator: 'like', value: `${'%a'.repeat(500)}b` }];
  assert.equal(evaluateRule({ match: 'all', conditions }).result, false);
  assert.ok(performance.now() - started < 2_000);
});

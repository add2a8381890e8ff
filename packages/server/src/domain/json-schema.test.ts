import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaCompiler } from '#domain/json-schema';

const text = (pattern: string) => ({ properties: { a: { type: 'string', pattern }, b: { pattern: '^b$' } } });

test('a value is checked, and each fault names its place', () => {
  const check = schemaCompiler()({ type: 'object', required: ['id'], properties: { n: { type: 'number' } } });
  assert.deepEqual(check({ id: 1, n: 2 }), []);
  assert.deepEqual(
    check({ n: 'x' }).map(({ instancePath, message }) => [instancePath, message]),
    [
      ['', "must have required property 'id'"],
      ['/n', 'must be number'],
    ],
  );
});

test('a pattern that backtracks for ever elsewhere answers at once', () => {
  const check = schemaCompiler()(text('^(a+)+$'));
  const since = performance.now();
  assert.equal(check({ a: `${'a'.repeat(50_000)}b`, b: 'b' }).length, 1);
  assert.ok(performance.now() - since < 2_000);
  assert.deepEqual(check({ a: 'aaa', b: 'b' }), [], 'two patterns of one schema are not mixed up');
  assert.equal(check({ a: 'aaa', b: 'c' }).length, 1);
});

test('patterns are found anywhere, in the syntax of JavaScript', () => {
  const check = schemaCompiler()(text('\\u00e9\\/\\d{2}'));
  assert.deepEqual(check({ a: 'xé/12y', b: 'b' }), []);
  assert.throws(() => schemaCompiler()(text('(?=a)b')), /./, 'a lookahead is refused, not ignored');
});

test('a schema that refers to itself for ever is a fault of the value, and ends nothing', () => {
  assert.match(schemaCompiler()({ $ref: '#' })({})[0]?.message ?? '', /refers to itself/);
});

test('both ways to write a tuple are read', () => {
  for (const schema of [{ items: [{ type: 'number' }] }, { prefixItems: [{ type: 'number' }] }]) {
    const check = schemaCompiler()(schema);
    assert.deepEqual([check([1]).length, check(['x']).length], [0, 1]);
  }
});

test('a long list is searched for repeated items in linear time', () => {
  const check = schemaCompiler()({ items: { type: 'object' }, uniqueItems: true });
  const list = Array.from({ length: 100_000 }, (_, id) => ({ id }));
  const since = performance.now();
  assert.deepEqual(check(list), []);
  assert.equal(check([...list, { id: 7 }])[0]?.message, 'must not hold the same item twice');
  assert.ok(performance.now() - since < 3_000);
});

const doubled = (depth: number) => ({
  $ref: '#/$defs/a0',
  $defs: Object.fromEntries(
    Array.from({ length: depth }, (_, n) => [
      `a${n}`,
      n === depth - 1
        ? { type: 'object' }
        : { allOf: [{ $ref: `#/$defs/a${n + 1}` }, { $ref: `#/$defs/a${n + 1}` }] },
    ]),
  ),
});

test('references that double at each step end in a fault of the value, not in hours of work', () => {
  assert.deepEqual(schemaCompiler()(doubled(10))({}), [], 'a few are an ordinary schema');
  const since = performance.now();
  for (const value of [{}, 'not an object']) {
    assert.match(schemaCompiler()(doubled(40))(value)[0]?.message ?? '', /too many references/);
  }
  assert.ok(performance.now() - since < 10_000);
});

test('a schema that refers to itself twice is bounded too, whatever the depth of the value', () => {
  const twice = { properties: { a: { $ref: '#' } } };
  const check = schemaCompiler()({ allOf: [twice, twice] });
  const nested = (depth: number): unknown => (depth === 0 ? {} : { a: nested(depth - 1) });
  assert.deepEqual(check(nested(8)), []);
  const since = performance.now();
  assert.match(check(nested(60))[0]?.message ?? '', /too many references/);
  assert.deepEqual(check(nested(8)), [], 'each check counts anew');
  assert.ok(performance.now() - since < 5_000);
});

test('a long list of items by reference is checked whole', () => {
  const check = schemaCompiler()({ items: { $ref: '#/$defs/item' }, $defs: { item: { type: 'integer' } } });
  const list: unknown[] = Array.from({ length: 200_000 }, (_, n) => n);
  assert.deepEqual(check(list), []);
  list[199_999] = 'x';
  assert.deepEqual(
    check(list).map(({ instancePath }) => instancePath),
    ['/199999'],
  );
});

import assert from 'node:assert/strict';
import { createDecipheriv, scryptSync } from 'node:crypto';
import { test } from 'node:test';
import { AppError } from '#domain/errors';
import { findLibraryFunction, functionLibrary, readInputs } from '#functions/index';

const now = new Date('2024-02-29T10:20:30.400Z');

function call(id: string, inputs: Record<string, unknown>): unknown {
  const found = findLibraryFunction(`builtin:${id}`);
  assert.ok(found);
  return found.run(readInputs(found.name, found.inputs, inputs), now);
}

const facts: readonly (readonly [id: string, inputs: Record<string, unknown>, expected: unknown])[] = [
  ['find_element', { array: ['a', { b: 1 }], element: { b: 1 } }, { index: 1 }],
  ['find_element', { array: '["a","b"]', element: 'c' }, { index: -1 }],
  [
    'group_by',
    { array: [{ k: { t: 'x' }, n: 1 }, { k: { t: 'y' } }, { k: { t: 'x' }, n: 2 }, {}], key: 'k.t' },
    {
      groups: {
        x: [
          { k: { t: 'x' }, n: 1 },
          { k: { t: 'x' }, n: 2 },
        ],
        y: [{ k: { t: 'y' } }],
        '': [{}],
      },
    },
  ],
  [
    'encrypt_string',
    { text: 'abc' },
    { encrypted: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' },
  ],
  ['current_date', {}, { date: '2024-02-29T10:20:30.400Z' }],
  ['current_date', { format: 'dd.MM.yyyy' }, { date: '29.02.2024' }],
  ['convert_date_format', { date: '2024-03-31', format: 'MM/dd/yyyy' }, { date: '03/31/2024' }],
  [
    'convert_date_format',
    { date: '31.03.2024', from_format: 'dd.MM.yyyy', format: 'yyyy' },
    { date: '2024' },
  ],
  ['convert_date_format', { date: 1709202030400, format: 'HH:mm' }, { date: '10:20' }],
  [
    'convert_date_format',
    { date: '2024-02-29T01:00:00+02:00', format: 'yyyy-MM-dd HH' },
    { date: '2024-02-28 23' },
  ],
  [
    'extract_date_units',
    { date: '2024-02-29T10:20:30Z' },
    { year: 2024, month: 2, day: 29, hour: 10, minute: 20, second: 30, weekday: 4 },
  ],
  [
    'add_time',
    { date: '2024-01-31', amount: '1', unit: 'months', format: 'yyyy-MM-dd' },
    { date: '2024-02-29' },
  ],
  [
    'add_time',
    { date: '2024-03-31T01:30:00Z', amount: 1, unit: 'hour' },
    { date: '2024-03-31T02:30:00.000Z' },
  ],
  [
    'add_time',
    { date: '2024-02-29', amount: 1, unit: 'years', operation: 'subtract', format: 'yyyy-MM-dd' },
    { date: '2023-02-28' },
  ],
  [
    'math',
    {
      value: '10',
      operations: [
        { operation: 'add', value: 5 },
        { operation: 'multiply', value: '2' },
        { operation: 'subtract', value: 1 },
        { operation: 'modulus', value: 10 },
        { operation: 'divide', value: 2 },
      ],
    },
    { result: 4.5 },
  ],
];

for (const [id, inputs, expected] of facts) {
  test(`${id} of ${JSON.stringify(inputs).slice(0, 70)}`, () => {
    assert.deepEqual(JSON.parse(JSON.stringify(call(id, inputs))), expected);
  });
}

test('text that was encrypted with a password can be read with it, and differs each time', () => {
  const { encrypted } = call('encrypt_string', { text: 'né', password: 'p' }) as { encrypted: string };
  const bytes = Buffer.from(encrypted, 'base64');
  const decipher = createDecipheriv(
    'aes-256-gcm',
    scryptSync('p', bytes.subarray(0, 16), 32),
    bytes.subarray(16, 28),
  );
  decipher.setAuthTag(bytes.subarray(28, 44));
  assert.equal(Buffer.concat([decipher.update(bytes.subarray(44)), decipher.final()]).toString(), 'né');
  assert.notDeepEqual(call('encrypt_string', { text: 'né', password: 'p' }), { encrypted });
});

test('a UUID is new each time', () => {
  const { uuid } = call('uuid', {}) as { uuid: string };
  assert.match(uuid, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  assert.notDeepEqual(call('uuid', {}), { uuid });
});

test('inputs that are missing or of another type are named', () => {
  const refused = (id: string, inputs: Record<string, unknown>, text: RegExp) =>
    assert.throws(
      () => call(id, inputs),
      (e) => e instanceof Error && text.test(e.message),
      `${id} ${String(text)}`,
    );
  refused('find_element', { element: 1 }, /input "array" is missing/);
  refused('find_element', { array: 'abc', element: 1 }, /input "array" takes an array, not "abc"/);
  refused('math', { value: 'x', operations: [] }, /input "value" takes a number, not "x"/);
  refused(
    'math',
    { value: 1, operations: [{ operation: 'power', value: 2 }] },
    /operations\.0\.operation" is "power"/,
  );
  refused('math', { value: 1, operations: [{ operation: 'divide', value: 0 }] }, /divides by zero/);
  refused('math', { value: 1, operations: [{ operation: 'constructor', value: 1 }] }, /choose one of/);
  refused('add_time', { date: 'yesterday', amount: 1, unit: 'days' }, /"date" is "yesterday"/);
  refused('add_time', { date: '2024-01-01', amount: 1, unit: 'moons' }, /"unit" is "moons"/);
  refused('add_time', { date: '2024-01-01', amount: 1e15, unit: 'years' }, /out of the range/);
  refused('convert_date_format', { date: '2024-01-01', format: 'YYYY' }, /"format": /);
  refused('group_by', { array: [{ a: '__proto__' }], key: 'a' }, /"__proto__"/);
});

test('every built-in function says what it takes and gives', () => {
  assert.deepEqual(
    functionLibrary.map(({ id }) => id.replace('builtin:', '')),
    [
      'find_element',
      'group_by',
      'encrypt_string',
      'current_date',
      'convert_date_format',
      'extract_date_units',
      'add_time',
      'uuid',
      'math',
    ],
  );
  for (const { name, inputs, outputs } of functionLibrary) {
    assert.ok(outputs.length > 0 && inputs.every(({ description }) => description !== ''), name);
  }
  assert.throws(
    () => readInputs('x', [{ name: 'a', type: 'object', required: true, description: '' }], { a: '[1]' }),
    AppError,
  );
});

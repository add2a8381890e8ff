import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { builtInNodes } from '#engine/nodes/index';
import { nodeReference } from '#engine/node-reference/node-reference';
import { settingsTable } from '#engine/node-reference/settings-table';

const kept = () => readFile(path.join(import.meta.dirname, '../../../../../docs/nodes.md'), 'utf8');

test('docs/nodes.md says what the program says', async () => {
  assert.equal(await kept(), nodeReference(), 'run "npm run docs" and read the difference');
});

test('every node type says what it gives and how it fails, and one with several effects when it has which', () => {
  for (const { type, reference, effect, fields } of builtInNodes.values()) {
    assert.ok((reference?.output ?? '').length > 10, `${type}: output`);
    assert.ok((reference?.errors ?? '').length > 10, `${type}: errors`);
    assert.equal(reference?.effect !== undefined, typeof effect === 'function', `${type}: effect`);
    for (const [name, { label }] of Object.entries(fields)) assert.ok(label.length > 1, `${type}.${name}`);
  }
  assert.doesNotMatch(nodeReference(), /\bundefined\b|\[object/);
});

test('limits, defaults, words and what is inside a setting come from the schema that is running', () => {
  const { rows, alsoRead } = settingsTable({
    fields: {
      size: { type: 'number', label: 'Size' },
      way: { type: 'text', label: 'Way', required: true },
      list: { type: 'json', label: 'List' },
    },
    settings: z.preprocess(
      (given) => given,
      z
        .looseObject({
          size: z.preprocess((given) => given, z.coerce.number().int().min(1).max(5_000).default(10)),
          way: z
            .string()
            .default('up')
            .transform((text) => text.toLowerCase())
            .pipe(z.enum(['up', 'down'])),
          list: z.array(z.object({ name: z.string().max(20), note: z.string().nullish() })).nullish(),
          older: z.unknown().optional(),
          extra: z.boolean().optional().describe('Not in the form.'),
        })
        .transform(({ size }) => size),
    ),
  });
  assert.deepEqual(
    rows.map((row) => [row.path, row.value, row.isRequired, row.default, row.meaning]),
    [
      ['size', 'whole number from 1 to 5,000', false, 10, 'Size.'],
      ['way', '`up`, `down`', true, 'up', 'Way.'],
      ['list', 'list of objects', false, undefined, 'List.'],
      ['list[].name', 'text, at most 20 characters', true, undefined, ''],
      ['list[].note', 'text', false, undefined, ''],
      ['extra', 'true or false', false, undefined, 'Not in the form.'],
    ],
  );
  assert.deepEqual(alsoRead, ['older']);
});

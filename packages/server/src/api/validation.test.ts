import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { problemsOf } from '#api/validation';

function problems(schema: z.ZodType, value: unknown): string[] {
  const { error } = schema.safeParse(value);
  return (error?.issues ?? [])
    .flatMap((issue) => problemsOf(issue))
    .map(({ path, message }) => `${path}: ${message}`);
}

test('a missing field is required, a field of a wrong type is told what it must be', () => {
  const schema = z.object({ name: z.string(), tags: z.array(z.string()) });
  assert.deepEqual(problems(schema, { tags: 'x' }), [
    'name: is required',
    'tags: expected array, received string',
  ]);
  assert.deepEqual(problems(schema, null), [': expected object, received null']);
});

test('of several forms the one that fits best tells what is wrong', () => {
  const primitive = z.union([z.string(), z.number()]);
  const schema = z.object({
    udf: z.union([z.record(z.string(), primitive), z.array(z.object({ key_name: z.string() }))]),
  });
  assert.deepEqual(problems(schema, { udf: { plan: { tier: 1 } } }), [
    'udf.plan: expected string or number, received object',
  ]);
  assert.deepEqual(problems(schema, { udf: [{}] }), ['udf.0.key_name: is required']);
  assert.deepEqual(problems(schema, { udf: 'x' }), ['udf: expected record or array, received string']);
});

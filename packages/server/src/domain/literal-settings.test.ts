import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { literalSettingProblems } from '#domain/literal-settings';

const settings = z.preprocess(
  (given) => given,
  z
    .looseObject({
      url: z.string().optional(),
      size: z.coerce.number().max(5, 'is at most 5').optional(),
      pages: z.looseObject({ type: z.enum(['a', 'b'], { error: 'use a or b' }) }).optional(),
      code: z.string().max(40, 'is too long').optional(),
      body: z.unknown().optional(),
    })
    .superRefine(({ url, body }, ctx) => {
      if (url === undefined && body === undefined)
        ctx.addIssue({ code: 'custom', path: ['url'], message: 'give a url or a body' });
    })
    .transform(({ url }) => url),
);
const problems = (data: Record<string, unknown>) =>
  literalSettingProblems(data, { settings, literal: ['code'], inside: ['later'] }).map(
    ({ path, message }) => `${path.join('.')} ${message}`,
  );

test('settings without any template are judged whole, also by rules about several of them', () => {
  assert.deepEqual(problems({ size: 3 }), ['url give a url or a body']);
  assert.deepEqual(problems({ url: 'x', size: '3', pages: { type: 'c' } }), ['pages.type use a or b']);
  assert.deepEqual(problems({ url: 'x', code: '{{ this is source text }}' }), []);
  assert.deepEqual(problems({ url: 'x', later: '{{node.5.body}}', size: 9 }), ['size is at most 5']);
});

test('beside a template only what stands for itself is judged: the rest waits for the run', () => {
  assert.deepEqual(problems({ body: '{{event.body}}', size: 3 }), []);
  assert.deepEqual(problems({ body: { a: ['{{event.body}}'] }, size: 9, pages: { type: 'c' } }), [
    'size is at most 5',
    'pages.type use a or b',
  ]);
  assert.deepEqual(problems({ size: '{{event.size}}', pages: { type: '{{event.type}}' } }), []);
});

test('a node type without a schema has no problems, and broken braces are told elsewhere', () => {
  assert.deepEqual(literalSettingProblems({ size: 9 }, {}), []);
  assert.deepEqual(problems({ body: '{{ 1 + 1 }}', size: 1 }), []);
});

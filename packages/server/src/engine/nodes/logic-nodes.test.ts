import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeServices } from '#engine/node-services';
import { customCode } from '#engine/nodes/custom-code';
import type { NodeContext } from '#engine/nodes/node-type';
import { rule } from '#engine/nodes/rule';
import { transform } from '#engine/nodes/transform';

interface Calls {
  lines: string[];
  asked: unknown[];
}

function context(calls: Calls = { lines: [], asked: [] }): NodeContext {
  return {
    tenant: { orgId: 'o', environment: 'test' },
    linkedAccount: { id: 'l', accountId: 'a' },
    configId: 'a',
    appSlug: undefined,
    executionId: 'e',
    nodeId: '2',
    batch: '',
    firstBatch: '',
    predecessors: () => [],
    mode: 'async',
    attempt: 1,
    idempotencyKey: 'e:2:0',
    now: new Date(0),
    begunAt: new Date(0),
    signal: new AbortController().signal,
    variables: { read: () => ({}), set: () => undefined },
    page: (_index, read) => read(),
    trace: undefined,
    caught: undefined,
    mask: (value) => ({ shown: value, trueParts: [], words: [] }),
    learnSecret: () => undefined,
    log: (level, text) => void calls.lines.push(`${level} ${text}`),
    // What these nodes use; anything else is a fault of the test.
    services: {
      runCode: ({ code, params }) => {
        calls.asked.push({ code, params });
        return Promise.resolve({ output: { ok: 1 }, console: [{ level: 'warn', text: 'careful' }] });
      },
      runJsonata: ({ expression, input }) => {
        calls.asked.push({ expression, input });
        return Promise.resolve('result');
      },
    } as Partial<NodeServices> as NodeServices,
  };
}

test('a rule goes on by true or by false and shows what it compared', async () => {
  const conditions = [{ variable: 5, operator: 'gt', value: '3' }];
  const outcome = await rule.run(rule.settings.parse({ conditions }), context());
  assert.deepEqual(outcome, {
    kind: 'done',
    port: 'true',
    body: {
      condition_result: true,
      evaluated_conditions: [{ variable: 5, operator: 'gt', value: '3', result: true }],
      execution_path: 'true',
    },
  });
  const either = { rule: 'Any', conditions: [...conditions, { variable: 1, operator: 'eq', value: 2 }] };
  const none = { match: 'all', conditions: either.conditions };
  assert.equal(((await rule.run(rule.settings.parse(either), context())) as { port: string }).port, 'true');
  assert.equal(((await rule.run(rule.settings.parse(none), context())) as { port: string }).port, 'false');
});

test('a transform gives the result bare, and under "output" for queries in the older form', async () => {
  const calls: Calls = { lines: [], asked: [] };
  const run = (given: unknown) => transform.run(transform.settings.parse(given), context(calls));
  assert.deepEqual(await run({ query: '$sum(a)', input: '{"a": [1]}' }), {
    kind: 'done',
    port: 'next',
    body: 'result',
  });
  assert.deepEqual(await run({ query: '{"output": "$sum(a)"}', input: [1] }), {
    kind: 'done',
    port: 'next',
    body: { output: 'result' },
  });
  assert.deepEqual(calls.asked, [
    { expression: '$sum(a)', input: { a: [1] } },
    { expression: '$sum(a)', input: [1] },
  ]);
  assert.equal(transform.settings.safeParse({ input: {} }).error?.issues[0]?.path[0], 'query');
});

test('code gets its parameters from a map or a list, and its console goes to the log', async () => {
  const calls: Calls = { lines: [], asked: [] };
  const run = (given: unknown) => customCode.run(customCode.settings.parse(given), context(calls));
  assert.deepEqual(await run({ code: 'x', params: { a: 1 } }), {
    kind: 'done',
    port: 'next',
    body: { ok: 1 },
  });
  await run({
    code: 'x',
    parameters: [
      { key: 'a', value: 1 },
      { key: '__proto__', value: 2 },
    ],
  });
  assert.deepEqual(calls.asked, [
    { code: 'x', params: { a: 1 } },
    { code: 'x', params: { a: 1 } },
  ]);
  assert.deepEqual(calls.lines, ['warn careful', 'warn careful']);
  assert.match(
    customCode.settings.safeParse({ code: 'x', language: 'ruby' }).error?.message ?? '',
    /choose \\"javascript\\" or \\"python\\"/,
  );
});

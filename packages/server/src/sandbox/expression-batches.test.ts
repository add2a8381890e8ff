import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expressionBatches, type ExpressionTerms } from '#sandbox/expression-batches';
import type { ProcessRun, RunOutcome } from '#sandbox/process';

const terms: ExpressionTerms = { room: 'a/test', timeoutMs: 10_000, tenant: undefined, signal: undefined };
const run = (source: string): ProcessRun => ({ source, input: '{}' });

/** Sends that the test answers; a batch with the expression `endless` is ended by its limit. */
function recorder() {
  const sent: string[][] = [];
  const send = async (runs: readonly ProcessRun[], { signal }: ExpressionTerms): Promise<RunOutcome[]> => {
    sent.push(runs.map(({ source }) => source));
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    if (runs.some(({ source }) => source === 'endless')) throw new Error('time is up');
    return runs.map(({ source }) => ({ result: source.toUpperCase() }));
  };
  return { sent, send };
}

test('expressions that wait for the same process go to it together, and each gets its own answer', async () => {
  const { sent, send } = recorder();
  const batches = expressionBatches(send, 1);
  const answers = await Promise.all(['a', 'b', 'c'].map((one) => batches.evaluate(run(one), terms)));
  assert.deepEqual(answers, [{ result: 'A' }, { result: 'B' }, { result: 'C' }]);
  assert.deepEqual(sent, [['a', 'b', 'c']]);
});

test('those of two rooms never go together, and one without a room goes alone', async () => {
  const { sent, send } = recorder();
  const batches = expressionBatches(send, 1);
  const rooms = ['a/test', 'b/test', undefined, undefined];
  await Promise.all(rooms.map((room, n) => batches.evaluate(run(`${n}`), { ...terms, room })));
  assert.deepEqual(
    sent.map((one) => one.length),
    [1, 1, 1, 1],
  );
});

test('one that breaks a limit fails alone: its neighbours are evaluated again', async () => {
  const { sent, send } = recorder();
  const batches = expressionBatches(send, 1);
  const ended = await Promise.allSettled(
    ['a', 'endless', 'c'].map((one) => batches.evaluate(run(one), terms)),
  );
  assert.deepEqual(ended[0], { status: 'fulfilled', value: { result: 'A' } });
  assert.equal(ended[1]?.status, 'rejected');
  assert.deepEqual(ended[2], { status: 'fulfilled', value: { result: 'C' } });
  assert.deepEqual(sent, [['a', 'endless', 'c'], ['a'], ['endless'], ['c']]);
});

test('one that is stopped is not evaluated any longer, and the others of its batch are', async () => {
  const { send } = recorder();
  const batches = expressionBatches(send, 1);
  const stop = new AbortController();
  const stopped = assert.rejects(
    batches.evaluate(run('a'), { ...terms, signal: stop.signal }),
    /stopped by hand/,
  );
  const other = batches.evaluate(run('b'), terms);
  setImmediate(() => stop.abort(new Error('stopped by hand')));
  assert.deepEqual(await other, { result: 'B' });
  await stopped;
});

test('a batch is bounded in number and in size', async () => {
  const { sent, send } = recorder();
  const batches = expressionBatches(send, 1);
  const large = { source: '$', input: 'x'.repeat(200_000) };
  await Promise.all([
    ...Array.from({ length: 40 }, (_, n) => batches.evaluate(run(`${n}`), terms)),
    batches.evaluate(large, terms),
    batches.evaluate(large, terms),
  ]);
  assert.deepEqual(
    sent.map((one) => one.length),
    [32, 9, 1],
  );
});

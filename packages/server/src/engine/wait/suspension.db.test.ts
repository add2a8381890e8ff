import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { nodeRegistry, responseOf } from '#engine/index';
import { delay } from '#engine/nodes/delay';
import { done, failed, nodeType, suspended } from '#engine/nodes/node-type';
import { response } from '#engine/nodes/response';
import { start } from '#engine/nodes/start';
import { assertNoWaitLeft, openTestEngine, scriptedNode, type TestEngine } from '#engine/testing';

const dayMs = 86_400_000;
let bench: TestEngine;
const { act, acts } = scriptedNode();

/** Waits for its token, which is the execution's id and what its settings say. */
const gate = nodeType({
  type: 'gate',
  label: 'Gate',
  group: 'control',
  help: 'Waits for a token.',
  effect: 'none',
  fields: {},
  settings: z.object({ token: z.string().default(''), days: z.number().optional() }),
  run: ({ token, days }, { executionId, now }) =>
    suspended({
      reason: 'webhook',
      token: executionId + token,
      state: { asked: token },
      ...(days === undefined ? {} : { dueAt: new Date(now.getTime() + days * dayMs) }),
    }),
  resume: (_settings, _ctx, { by, state, payload }) => done({ by, state, payload }),
});

before(async () => {
  bench = await openTestEngine({ registry: nodeRegistry([start, response, delay, act, gate]) });
});
after(() => bench.close());

const answer = (template: string) => ({ data: template });

test('a token resumes its execution once, with what came with it', async () => {
  const workflow = await bench.publish(
    [
      ['2', 'gate', { token: '!' }],
      ['3', 'response', answer('{{node.2.body}}')],
    ],
    [
      ['1', '2'],
      ['2', '3'],
    ],
  );
  const id = await bench.start(workflow);
  await bench.reached(id, 'waiting');
  assert.equal(await bench.engine.resume('wrong', {}), undefined);
  assert.equal(await bench.state(id), 'waiting');
  const resumes = await Promise.all([1, 2, 3].map((n) => bench.engine.resume(`${id}!`, { n })));
  assert.equal(resumes.filter((resumed) => resumed !== undefined).length, 1, 'the first presenter wins');
  const detail = await bench.ended(id);
  assert.equal(detail.header.state, 'completed');
  const first = resumes.findIndex((resumed) => resumed !== undefined) + 1;
  assert.deepEqual(responseOf(detail), { by: 'token', state: { asked: '!' }, payload: { n: first } });
  assert.equal(await bench.engine.resume(`${id}!`, {}), undefined);
  await assertNoWaitLeft(bench.database.pool, id);
});

test('a resume that races with the suspension is never lost, in 60 rounds', async () => {
  // The token is presented from before the wait exists until somebody takes it: at every point of the suspension.
  const workflow = await bench.publish([['2', 'gate']], [['1', '2']]);
  const other = await bench.another();
  const ids = await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      const id = await bench.start(workflow);
      while ((await (n % 2 === 0 ? bench.engine : other).resume(id, n)) === undefined);
      return id;
    }),
  );
  const details = await Promise.all(ids.map((id) => bench.ended(id)));
  assert.deepEqual(new Set(details.map(({ header }) => header.state)), new Set(['completed']));
  assert.deepEqual(
    details.map(({ nodes }) => (nodes[1]!.output as { payload: number }).payload),
    details.map((_, n) => n),
  );
});

test('a wake between any two steps of the suspension brings the execution back', async () => {
  // The steps: nothing yet, wait written, run gone. Each is held with a lock while the token is presented.
  const workflow = await bench.publish([['2', 'gate']], [['1', '2']]);
  const { pool } = bench.database;
  for (let round = 0; round < 10; round += 1) {
    const id = await bench.start(workflow);
    const waits = async () =>
      (await pool.query('select from wait where execution_id = $1', [id])).rowCount === 1;
    while (!(await waits())) await new Promise((resolve) => setImmediate(resolve));
    const holder = await pool.connect();
    await holder.query('begin');
    // Whoever suspends or queues it stands here now.
    await holder.query('select from execution where id = $1 for update', [id]);
    assert.notEqual(await bench.engine.resume(id, round), undefined, 'presenting a token waits for nobody');
    await holder.query('commit');
    holder.release();
    assert.equal((await bench.ended(id)).header.state, 'completed');
  }
});

test('a branch that waits does not hold up the others, and goes on beside them', async () => {
  const busy = Promise.withResolvers<void>();
  acts.set('busy', async () => {
    await busy.promise;
    return done('was busy');
  });
  acts.set('after the gate', () => {
    busy.resolve();
    return done('through');
  });
  const workflow = await bench.publish(
    [
      ['2', 'gate'],
      ['3', 'act', { name: 'after the gate' }],
      ['4', 'act', { name: 'busy' }],
    ],
    [
      ['1', '2'],
      ['2', '3'],
      ['1', '4'],
    ],
  );
  const id = await bench.start(workflow);
  while ((await bench.engine.resume(id, null)) === undefined)
    await new Promise((resolve) => setImmediate(resolve));
  // `busy` ends only when the branch behind the gate has gone on: while the run is in memory.
  const detail = await bench.ended(id);
  assert.deepEqual(detail.nodes.map((node) => `${node.nodeId} ${node.status}`).sort(), [
    '1 success',
    '2 success',
    '3 success',
    '4 success',
  ]);
});

test('two waits of one execution are woken apart, and each node runs once', async () => {
  let count = 0;
  acts.set('count', () => done((count += 1)));
  const workflow = await bench.publish(
    [
      ['2', 'act', { name: 'count' }],
      ['3', 'gate', { token: 'a' }],
      ['4', 'gate', { token: 'b' }],
    ],
    [
      ['1', '2'],
      ['2', '3'],
      ['2', '4'],
    ],
  );
  const id = await bench.start(workflow);
  await bench.reached(id, 'waiting');
  assert.ok(await bench.engine.resume(`${id}b`, 'B'));
  const waiting = async () =>
    (await bench.database.pool.query('select node_id from wait where execution_id = $1', [id])).rows;
  while ((await waiting()).length !== 1 || (await bench.state(id)) !== 'waiting') {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await waiting(), [{ node_id: '3' }]);
  assert.ok(await bench.engine.resume(`${id}a`, 'A'));
  const detail = await bench.ended(id);
  assert.equal(count, 1);
  assert.deepEqual(
    detail.nodes.slice(2).map((node) => (node.output as { payload: string }).payload),
    ['A', 'B'],
  );
});

test('a delay of 30 days is over in 30 days, and the time does not count to the timeout', async () => {
  const workflow = await bench.publish(
    [
      ['2', 'delay', { action: 'wait_for', days: 30 }],
      ['3', 'response', answer('{{node.2.body}}')],
    ],
    [
      ['1', '2'],
      ['2', '3'],
    ],
    { settings: { timeout: 60 } },
  );
  const id = await bench.start(workflow);
  await bench.reached(id, 'waiting');
  assert.equal((await bench.engine.read(bench.tenant, id)).nodes[1]?.status, 'running');
  bench.clock.advance(29 * dayMs);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(await bench.state(id), 'waiting');
  bench.clock.advance(dayMs + 1_000);
  const detail = await bench.ended(id);
  assert.equal(detail.header.state, 'completed');
  assert.equal(responseOf(detail), `Waited for ${30 * 86_400} seconds.`);
});

test('whatever waits without a limit of its own is woken after 30 days', async () => {
  const workflow = await bench.publish([['2', 'gate', { days: 400 }]], [['1', '2']]);
  const id = await bench.start(workflow);
  await bench.reached(id, 'waiting');
  bench.clock.advance(30 * dayMs + 1_000);
  const detail = await bench.ended(id);
  assert.equal((detail.nodes[1]!.output as { by: string }).by, 'due');
});

test('a token comes too late when the time was up first', async () => {
  const workflow = await bench.publish([['2', 'gate', { days: 1 }]], [['1', '2']]);
  const id = await bench.start(workflow);
  await bench.reached(id, 'waiting');
  bench.clock.advance(dayMs + 1);
  assert.equal(await bench.engine.resume(id, 'late'), undefined);
  assert.equal(((await bench.ended(id)).nodes[1]!.output as { by: string }).by, 'due');
});

test('a failure in another branch ends the execution without waiting for those that wait', async () => {
  acts.set('refuse', () => failed({ message: 'No.', retry: 'never' }));
  const workflow = await bench.publish(
    [
      ['2', 'gate'],
      ['3', 'act', { name: 'refuse' }],
    ],
    [
      ['1', '2'],
      ['1', '3'],
    ],
  );
  const id = await bench.start(workflow);
  const detail = await bench.ended(id);
  assert.equal(detail.header.state, 'errored');
  assert.equal(await bench.engine.resume(id, null), undefined);
});

test('a stop of a suspended execution ends it at once, and its token is worth nothing', async () => {
  const workflow = await bench.publish([['2', 'gate']], [['1', '2']]);
  const id = await bench.start(workflow);
  await bench.reached(id, 'waiting');
  await bench.engine.stop(bench.tenant, id);
  assert.equal(await bench.state(id), 'stopped');
  assert.equal(await bench.engine.resume(id, null), undefined);
});

test('a sync call that suspends answers with the id; one with a delay does not wait', async () => {
  const gated = await bench.publish([['2', 'gate']], [['1', '2']]);
  const suspendedAnswer = await bench.engine.runSync(bench.tenant, {
    ...bench.inputFor(gated),
    timeoutMs: 20_000,
  });
  assert.equal(suspendedAnswer.isFinished, false);
  assert.ok(await bench.engine.resume(suspendedAnswer.executionId, null));
  assert.equal((await bench.ended(suspendedAnswer.executionId)).header.state, 'completed');

  const delayed = await bench.publish(
    [
      ['2', 'delay', { action: 'wait_for', days: 1 }],
      ['3', 'response', answer('{{node.2.body}}')],
    ],
    [
      ['1', '2'],
      ['2', '3'],
    ],
  );
  const at = await bench.engine.runSync(bench.tenant, { ...bench.inputFor(delayed), timeoutMs: 20_000 });
  assert.match(String(at.returnValue), /^Waited for 0 seconds/);
});

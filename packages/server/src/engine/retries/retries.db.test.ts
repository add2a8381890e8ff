import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { z } from 'zod';
import { builtInNodes, nodeRegistry } from '#engine/nodes/index';
import { done, failed, nodeType } from '#engine/nodes/node-type';
import { countUsage, readUsage } from '#db/usage';
import { openTestEngine, type TestEdge, type TestEngine, type TestNode } from '#engine/testing';

let engine: TestEngine;
/** How often each place called out, by idempotency key. */
const calls = new Map<string, number>();
/** Names of nodes, alone or with a value (`pay:3`), that fail as long as they stand here. */
const broken = new Set<string>();

const settings = z.looseObject({ name: z.string(), value: z.unknown().optional() });
const act = nodeType<z.infer<typeof settings>>({
  type: 'act',
  label: 'Act',
  group: 'app',
  help: 'Calls a world that may be broken.',
  effect: 'once',
  fields: {},
  settings,
  run({ name, value }, { idempotencyKey }) {
    calls.set(idempotencyKey, (calls.get(idempotencyKey) ?? 0) + 1);
    return broken.has(name) || broken.has(`${name}:${String(value)}`)
      ? failed({ message: `${name} is broken for ${String(value)}`, retry: 'never' })
      : done({ name, value });
  },
});
/** The same without an effect: iterations of it leave no rows of their nodes. */
const pure = nodeType<z.infer<typeof settings>>({ ...act, type: 'pure', effect: 'none' });

before(async () => {
  engine = await openTestEngine({
    registry: nodeRegistry([...builtInNodes.values(), act, pure]),
  });
});
after(() => engine.close());
beforeEach(() => {
  calls.clear();
  broken.clear();
});

const failure = { from: 'failure' } as const;

async function ran(nodes: readonly TestNode[], edges: readonly TestEdge[], payload: unknown = {}) {
  return engine.ended(await engine.start(await engine.publish(nodes, edges), payload));
}

async function retried(executionId: string, how: Parameters<TestEngine['engine']['retry']>[2] = failure) {
  return engine.ended((await engine.engine.retry(engine.tenant, executionId, how)).executionId);
}

/** Calls by place, such as `3:2:7`, of executions that share their keys with the first one. */
function callsOf(executionId: string): Record<string, number> {
  return Object.fromEntries(
    [...calls].flatMap(([key, count]) => {
      assert.ok(key.startsWith(`${executionId}:`), `${key} bears the key of the first execution`);
      return [[key.slice(executionId.length + 1), count]];
    }),
  );
}

describe('a retry from failure', () => {
  test('keeps every node that finished, runs the failed one and what follows, with the same idempotency keys', async () => {
    broken.add('pay');
    const first = await ran(
      [
        ['2', 'act', { name: 'order', value: '{{event.no}}' }],
        ['3', 'act', { name: 'pay', value: '{{node.2.body.value}}' }],
        ['4', 'act', { name: 'mail', value: '{{node.3.body.value}}' }],
      ],
      [
        ['1', '2'],
        ['2', '3'],
        ['3', '4'],
      ],
      { no: 7 },
    );
    assert.equal(first.header.state, 'errored');
    const again = await retried(first.header.id);
    assert.equal(again.header.state, 'errored', 'the world is still broken');
    broken.clear();
    const last = await retried(again.header.id);
    assert.equal(last.header.state, 'completed');
    assert.deepEqual(
      last.nodes.map(({ nodeId, status }) => [nodeId, status]),
      [
        ['1', 'success'],
        ['2', 'success'],
        ['3', 'success'],
        ['4', 'success'],
      ],
    );
    assert.deepEqual(last.nodes.at(-1)?.output, { name: 'mail', value: 7 });
    assert.deepEqual(callsOf(first.header.id), { '2:0': 1, '3:0': 3, '4:0': 1 });
    assert.equal(last.header.retryOf, again.header.id);
    assert.equal((await engine.engine.read(engine.tenant, first.header.id)).header.state, 'errored');
  });

  test('of a loop over 10,000 items of which 3 failed runs these 3', async () => {
    for (const item of [17, 5_000, 9_999]) broken.add(`push:${item}`);
    const items = Array.from({ length: 10_000 }, (_, at) => at);
    const first = await ran(
      [
        ['2', 'loop', { fanout_array: '{{event.items}}', output_data: '{{node.3.body.value}}' }],
        ['3', 'pure', { name: 'push', value: '{{array_item}}' }, { parent_id: '2' }],
        ['4', 'act', { name: 'sum', value: '{{node.2.body.successful_iterations}}' }],
      ],
      [
        ['1', '2'],
        ['2', '4'],
      ],
      { items },
    );
    assert.equal(first.header.state, 'errored');
    calls.clear();
    broken.clear();
    const last = await retried(first.header.id);
    assert.equal(last.header.state, 'completed');
    assert.deepEqual(callsOf(first.header.id), { '3:2:17': 1, '3:2:5000': 1, '3:2:9999': 1, '4:0': 1 });
    assert.deepEqual(last.nodes.at(-1)?.output, { name: 'sum', value: 10_000 });
    const { total } = await engine.engine.listBatches(
      engine.tenant,
      { executionId: last.header.id, nodeId: '2' },
      { offset: 0, limit: 1, status: 'success' },
    );
    assert.equal(total, 10_000);
  });

  test('keeps nodes that finished inside an iteration that failed', async () => {
    broken.add('second:b');
    const first = await ran(
      [
        ['2', 'loop', { fanout_array: ['a', 'b'] }],
        ['3', 'act', { name: 'first', value: '{{array_item}}' }, { parent_id: '2' }],
        ['4', 'act', { name: 'second', value: '{{node.3.body.value}}' }, { parent_id: '2' }],
      ],
      [
        ['1', '2'],
        ['3', '4'],
      ],
    );
    broken.clear();
    const last = await retried(first.header.id);
    assert.equal(last.header.state, 'completed');
    assert.deepEqual(callsOf(first.header.id), { '3:2:0': 1, '3:2:1': 1, '4:2:0': 1, '4:2:1': 2 });
  });

  test('leaves alone what was skipped or caught: that was dealt with', async () => {
    for (const name of ['skipped', 'tried', 'last']) broken.add(name);
    const first = await ran(
      [
        ['2', 'act', { name: 'skipped' }, { skip_on_error: true }],
        ['3', 'try_catch'],
        ['4', 'act', { name: 'tried' }, { parent_id: '3' }],
        ['5', 'act', { name: 'caught' }, { parent_id: '3' }],
        ['6', 'act', { name: 'last' }],
      ],
      [
        ['1', '2'],
        ['2', '3'],
        ['3', '4', 'try'],
        ['3', '5', 'catch'],
        ['3', '6'],
      ],
    );
    broken.clear();
    const last = await retried(first.header.id);
    assert.equal(last.header.state, 'completed');
    assert.deepEqual(callsOf(first.header.id), { '2:0': 1, '4:3:0': 1, '5:3:0': 1, '6:0': 2 });
    assert.equal(last.nodes.find(({ nodeId }) => nodeId === '2')?.status, 'errored_and_skipped');
  });

  test('goes on in the catch where the catch failed, and in the try where nobody catches', async () => {
    for (const name of ['tried', 'alert']) broken.add(name);
    const nodes: TestNode[] = [
      ['2', 'try_catch'],
      ['3', 'act', { name: 'before' }, { parent_id: '2' }],
      ['4', 'act', { name: 'tried' }, { parent_id: '2' }],
    ];
    const edges: TestEdge[] = [
      ['1', '2'],
      ['2', '3', 'try'],
      ['3', '4'],
    ];
    const caught = await ran(
      [...nodes, ['5', 'act', { name: 'alert' }, { parent_id: '2' }]],
      [...edges, ['2', '5', 'catch']],
    );
    broken.clear();
    assert.equal((await retried(caught.header.id)).header.state, 'completed');
    assert.deepEqual(callsOf(caught.header.id), { '3:2:0': 1, '4:2:0': 1, '5:2:0': 2 });

    calls.clear();
    broken.add('tried');
    const bare = await ran(nodes, edges);
    assert.equal(bare.header.state, 'errored');
    broken.clear();
    assert.equal((await retried(bare.header.id)).header.state, 'completed');
    assert.deepEqual(callsOf(bare.header.id), { '3:2:0': 1, '4:2:0': 2 });
  });

  test('does not start a sub-flow again that succeeded, and goes on in one that failed', async () => {
    const child = await engine.publish(
      [
        ['2', 'act', { name: 'half', value: '{{event.x}}' }],
        ['3', 'act', { name: 'rest', value: '{{event.x}}' }],
      ],
      [
        ['1', '2'],
        ['2', '3'],
      ],
    );
    const subFlow = (x: number, after: string): [TestNode, TestEdge] => [
      [String(x), 'sub_flow', { workflow: child, payload: { x }, wait_for_completion: true }],
      [after, String(x)],
    ];
    broken.add('rest:3');
    const [two, toTwo] = subFlow(2, '1');
    const [three, toThree] = subFlow(3, '2');
    const first = await ran([two, three], [toTwo, toThree]);
    assert.equal(first.header.state, 'errored');
    broken.clear();
    const last = await retried(first.header.id);
    assert.equal(last.header.state, 'completed', last.header.errorText ?? '');
    const { rows } = await engine.database.pool.query<{ id: string; retry_of: string | null }>(
      `select id, retry_of from execution where workflow_id = $1 order by id`,
      [child],
    );
    assert.equal(rows.length, 3, 'one child each, and the retry of the second');
    assert.equal(rows[2]?.retry_of, rows[1]?.id);
    assert.deepEqual(
      [...calls].map(([key, count]) => [key.slice(25), count]),
      [
        ['2:0', 1],
        ['3:0', 1],
        ['2:0', 1],
        ['3:0', 2],
      ],
    );
  });

  test('takes up an execution that was stopped while it waited', async () => {
    const workflow = await engine.publish(
      [
        ['2', 'act', { name: 'before' }],
        ['3', 'delay', { action: 'wait_for', minutes: 5 }],
        ['4', 'act', { name: 'after' }],
      ],
      [
        ['1', '2'],
        ['2', '3'],
        ['3', '4'],
      ],
    );
    const id = await engine.start(workflow);
    await engine.reached(id, 'waiting');
    await engine.engine.stop(engine.tenant, id);
    await engine.ended(id);
    const { executionId } = await engine.engine.retry(engine.tenant, id, failure);
    await engine.reached(executionId, 'waiting');
    engine.clock.advance(6 * 60_000);
    engine.engine.wake();
    assert.equal((await engine.ended(executionId)).header.state, 'completed');
    assert.deepEqual(callsOf(id), { '2:0': 1, '4:0': 1 });
  });

  test('is made once a request, however often the request comes', async () => {
    broken.add('pay');
    const first = await ran([['2', 'act', { name: 'pay' }]], [['1', '2']]);
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        engine.engine.retry(engine.tenant, first.header.id, { ...failure, requestId: 'r-1' }),
      ),
    );
    assert.equal(new Set(answers.map(({ executionId }) => executionId)).size, 1);
    assert.equal(answers.filter(({ isNew }) => isNew).length, 1);
    const other = await engine.engine.retry(engine.tenant, first.header.id, { ...failure, requestId: 'r-2' });
    assert.notEqual(other.executionId, answers[0]?.executionId);
  });

  test('is refused where nothing failed, where it still runs, and for what is not there', async () => {
    const good = await ran([['2', 'act', { name: 'fine' }]], [['1', '2']]);
    const retry = (id: string, how: Parameters<typeof engine.engine.retry>[2] = failure) =>
      engine.engine.retry(engine.tenant, id, how);
    await assert.rejects(retry(good.header.id), /nothing of it failed/);
    await assert.rejects(retry('0'.repeat(24)), { code: 'execution_not_found' });
    await assert.rejects(retry(good.header.id, { from: 'node', nodeId: '9' }), {
      code: 'execution_node_not_found',
    });
    const waiting = await engine.start(
      await engine.publish([['2', 'delay', { action: 'wait_for', days: 1 }]], [['1', '2']]),
    );
    await engine.reached(waiting, 'waiting');
    await assert.rejects(retry(waiting), /it can be retried when it has ended/);
    await engine.engine.stop(engine.tenant, waiting);
    const stranger = { orgId: 'b'.repeat(24), environment: 'test' as const };
    await assert.rejects(engine.engine.retry(stranger, good.header.id, failure), {
      code: 'execution_not_found',
    });
  });
});

describe('a retry of a node', () => {
  test('runs it and everything that follows it, and nothing else', async () => {
    const first = await ran(
      [
        ['2', 'act', { name: 'a' }],
        ['3', 'act', { name: 'b' }],
        ['4', 'act', { name: 'c' }],
        ['5', 'act', { name: 'side' }],
      ],
      [
        ['1', '2'],
        ['2', '3'],
        ['3', '4'],
        ['1', '5'],
      ],
    );
    const last = await retried(first.header.id, { from: 'node', nodeId: '3' });
    assert.equal(last.header.state, 'completed');
    assert.deepEqual(callsOf(first.header.id), { '2:0': 1, '3:0': 2, '4:0': 2, '5:0': 1 });
  });

  test('in one iteration of a loop runs it there, and what follows the loop', async () => {
    const first = await ran(
      [
        ['2', 'loop', { fanout_array: ['a', 'b', 'c'] }],
        ['3', 'act', { name: 'x', value: '{{array_item}}' }, { parent_id: '2' }],
        ['4', 'act', { name: 'y', value: '{{array_item}}' }, { parent_id: '2' }],
        ['5', 'act', { name: 'after' }],
      ],
      [
        ['1', '2'],
        ['3', '4'],
        ['2', '5'],
      ],
    );
    const one = await retried(first.header.id, { from: 'node', nodeId: '4', batch: '2:1' });
    assert.equal(one.header.state, 'completed');
    const { '5:0': after, '4:2:1': again, ...others } = callsOf(first.header.id);
    assert.deepEqual([after, again], [2, 2]);
    assert.ok(Object.values(others).every((count) => count === 1));
    calls.clear();
    const all = await retried(first.header.id, { from: 'node', nodeId: '3' });
    assert.equal(all.header.state, 'completed');
    assert.equal(
      [...calls.values()].reduce((sum, count) => sum + count, 0),
      7,
    );
  });

  test('of a loop runs it from its beginning; in a try it runs the catch anew', async () => {
    broken.add('tried');
    const first = await ran(
      [
        ['2', 'loop', { count: 2, mode: 'fixed' }],
        ['3', 'try_catch', {}, { parent_id: '2' }],
        ['4', 'act', { name: 'tried' }, { parent_id: '3' }],
        ['5', 'act', { name: 'alert' }, { parent_id: '3' }],
      ],
      [
        ['1', '2'],
        ['3', '4', 'try'],
        ['3', '5', 'catch'],
      ],
    );
    assert.equal(first.header.state, 'completed');
    broken.clear();
    const inTry = await retried(first.header.id, { from: 'node', nodeId: '4' });
    assert.equal(inTry.header.state, 'completed');
    assert.deepEqual(callsOf(first.header.id), {
      '4:2:0/3:0': 2,
      '5:2:0/3:0': 1,
      '4:2:1/3:0': 2,
      '5:2:1/3:0': 1,
    });
    calls.clear();
    const whole = await retried(first.header.id, { from: 'node', nodeId: '2' });
    assert.equal(whole.header.state, 'completed');
    assert.deepEqual(callsOf(first.header.id), { '4:2:0/3:0': 1, '4:2:1/3:0': 1 });
  });
});

test('a rerun begins anew with the payload, in its own version or in the published one', async () => {
  broken.add('old');
  const workflow = await engine.publish([['2', 'act', { name: 'old', value: '{{event.no}}' }]], [['1', '2']]);
  const first = await engine.ended(await engine.start(workflow, { no: 3 }));
  await engine.database.pool.query(
    `insert into workflow_version (id, org_id, environment, workflow_id, version, document)
     select id || '2', org_id, environment, workflow_id, 2, replace(document::text, '"old"', '"new"')::json
     from workflow_version where workflow_id = $1`,
    [workflow],
  );
  await engine.database.pool.query('update workflow set published_version = 2 where id = $1', [workflow]);
  const rerun = async (isLatestVersion: boolean) =>
    engine.ended(
      (await engine.engine.rerun(engine.tenant, first.header.id, { isLatestVersion })).executionId,
    );
  const pinned = await rerun(false);
  assert.deepEqual([pinned.header.state, pinned.header.workflowVersion], ['errored', 1]);
  const latest = await rerun(true);
  assert.deepEqual([latest.header.state, latest.header.workflowVersion], ['completed', 2]);
  assert.deepEqual(latest.nodes.at(-1)?.output, { name: 'new', value: 3 });
  assert.equal(calls.size, 3, 'each run is work of its own');
  await engine.database.pool.query('update workflow set published_version = null where id = $1', [workflow]);
  await assert.rejects(rerun(true), /is not published/);
});

test('usage counts each execution once, whoever counts, and of a retry only what it did itself', async () => {
  const { pool } = engine.database;
  const workflow = await engine.publish(
    [
      ['2', 'act', { name: 'a' }],
      ['3', 'act', { name: 'b' }],
    ],
    [
      ['1', '2'],
      ['2', '3'],
    ],
  );
  broken.add('b');
  const first = await engine.ended(await engine.start(workflow, { note: 'x'.repeat(50_000) }));
  broken.clear();
  await retried(first.header.id);
  const count = async (): Promise<void> => {
    while ((await countUsage(pool, 3)) > 0);
  };
  await Promise.all([count(), count(), count()]);
  await count();
  const usage = await readUsage(engine.database.db, engine.tenant, {
    from: '2000-01-01',
    to: '2999-01-01',
    by: 'workflow',
  });
  const { completed, errored, node_runs, bytes_stored } = usage.find(({ key }) => key === workflow)!;
  assert.deepEqual([completed, errored, node_runs], [1, 1, 3], 'two nodes, and the second once more');
  assert.ok(bytes_stored > 0);
  const { rows } = await pool.query('select from usage_pending');
  assert.equal(rows.length, 0);
});

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { unknownOutcomesQueue } from '#db/recovery-queue';
import { deleteEndedRecords, deleteOldArrivals } from '#db/recovery-status';
import { newId } from '#domain/ids';
import { builtInNodes, nodeRegistry } from '#engine/nodes/index';
import { failed, nodeType } from '#engine/nodes/node-type';
import { createRecovery } from '#engine/recovery';
import { openTestEngine, type TestEdge, type TestEngine, type TestNode } from '#engine/testing';
import { testVault } from '#vault/testing';

let engine: TestEngine;
/** Executions whose `send` is on its way and gets no answer. */
const sending = new Set<string>();

/** Executions in which `send` was refused. */
const refused = new Set<string>();

const settings = z.looseObject({ how: z.string().default('refuse') });
const send = nodeType<z.infer<typeof settings>>({
  type: 'send',
  label: 'Send',
  group: 'app',
  help: 'Fails, or never comes back.',
  effect: 'once',
  fields: {},
  settings,
  async run({ how }, { executionId, signal }) {
    if (how === 'late silence') await until(() => refused.has(executionId));
    if (how.endsWith('silence')) return failed({ message: 'No answer came.', status: 0, retry: 'unknown' });
    if (how === 'hang') {
      sending.add(executionId);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    }
    // In the turn after the one in which the node ends.
    setImmediate(() => refused.add(executionId));
    return failed({ message: 'Order 7 is closed.', status: 409, retry: 'never' });
  },
});

/** Reads pages of which the third is not there. */
const list = nodeType({
  type: 'list',
  label: 'List',
  group: 'app',
  help: 'Fails in the middle of its pages.',
  effect: 'read',
  hasPages: true,
  fields: {},
  settings: z.looseObject({}),
  async run(_settings, ctx) {
    for (let index = 0; index < 2; index += 1) await ctx.page(index, () => Promise.resolve({ index }));
    return failed({ message: 'Page 3 is gone.', status: 404, retry: 'never' });
  },
});

before(async () => {
  engine = await openTestEngine({ registry: nodeRegistry([...builtInNodes.values(), send, list]) });
});
after(() => engine.close());

async function addQueue(name: string, columns: readonly string[] = []): Promise<string> {
  const id = newId();
  await engine.database.pool.query(
    `insert into recovery_queue (id, org_id, environment, name, columns) values ($1, $2, 'test', $3, $4)`,
    [id, engine.tenant.orgId, name, JSON.stringify(columns.map((column) => ({ name: column })))],
  );
  return id;
}

async function records(where: { queue?: string; execution?: string }): Promise<Record<string, unknown>[]> {
  const { rows } = await engine.database.pool.query<Record<string, unknown>>(
    `select r.*, q.name as queue from recovery_record r join recovery_queue q on q.id = r.queue_id
     where ($1::text is null or r.queue_id = $1) and ($2::text is null or r.execution_id = $2) order by r.id`,
    [where.queue ?? null, where.execution ?? null],
  );
  return rows;
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await isTrue())) {
    assert.ok(performance.now() < end, 'it took more than 20 seconds');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

type Data = Readonly<Record<string, unknown>>;

/** Node 3 fails in a try block, node 4 keeps it. */
const caught = (keep: Data, fail: Data = {}): readonly TestNode[] => [
  ['2', 'try_catch', {}],
  ['3', 'send', fail, { parent_id: '2' }],
  ['4', 'recovery_queue', keep, { parent_id: '2' }],
];
const edges: readonly TestEdge[] = [
  ['1', '2'],
  ['2', '3', 'try'],
  ['2', '4', 'catch'],
];

async function run(nodes: readonly TestNode[], joined: readonly TestEdge[], payload: unknown) {
  const id = await engine.start(await engine.publish(nodes, joined), payload);
  return { id, ...(await engine.ended(id)) };
}

test('a caught failure is kept with what failed, why, its payload and the columns of its queue', async () => {
  const queue = await addQueue('orders', ['order']);
  const { id, header } = await run(
    caught({ queue: 'orders', columns: { order: '{{event.order}}' } }),
    edges,
    { order: 7 },
  );
  assert.equal(header.state, 'completed');
  const [record, ...others] = await records({ queue });
  assert.equal(others.length, 0);
  assert.deepEqual(
    [
      record!['failed_node_id'],
      record!['failed_node_name'],
      record!['error_class'],
      record!['error_message'],
    ],
    ['3', 'Node 3', 'refused', 'Order 7 is closed.'],
  );
  assert.deepEqual([record!['payload'], record!['column_values']], [{ order: 7 }, { order: 7 }]);
  assert.deepEqual([record!['execution_id'], record!['status'], record!['seen']], [id, 'open', 1]);
});

test('the same failure is one open record with a count and the newest payload', async () => {
  const queue = await addQueue('same');
  const workflow = await engine.publish(caught({ queue: 'same', dedup_key: '{{event.order}}' }), edges);
  for (const at of [1, 2, 3]) await engine.ended(await engine.start(workflow, { order: 'A', at }));
  await engine.ended(await engine.start(workflow, { order: 'B', at: 4 }));
  assert.deepEqual(
    (await records({ queue })).map(({ seen, payload }) => [seen, payload]),
    [
      [3, { order: 'A', at: 3 }],
      [1, { order: 'B', at: 4 }],
    ],
  );
});

test('each failed iteration of a loop is a record of its own, with the item it failed with', async () => {
  const queue = await addQueue('items');
  const nodes: TestNode[] = [
    ['9', 'loop', { fanout_array: '{{event.items}}' }],
    ['2', 'try_catch', {}, { parent_id: '9' }],
    ['3', 'send', {}, { parent_id: '2' }],
    ['4', 'dlq', { queue: 'items', payload: '{{array_item}}' }, { parent_id: '2' }],
  ];
  const joined: TestEdge[] = [
    ['1', '9'],
    ['9', '2', 'body'],
    ['2', '3', 'try'],
    ['2', '4', 'catch'],
  ];
  const { header } = await run(nodes, joined, { items: ['a', 'b', 'c'] });
  assert.equal(header.state, 'completed', header.errorText ?? '');
  const kept = await records({ queue });
  assert.deepEqual(new Set(kept.map((record) => record['payload'])), new Set(['a', 'b', 'c']));
  assert.equal(new Set(kept.map((record) => record['batch'])).size, 3);
});

describe('a failure is one record', () => {
  const seen = async (queue: string): Promise<unknown[]> =>
    (await records({ queue })).map((record) => [record['failed_node_id'], record['batch'], record['seen']]);

  test('of a try block that is repeated: the one of its last repetition', async () => {
    const queue = await addQueue('repeated');
    const retry_policy = { strategy: 'fixed', delay: 0, max_attempts: 3 };
    await run(
      [['2', 'try_catch', {}, { retry_policy }], ...caught({ queue: 'repeated' }).slice(1)],
      edges,
      {},
    );
    assert.deepEqual(await seen(queue), [['3', '2:2', 1]]);
  });

  test('of a node that reads pages, whichever page failed', async () => {
    const queue = await addQueue('pages');
    const [block, , keep] = caught({ queue: 'pages' });
    const { header } = await run([block!, ['3', 'list', {}, { parent_id: '2' }], keep!], edges, {});
    assert.equal(header.state, 'completed', header.errorText ?? '');
    assert.deepEqual(await seen(queue), [['3', '2:0', 1]]);
  });

  test('of a sub-flow: with the execution that the line began with, whoever in the line keeps it', async () => {
    const [inside, outside] = [await addQueue('inside'), await addQueue('outside')];
    const child = await engine.publish(
      [
        ...caught({ queue: 'inside' }),
        ['5', 'terminate', { action: 'terminate', status: 'error', message: 'no' }],
      ],
      [...edges, ['2', '5']],
    );
    const [block, , keep] = caught({ queue: 'outside' });
    const call = { workflow: child, payload: { order: 1 }, wait_for_completion: true };
    const parent = await run([block!, ['3', 'sub_flow', call, { parent_id: '2' }], keep!], edges, {
      order: 2,
    });
    const [[inner], [outer]] = [await records({ queue: inside }), await records({ queue: outside })];
    assert.deepEqual(
      [inner!['root_execution_id'], inner!['workflow_id'], inner!['payload']],
      [parent.id, child, { order: 1 }],
    );
    assert.notEqual(inner!['execution_id'], parent.id);
    assert.deepEqual([outer!['execution_id'], outer!['payload']], [parent.id, { order: 2 }]);
    assert.deepEqual([await seen(inside), await seen(outside)], [[['3', '2:0', 1]], [['3', '2:0', 1]]]);
  });

  test('of an execution and its retries, with the newest of them', async () => {
    const queue = await addQueue('retried');
    const { id } = await run(caught({ queue: 'retried' }), edges, {});
    const again = { from: 'node', nodeId: '3', batch: '2:0' } as const;
    const { executionId } = await engine.engine.retry(engine.tenant, id, again);
    await engine.ended(executionId);
    assert.deepEqual(await seen(queue), [['3', '2:0', 2]]);
    assert.equal((await records({ queue }))[0]!['execution_id'], executionId);
  });

  test('that a node kept before its worker died, and keeps again, counts once', async () => {
    const queue = await addQueue('twice');
    const { id } = await run([], [], {});
    const recovery = createRecovery({ ...engine, ...engine.database, vault: testVault() });
    const failure = {
      queue,
      executionId: id,
      nodeId: '4',
      batch: '2:0',
      appSlug: undefined,
      dedupKey: 'key',
      failed: { nodeId: '3', nodeName: 'Send', batch: '2:0', message: 'No.' },
      columnValues: {},
      payload: null,
      mask: (value: unknown) => ({ shown: value, trueParts: [], words: [] }),
    };
    await Promise.all([1, 2, 3].map(() => recovery.add(engine.tenant, failure)));
    assert.deepEqual(await seen(queue), [['3', '2:0', 1]]);
  });

  test('in the catch of a catch is the failure of the inner try', async () => {
    const queue = await addQueue('nested');
    const nodes: TestNode[] = [
      ['2', 'try_catch'],
      ['3', 'send', {}, { parent_id: '2' }],
      ['5', 'try_catch', {}, { parent_id: '2' }],
      ['6', 'list', {}, { parent_id: '5' }],
      ['7', 'recovery_queue', { queue: 'nested' }, { parent_id: '5' }],
      ['8', 'recovery_queue', { queue: 'nested' }, { parent_id: '2' }],
    ];
    const joined: TestEdge[] = [
      ['1', '2'],
      ['2', '3', 'try'],
      ['2', '5', 'catch'],
      ['5', '6', 'try'],
      ['5', '7', 'catch'],
      ['5', '8'],
    ];
    await run(nodes, joined, {});
    assert.deepEqual(await seen(queue), [
      ['6', '2:0/5:0', 1],
      ['3', '2:0', 1],
    ]);
  });
});

test('records that were dealt with go when logs go; those that wait stay', async () => {
  const queue = await addQueue('old');
  const workflow = await engine.publish(caught({ queue: 'old' }), edges);
  for (const order of [1, 2, 3]) await engine.ended(await engine.start(workflow, { order }));
  const [first, second, third] = (await records({ queue })).map((record) => String(record['id']));
  await engine.database.pool.query(
    `update recovery_record set status = 'discarded', ended_at = now() - $2 * interval '1 day' where id = $1`,
    [first, 31],
  );
  await engine.database.pool.query(
    `update recovery_record set status = 'resolved', ended_at = now() - $2 * interval '1 day' where id = $1`,
    [second, 29],
  );
  await deleteEndedRecords(engine.database.pool, engine.clock.now(), { defaultDays: 30, maximumDays: 365 });
  assert.deepEqual(
    (await records({ queue })).map((record) => record['id']),
    [second, third],
  );
});

test('what came in is remembered as long as its execution lives', async () => {
  const queue = await addQueue('arrivals');
  const { id } = await run(caught({ queue: 'arrivals', dedup_key: 'one' }), edges, {});
  const { pool } = engine.database;
  const arrivals = async () =>
    (await pool.query('select from recovery_arrival where execution_id = $1', [id])).rowCount;
  assert.equal(await arrivals(), 1);
  await deleteOldArrivals(pool);
  assert.deepEqual([await arrivals(), (await records({ queue })).length], [0, 1]);
});

test('a recovery queue outside of a catch branch, unknown, or without the column says what to change', async () => {
  await addQueue('narrow', ['order']);
  const outside = await run([['2', 'recovery_queue', { queue: 'narrow' }]], [['1', '2']], {});
  assert.match(outside.header.errorText ?? '', /put the node on the catch branch/);
  const wrong: [Data, RegExp][] = [
    [{ queue: 'nowhere' }, /queue: there is no recovery queue "nowhere"/],
    [{ queue: '' }, /queue: name the recovery queue/],
    [{ queue: 'narrow', columns: { oder: 1 } }, /columns\.oder: .* it has "order"/],
    [{ queue: 'narrow', columns: 'x' }, /columns/],
    [{ queue: 'narrow', columns: { order: 'x'.repeat(40_000) } }, /columns: are larger than 32 KB/],
  ];
  for (const [keep, text] of wrong) {
    const { header } = await run(caught(keep), edges, {});
    assert.equal(header.state, 'errored');
    assert.match(header.errorText ?? '', text);
  }
});

test('a `once` call that got no answer waits in the queue of unknown outcomes, and is not sent again', async () => {
  const nodes: TestNode[] = [['3', 'send', { how: 'silence' }, { retry_policy: { max_attempts: 3 } }]];
  const { id, header } = await run(nodes, [['1', '3']], {});
  assert.equal(header.state, 'errored');
  const kept = await records({ execution: id });
  assert.deepEqual(
    kept.map((record) => [record['queue'], record['error_class'], record['failed_node_id'], record['seen']]),
    [['Unknown outcomes', 'unknown_outcome', '3', 1]],
  );
});

test('a `once` call that got no answer after another branch had failed waits there as well', async () => {
  const branches: readonly TestNode[] = [
    ['2', 'send', {}],
    ['3', 'send', { how: 'late silence' }],
  ];
  const joined: readonly TestEdge[] = [
    ['1', '2'],
    ['1', '3'],
  ];
  const { id, header } = await run(branches, joined, {});
  assert.equal(header.failedNodeId, '2');
  const kept = await records({ execution: id });
  assert.deepEqual(
    kept.map((record) => [record['failed_node_id'], record['error_class']]),
    [['3', 'unknown_outcome']],
  );
});

test('a `once` call whose worker is lost is one record, however often the execution is taken over', async () => {
  const other = await engine.another();
  const workflow = await engine.publish([['3', 'send', { how: 'hang' }]], [['1', '3']]);
  const id = await engine.start(workflow);
  await until(() => sending.has(id));
  await engine.database.pool.query(
    `update worker set heartbeat_at = '-infinity', is_alive = false
     where id = (select owner from execution where id = $1)`,
    [id],
  );
  const detail = await engine.ended(id);
  assert.equal(detail.header.state, 'errored');
  assert.match(detail.header.errorText ?? '', /nobody knows whether the call arrived/);
  const kept = await records({ execution: id });
  assert.deepEqual(
    kept.map((record) => [record['queue'], record['seen']]),
    [['Unknown outcomes', 1]],
  );
  await other.drain(1_000);
});

test('of two runs that need the queue of unknown outcomes for the first time, the later takes what the earlier made', async () => {
  const { pool } = engine.database;
  const tenant = { orgId: newId(), environment: 'test' as const };
  const earlier = await pool.connect();
  const id = newId();
  let later: Promise<string>;
  try {
    await earlier.query('begin');
    // By another name, so that the later one meets it at the index of built-in queues, as in a true race.
    await earlier.query(
      `insert into recovery_queue (id, org_id, environment, name, is_built_in) values ($1, $2, 'test', 'Renamed', true)`,
      [id, tenant.orgId],
    );
    later = unknownOutcomesQueue(pool, tenant);
    await until(async () => {
      const { rowCount } = await pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
           and query like 'insert into recovery_queue%'`,
      );
      return rowCount === 1;
    });
    await earlier.query('commit');
  } finally {
    earlier.release();
  }
  assert.equal(await later, id);
});

test('a queue that somebody made under its name becomes the queue of unknown outcomes', async () => {
  const { pool } = engine.database;
  const tenant = { orgId: newId(), environment: 'test' as const };
  const id = newId();
  await pool.query(
    `insert into recovery_queue (id, org_id, environment, name) values ($1, $2, 'test', 'Unknown outcomes')`,
    [id, tenant.orgId],
  );
  assert.deepEqual(
    await Promise.all(Array.from({ length: 5 }, () => unknownOutcomesQueue(pool, tenant))),
    Array.from({ length: 5 }, () => id),
  );
});

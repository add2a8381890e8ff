import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clientTransaction } from '#db/client-transaction';
import { newId } from '#domain/ids';
import { nodeRegistry, responseOf } from '#engine/index';
import { delay } from '#engine/nodes/delay';
import { done, failed, suspended } from '#engine/nodes/node-type';
import { response } from '#engine/nodes/response';
import { rule } from '#engine/nodes/rule';
import { start } from '#engine/nodes/start';
import { subFlow } from '#engine/nodes/sub-flow';
import { tryCatch } from '#engine/nodes/try-catch';
import { openQueue } from '#engine/workers/queue';
import { endWaitsOfLostParents } from '#engine/wait/suspension';
import { openTestEngine, scriptedNode, type TestEdge, type TestEngine, type TestNode } from '#engine/testing';

let bench: TestEngine;
const { act, acts } = scriptedNode({ resume: () => done('resumed') });

before(async () => {
  // One at a time: whoever waits for a child while holding a place would wait for ever.
  bench = await openTestEngine({
    registry: nodeRegistry([start, response, rule, delay, act, subFlow, tryCatch]),
    concurrency: 1,
  });
  acts.set('hold', ({ executionId }) => suspended({ reason: 'webhook', token: executionId }));
});
after(() => bench.close());

const chain = (...nodes: readonly TestNode[]): [readonly TestNode[], readonly TestEdge[]] => [
  nodes,
  nodes.map(([id], index) => [index === 0 ? '1' : nodes[index - 1]![0], id] as const),
];

const parentOf = (child: string, settings: Record<string, unknown> = { wait_for_completion: true }) =>
  chain(
    ['2', 'sub_flow', { workflow: child, payload: { n: '{{event.n}}' }, ...settings }],
    ['3', 'response', { data: '{{node.2.body}}' }],
  );

async function childrenOf(id: string): Promise<{ id: string; state: string }[]> {
  const { rows } = await bench.database.pool.query<{ id: string; state: string }>(
    'select id, state from execution where parent_execution_id = $1 order by id',
    [id],
  );
  return rows;
}

test('a parent that waits reads what its child answered; the child inherits account and config', async () => {
  const child = await bench.publish(
    ...chain(['2', 'response', { data: { doubled: '{{event.n}}', of: '{{instance_meta_data.config_id}}' } }]),
  );
  const parent = await bench.publish(...parentOf(child));
  const id = await bench.start(parent, { n: 21 });
  const detail = await bench.ended(id);
  const [made] = await childrenOf(id);
  assert.deepEqual(responseOf(detail), {
    execution_id: made?.id,
    return_value: { doubled: 21, of: 'ann' },
  });
  const { header } = await bench.engine.read(bench.tenant, made!.id);
  assert.equal(header.parentExecutionId, id);
  assert.equal(header.source, 'sub_flow');
});

test('fire and forget goes on with the id of the child', async () => {
  const child = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const id = await bench.start(await bench.publish(...parentOf(child, {})));
  const detail = await bench.ended(id);
  const [made] = await childrenOf(id);
  assert.deepEqual(responseOf(detail), { execution_id: made?.id });
  await bench.reached(made!.id, 'waiting');
  await bench.engine.resume(made!.id, null);
  assert.equal((await bench.ended(made!.id)).header.state, 'completed');
});

test('a sync sub-flow of a sync call is answered in the same call, and its delays do not wait', async () => {
  const child = await bench.publish(
    ...chain(
      ['2', 'delay', { action: 'wait_for', days: 1 }],
      ['3', 'response', { data: '{{node.2.body}}', status_code: 201 }],
    ),
  );
  const parent = await bench.publish(...parentOf(child, { sync: true }));
  const answer = await bench.engine.runSync(bench.tenant, { ...bench.inputFor(parent), timeoutMs: 10_000 });
  assert.equal(answer.isFinished, true);
  assert.match((answer.returnValue as { return_value: string }).return_value, /^Waited for 0 seconds/);
});

test('a sync call whose sub-flow waits for somebody is answered with its id at once', async () => {
  const child = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const parent = await bench.publish(...parentOf(child));
  const answer = await bench.engine.runSync(bench.tenant, { ...bench.inputFor(parent), timeoutMs: 60_000 });
  assert.equal(answer.isFinished, false);
  await bench.engine.stop(bench.tenant, answer.executionId);
});

test("a child's error after a wait is its parent's error, word for word (pain 20)", async () => {
  acts.set('refuse', () =>
    failed({ message: 'The CRM said no.', status: 422, body: { field: 'email' }, retry: 'never' }),
  );
  const child = await bench.publish(
    ...chain(['2', 'delay', { action: 'wait_for', hours: 1 }], ['3', 'act', { name: 'refuse' }]),
  );
  const id = await bench.start(await bench.publish(...parentOf(child)));
  await bench.reached(id, 'waiting');
  let made = await childrenOf(id);
  while (made[0]?.state !== 'waiting') {
    await new Promise((resolve) => setImmediate(resolve));
    made = await childrenOf(id);
  }
  bench.clock.advance(3_600_000);
  const detail = await bench.ended(id);
  assert.equal(detail.header.state, 'errored');
  assert.equal(detail.header.errorText, 'The CRM said no.');
  const error = detail.nodes[1]?.error;
  assert.equal(error?.status, 422);
  assert.deepEqual(error?.body, { execution_id: made[0]?.id, error: { field: 'email' } });
});

test('whoever ends a child wakes its parent in the same transaction', async () => {
  const child = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const id = await bench.start(await bench.publish(...parentOf(child)));
  await bench.reached(id, 'waiting');
  const [made] = await childrenOf(id);
  await bench.reached(made!.id, 'waiting');
  // Not through the engine at all: the guarantee is the database's.
  await clientTransaction(bench.database.pool, async (client) => {
    await client.query(`update execution set state = 'stopped', finished_at = now() where id = $1`, [
      made?.id,
    ]);
    const { rows } = await client.query('select woken_by from wait where execution_id = $1', [id]);
    assert.deepEqual(rows, [{ woken_by: 'child' }]);
  });
  assert.equal((await bench.ended(id)).header.errorText, 'The sub-flow was stopped.');
});

test('twenty sub-flows deep with one worker place: nobody waits for a place that a parent holds (pain 21)', async () => {
  const id = newId();
  await bench.publish(
    [
      ['2', 'rule', { conditions: [{ variable: '{{event.n}}', operator: 'gt', value: 0 }] }],
      ['3', 'act', { name: 'one less' }],
      ['4', 'sub_flow', { workflow: id, payload: { n: '{{node.3.body}}' }, wait_for_completion: true }],
      ['5', 'response', { data: '{{node.4.body.return_value}}' }],
      ['6', 'response', { data: 'the bottom' }],
    ],
    [
      ['1', '2'],
      ['2', '3', 'true'],
      ['3', '4'],
      ['4', '5'],
      ['2', '6', 'false'],
    ],
    { id },
  );
  acts.set('one less', async ({ executionId }) => {
    const { nodes } = await bench.engine.read(bench.tenant, executionId);
    return done((nodes[0]!.output as { n: number }).n - 1);
  });
  const root = await bench.start(id, { n: 20 });
  const detail = await bench.ended(root);
  assert.equal(responseOf(detail), 'the bottom');
  const { rows } = await bench.database.pool.query(
    'select max(depth)::int as depth, count(*)::int as count from execution where root_execution_id = $1',
    [root],
  );
  assert.deepEqual(rows, [{ depth: 20, count: 20 }]);
});

test('a workflow that starts itself without an end stops at 1,000 deep', async () => {
  const id = newId();
  await bench.publish(...parentOf(id), { id });
  const executionId = await bench.start(id);
  await bench.engine.stop(bench.tenant, executionId);
  await bench.ended(executionId);
  // The 1,000th of its line, as if it had got there.
  const last = await bench.start(id);
  await bench.database.pool.query('update execution set depth = 1000 where id = $1', [last]);
  const detail = await bench.ended(last);
  assert.match(detail.header.errorText ?? '', /1000 deep/);
  assert.equal((await childrenOf(last)).length, 0);
});

test('a node that is run again finds its child instead of starting another', async () => {
  const child = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const parent = await bench.publish(...parentOf(child));
  const id = await bench.start(parent);
  await bench.reached(id, 'waiting');
  // What a worker leaves that is lost right after it started the child: no wait, and a start without an outcome.
  await bench.database.pool.query('delete from wait where execution_id = $1', [id]);
  await bench.database.pool.query(`update execution set state = 'queued' where id = $1`, [id]);
  await enqueue(id);
  await bench.reached(id, 'waiting');
  const [made, ...others] = await childrenOf(id);
  assert.equal(others.length, 0);
  await bench.reached(made!.id, 'waiting');
  assert.ok(await bench.engine.resume(made!.id, null));
  assert.equal((await bench.ended(id)).header.state, 'completed');
  assert.equal((await childrenOf(id)).length, 1);
});

test('a stop of the parent stops every descendant, whatever it is doing (pain 3)', async () => {
  const leaf = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const middle = await bench.publish(...parentOf(leaf));
  const id = await bench.start(await bench.publish(...parentOf(middle)));
  const tree = async () => {
    const { rows } = await bench.database.pool.query<{ state: string }>(
      'select state from execution where id = $1 or root_execution_id = $1 order by id',
      [id],
    );
    return rows.map(({ state }) => state);
  };
  while ((await tree()).join(' ') !== 'waiting waiting waiting')
    await new Promise((resolve) => setImmediate(resolve));
  await bench.engine.stop(bench.tenant, id);
  assert.deepEqual(await tree(), ['stopped', 'stopped', 'stopped']);
  const { rows } = await bench.database.pool.query(
    'select from wait w join execution e on e.id = w.execution_id where e.id = $1 or e.root_execution_id = $1',
    [id],
  );
  assert.equal(rows.length, 0);
});

/** Two sub-flows, one of which it waits for, and beside them what the test says. */
async function parentBeside(name: string, settings = {}): Promise<string> {
  const child = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const parent = await bench.publish(
    [
      ['2', 'sub_flow', { workflow: child, wait_for_completion: true }],
      ['3', 'sub_flow', { workflow: child }],
      ['4', 'act', { name }, { retry_policy: { max_attempts: 1 } }],
    ],
    [
      ['1', '2'],
      ['1', '3'],
      ['1', '4'],
    ],
    { settings },
  );
  return bench.start(parent);
}

/** Resolves when the execution waits for one of two sub-flows that it has started. */
async function bothBegun(executionId: string): Promise<void> {
  const { pool } = bench.database;
  for (;;) {
    const { rows } = await pool.query<{ is_waiting: boolean }>(
      'select exists (select from wait where execution_id = $1) as is_waiting',
      [executionId],
    );
    if (rows[0]!.is_waiting && (await childrenOf(executionId)).length === 2) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function awaitedOf(executionId: string): Promise<{ awaited: string; other: string }> {
  const { rows } = await bench.database.pool.query<{ id: string; node: string }>(
    'select id, parent_node_id as node from execution where parent_execution_id = $1 order by node',
    [executionId],
  );
  return { awaited: rows[0]!.id, other: rows[1]!.id };
}

test('a parent that fails stops the sub-flow it waits for, and none that it only started (pain 3)', async () => {
  acts.set('fail then', async ({ executionId }) => {
    await bothBegun(executionId);
    return failed({ message: 'No.', retry: 'never' });
  });
  const id = await parentBeside('fail then');
  assert.equal((await bench.ended(id)).header.state, 'errored');
  const { awaited, other } = await awaitedOf(id);
  await bench.reached(awaited, 'stopped');
  await bench.reached(other, 'waiting');
  await bench.engine.stop(bench.tenant, other);
});

test('a parent whose time is up stops the sub-flow it waits for (pain 3)', async () => {
  acts.set('hang', async (ctx) => {
    await bothBegun(ctx.executionId);
    await bench.database.pool.query('update execution set deadline_at = now() where id = $1', [
      ctx.executionId,
    ]);
    return new Promise(() => {});
  });
  const id = await parentBeside('hang');
  assert.equal((await bench.ended(id)).header.state, 'timed_out');
  const { awaited, other } = await awaitedOf(id);
  await bench.reached(awaited, 'stopped');
  await bench.reached(other, 'waiting');
  await bench.engine.stop(bench.tenant, other);
});

test('a parent that ended with its worker does not leave the sub-flow behind that it waited for', async () => {
  const child = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const id = await bench.start(await bench.publish(...parentOf(child)));
  await bench.reached(id, 'waiting');
  const [made] = await childrenOf(id);
  await bench.reached(made!.id, 'waiting');
  await bench.database.pool.query(
    `update execution set state = 'errored', finished_at = now() where id = $1`,
    [id],
  );
  await endWaitsOfLostParents(bench.database.pool);
  assert.equal(await bench.state(made!.id), 'stopped');
});

test('a sub-flow that a retry of its parent has taken over is not stopped with the parent', async () => {
  const child = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const id = await bench.start(await bench.publish(...parentOf(child)));
  await bench.reached(id, 'waiting');
  const [made] = await childrenOf(id);
  await bench.reached(made!.id, 'waiting');
  await bench.database.pool.query(
    `update execution set state = 'errored', finished_at = now() where id = $1`,
    [id],
  );
  const { executionId } = await bench.engine.retry(bench.tenant, id, { from: 'failure' });
  await endWaitsOfLostParents(bench.database.pool);
  await bench.reached(executionId, 'waiting');
  assert.equal(await bench.state(made!.id), 'waiting');
  await bench.engine.resume(made!.id, null);
  assert.equal((await bench.ended(executionId)).header.state, 'completed');
});

/** A try block around a sub-flow and, beside or behind it, an act. */
async function blockAround(child: string, { attempts = 1, isBeside = false, payload = {} } = {}) {
  const inside: readonly TestNode[] = [
    ['3', 'sub_flow', { workflow: child, payload, wait_for_completion: true }, { parent_id: '2' }],
    ['4', 'act', { name: 'beside' }, { parent_id: '2', retry_policy: { max_attempts: 1 } }],
    ['5', 'act', { name: 'caught' }, { parent_id: '2' }],
  ];
  return bench.publish(
    [
      ['2', 'try_catch', {}, { retry_policy: { strategy: 'fixed', delay: 1, max_attempts: attempts } }],
      ...inside,
      ['6', 'response', { data: '{{node.2.body.try_catch_result}}' }],
    ],
    [
      ['1', '2'],
      ['2', '3', 'try'],
      isBeside ? ['2', '4', 'try'] : ['3', '4'],
      ['2', '5', 'catch'],
      ['2', '6'],
    ],
  );
}

test('what waits in a try block that broke off can be woken no longer, and its sub-flow is stopped', async () => {
  const waitsOf = async (id: string): Promise<number> => {
    const { rows } = await bench.database.pool.query('select from wait where execution_id = $1', [id]);
    return rows.length;
  };
  const caught = Promise.withResolvers<void>();
  acts.set('beside', async ({ executionId }) => {
    while ((await waitsOf(executionId)) === 0) await new Promise((resolve) => setImmediate(resolve));
    return failed({ message: 'No.', retry: 'never' });
  });
  acts.set('caught', async () => {
    await caught.promise;
    return done(null);
  });
  const child = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const id = await bench.start(await blockAround(child, { isBeside: true }));
  while ((await childrenOf(id)).length === 0) await new Promise((resolve) => setImmediate(resolve));
  const [made] = await childrenOf(id);
  await bench.reached(made!.id, 'stopped');
  // The execution goes on in its catch branch meanwhile.
  while ((await waitsOf(id)) > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await bench.state(id), 'running');
  caught.resolve();
  assert.equal(responseOf(await bench.ended(id)), 'caught');
});

test('a repeated try block finds the sub-flow that succeeded, and starts it no second time', async () => {
  let tries = 0;
  acts.set('beside', () => ((tries += 1) < 3 ? failed({ message: 'No.', retry: 'never' }) : done(null)));
  const child = await bench.publish(...chain(['2', 'response', { data: 'made' }]));
  const id = await bench.start(await blockAround(child, { attempts: 3 }));
  assert.equal(responseOf(await bench.ended(id)), 'success');
  assert.equal(tries, 3);
  assert.equal((await childrenOf(id)).length, 1);
});

test('a repeated try block goes on with a sub-flow that failed, from where it failed', async () => {
  const did: string[] = [];
  acts.set('once only', () => {
    did.push('first');
    return done(null);
  });
  acts.set('second', () => {
    did.push('second');
    return did.length < 3 ? failed({ message: 'Not yet.', retry: 'never' }) : done(null);
  });
  acts.set('beside', () => done(null));
  const child = await bench.publish(
    ...chain(['2', 'act', { name: 'once only' }], ['3', 'act', { name: 'second' }]),
  );
  const id = await bench.start(await blockAround(child, { attempts: 2 }));
  assert.equal(responseOf(await bench.ended(id)), 'success');
  assert.deepEqual(did, ['first', 'second', 'second']);
});

test('a repetition that gives its sub-flow another payload starts another one', async () => {
  let tries = 0;
  acts.set('beside', () => ((tries += 1) < 2 ? failed({ message: 'No.', retry: 'never' }) : done(null)));
  acts.set('count', () => done(tries));
  const child = await bench.publish(...chain(['2', 'response', { data: 'made' }]));
  const parent = await bench.publish(
    [
      ['2', 'try_catch', {}, { retry_policy: { strategy: 'fixed', delay: 1, max_attempts: 2 } }],
      ['3', 'act', { name: 'count' }, { parent_id: '2' }],
      [
        '4',
        'sub_flow',
        { workflow: child, payload: { n: '{{node.3.body}}' }, sync: true },
        { parent_id: '2' },
      ],
      ['5', 'act', { name: 'beside' }, { parent_id: '2', retry_policy: { max_attempts: 1 } }],
    ],
    [
      ['1', '2'],
      ['3', '4'],
      ['4', '5'],
    ],
  );
  const id = await bench.start(parent);
  assert.equal((await bench.ended(id)).header.state, 'completed');
  assert.equal((await childrenOf(id)).length, 2);
});

test('a workflow that runs one at a time and holds its place while it waits may call itself', async () => {
  const id = newId();
  const settings = { concurrency: { limit: 1, overflow: 'queue', hold_while_waiting: true } };
  await bench.publish(
    [
      ['2', 'rule', { conditions: [{ variable: '{{event.n}}', operator: 'gt', value: 0 }] }],
      ['3', 'act', { name: 'one less' }],
      ['4', 'sub_flow', { workflow: id, payload: { n: '{{node.3.body}}' }, wait_for_completion: true }],
    ],
    [
      ['1', '2'],
      ['2', '3', 'true'],
      ['3', '4'],
    ],
    { id, settings },
  );
  acts.set('one less', async ({ executionId }) => {
    const { nodes } = await bench.engine.read(bench.tenant, executionId);
    return done((nodes[0]!.output as { n: number }).n - 1);
  });
  const first = await bench.start(id, { n: 3 });
  const second = await bench.start(id, { n: 0 });
  assert.equal((await bench.ended(first)).header.state, 'completed');
  assert.equal((await bench.ended(second)).header.state, 'completed');
  const { rows } = await bench.database.pool.query(
    `select count(*)::int as count from execution a join execution b on a.id <> b.id
     where b.id = $1 and $2 in (a.id, a.root_execution_id)
       and b.started_at < a.finished_at - $3 * interval '1 millisecond'`,
    // Ends bear the time of the test's clock, which other tests have moved.
    [second, first, bench.clock.now().getTime() - Date.now()],
  );
  assert.deepEqual(rows, [{ count: 0 }], 'the next one waited for the first with all its sub-flows');
});

test('an execution that a newer one replaces takes its descendants with it', async () => {
  const child = await bench.publish(...chain(['2', 'act', { name: 'hold' }]));
  const concurrency = { limit: 1, overflow: 'replace', hold_while_waiting: true };
  const parent = await bench.publish(...parentOf(child), { settings: { concurrency } });
  const older = await bench.start(parent);
  await bench.reached(older, 'waiting');
  const newer = await bench.start(parent);
  await bench.reached(older, 'stopped');
  assert.deepEqual(
    (await childrenOf(older)).map(({ state }) => state),
    ['stopped'],
  );
  await bench.reached(newer, 'waiting');
  await bench.engine.stop(bench.tenant, newer);
});

test('a stop aborts a child in the middle of a call, and nothing flips back to success', async () => {
  const called = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  acts.set('call for ever', (ctx) => {
    called.resolve();
    ctx.signal.addEventListener('abort', () => aborted.resolve());
    return new Promise(() => {});
  });
  const child = await bench.publish(...chain(['2', 'act', { name: 'call for ever' }]));
  const id = await bench.start(await bench.publish(...parentOf(child)));
  await called.promise;
  await bench.engine.stop(bench.tenant, id);
  await aborted.promise;
  const [made] = await childrenOf(id);
  assert.equal((await bench.ended(made!.id)).header.state, 'stopped');
  assert.equal(await bench.state(id), 'stopped');
});

test('what fails because it was asked to stop has stopped (pain 3)', async () => {
  acts.set('stopped meanwhile', async ({ executionId }) => {
    // A stop reaches a running parent at its next look, and a child of it that waits at once: the parent hears of
    // the child first.
    await bench.database.pool.query('update execution set stop_requested_at = now() where id = $1', [
      executionId,
    ]);
    return failed({ message: 'The sub-flow was stopped.', retry: 'never' });
  });
  const id = await bench.start(await bench.publish(...chain(['2', 'act', { name: 'stopped meanwhile' }])));
  const { header } = await bench.ended(id);
  assert.equal(header.state, 'stopped');
  assert.equal(header.errorText, null);
});

test('children are in lists only when the parent opted in', async () => {
  const child = await bench.publish(...chain(['2', 'response', { data: 1 }]));
  const quiet = await bench.start(await bench.publish(...parentOf(child)));
  const open = await bench.start(
    await bench.publish(...parentOf(child), { settings: { allow_subflow_execution_in_logs: true } }),
  );
  await Promise.all([bench.ended(quiet), bench.ended(open)]);
  const { executions } = await bench.engine.list(
    bench.tenant,
    { workflowId: child },
    { offset: 0, limit: 10 },
  );
  assert.deepEqual(
    executions.map(({ parentExecutionId }) => parentExecutionId),
    [open],
  );
});

test('what cannot be a sub-flow is refused with the way out', async () => {
  const { pool } = bench.database;
  const says = async (workflow: string, payload?: unknown) => {
    const parent = await bench.publish(
      ...chain(['2', 'sub_flow', { workflow, ...(payload === undefined ? {} : { payload }) }]),
      { slug: 'acme-crm' },
    );
    const id = await bench.start(parent);
    await pool.query(`update execution set app_slug = 'acme-crm' where id = $1`, [id]);
    return (await bench.ended(id)).header.errorText;
  };
  assert.equal(await says('nothing'), 'Workflow with id nothing not found');
  assert.match((await says('')) ?? '', /^workflow: choose the workflow to run/);

  const unpublished = await bench.publish(...chain());
  await pool.query('update workflow set published_version = null where id = $1', [unpublished]);
  assert.match((await says(unpublished)) ?? '', /is not published: publish it/);

  const foreign = await bench.publish(...chain());
  await pool.query('update workflow set linked_account_id = $2 where id = $1', [
    foreign,
    await otherAccount(),
  ]);
  assert.equal(await says(foreign), `Workflow with id ${foreign} not found`);

  const scheduled = await bench.publish(...chain());
  await pool.query(`update workflow set trigger_kind = 'schedule' where id = $1`, [scheduled]);
  assert.match((await says(scheduled)) ?? '', /is started by schedule; .* API call trigger/);

  const strict = await bench.publish(...chain(), {
    json_schema: { type: 'object', required: ['email'], properties: { email: { type: 'string' } } },
  });
  assert.match(
    (await says(strict, { name: 1 })) ?? '',
    /does not fit the schema of workflow .*: email is required/,
  );
});

async function enqueue(id: string): Promise<void> {
  await clientTransaction(bench.database.pool, (client) =>
    openQueue().enqueue(client, [{ executionId: id }]),
  );
}

async function otherAccount(): Promise<string> {
  const id = newId();
  await bench.database.pool.query(
    `insert into linked_account (id, org_id, environment, account_id) values ($1, $2, 'test', 'bob')`,
    [id, bench.tenant.orgId],
  );
  return id;
}

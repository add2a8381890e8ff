import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { insertWorker } from '#db/worker';
import { flushJournal } from '#db/journal-flush';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { systemClock } from '#domain/clock';
import { newId } from '#domain/ids';
import { createEngine, type Engine, nodeRegistry, type NodeServices, type StartInput } from '#engine/index';
import { done, failed } from '#engine/nodes/node-type';
import { response } from '#engine/nodes/response';
import { rule } from '#engine/nodes/rule';
import { start } from '#engine/nodes/start';
import { assertNoWaitLeft, endOf, published, scriptedNode } from '#engine/testing';
import { testVault } from '#vault/testing';

let database: TestDatabase;
let engine: Engine;
const vault = testVault();
const tenant = { orgId: newId(), environment: 'test' as const };
const linkedAccount = { id: newId(), accountId: 'ann' };
const { act, acts } = scriptedNode();

before(async () => {
  database = await createTestDatabase();
  const { pool } = database;
  await pool.query(`insert into organization (id, name, slug) values ($1, 'T', 't')`, [tenant.orgId]);
  await pool.query(
    `insert into linked_account (id, org_id, environment, account_id, udf) values ($1, $2, 'test', 'ann', '[{"key_name":"plan","key_value":"gold"}]')`,
    [linkedAccount.id, tenant.orgId],
  );
  engine = await openEngine();
  engine.start();
});
after(async () => {
  await engine.drain(2_000);
  await database.drop();
});

function openEngine(options: { queueLimit?: number } = {}): Promise<Engine> {
  return createEngine(
    {
      pool: database.pool,
      db: database.db,
      clock: systemClock,
      log: pino({ level: 'silent' }),
      vault,
      services: {} as NodeServices,
    },
    {
      databaseUrl: database.url,
      concurrency: 50,
      registry: nodeRegistry([start, response, rule, act]),
      ...options,
    },
  );
}

type Node = readonly [id: string, type: string, data?: Record<string, unknown>];
function draft(
  nodes: readonly Node[],
  edges: readonly (readonly [string, string, string?])[],
  settings = {},
): StartInput {
  return {
    workflowId: newId(),
    document: {
      nodes: [['1', 'start'] as Node, ...nodes].map(([id, node_type, data = {}]) => ({
        id,
        node_type,
        name: `Node ${id}`,
        data,
      })),
      edges: edges.map(([source, target, source_handle]) => ({ source, target, source_handle })),
      settings,
    },
    linkedAccount,
    configId: 'ann',
    source: 'api_call',
    payload: { n: 7 },
  };
}

const ended = (executionId: string) => endOf(engine, tenant, executionId);

const statuses = (detail: Awaited<ReturnType<typeof ended>>) =>
  detail.nodes.map((node) => `${node.nodeId} ${node.status}`);

test('a rule takes one side, and nodes of the other side leave no trace', async () => {
  const { executionId } = await engine.startExecution(
    tenant,
    draft(
      [
        ['2', 'rule', { conditions: [{ variable: '{{event.n}}', operator: 'gt', value: 5 }] }],
        ['3', 'act', { name: 'yes', value: '{{event.n}}' }],
        ['4', 'act', { name: 'no' }],
        ['5', 'response', { data: '{{node.3.body}}' }],
      ],
      [
        ['1', '2'],
        ['2', '3', 'true'],
        ['2', '4', 'false'],
        ['3', '5'],
        ['4', '5'],
      ],
    ),
  );
  const detail = await ended(executionId);
  assert.deepEqual(statuses(detail), ['1 success', '2 success', '3 success', '5 success']);
  assert.equal((await engine.readAnswer(tenant, executionId)).answer, 7);
  assert.equal(detail.header.finishedNodeCount, 5);
});

test('a failure ends the run; nothing new starts, what is in flight ends', async () => {
  const gate = Promise.withResolvers<void>();
  acts.set('fails', () =>
    failed({ message: 'It refused.', status: 422, body: { why: 'no' }, retry: 'never' }),
  );
  acts.set('slow', async () => {
    await gate.promise;
    return done('late');
  });
  const { executionId } = await engine.startExecution(
    tenant,
    draft(
      [
        ['2', 'act', { name: 'slow' }],
        ['3', 'act', { name: 'fails' }],
        ['4', 'act', { name: 'after' }],
      ],
      [
        ['1', '2'],
        ['1', '3'],
        ['2', '4'],
      ],
    ),
  );
  setTimeout(gate.resolve, 50);
  const detail = await ended(executionId);
  assert.deepEqual(statuses(detail).sort(), ['1 success', '2 success', '3 errored']);
  assert.equal(detail.header.state, 'errored');
  assert.equal(detail.header.failedNodeId, '3');
  assert.deepEqual(detail.nodes.find((node) => node.nodeId === '3')?.error, {
    message: 'It refused.',
    status: 422,
    body: { why: 'no' },
  });
});

test('a failure that is skipped is seen by the nodes behind it, and the run completes', async () => {
  const answer = await engine.runSync(tenant, {
    ...draft(
      [
        ['2', 'act', { name: 'fails', skip_on_error: true }],
        ['3', 'response', { data: '{{node.2.body.message}}' }],
      ],
      [
        ['1', '2'],
        ['2', '3'],
      ],
    ),
    timeoutMs: 5_000,
  });
  assert.equal(answer.returnValue, 'It refused.');
  assert.equal(answer.isErrored, false);
});

test('a node whose conditions do not hold is passed over', async () => {
  const condition = {
    match: 'all',
    conditions: [{ variable: '{{linked_account.udf.plan}}', operator: 'eq', value: 'iron' }],
  };
  const { executionId } = await engine.runSync(tenant, {
    ...draft(
      [
        ['2', 'act', { name: 'x', node_conditions: condition }],
        ['3', 'act', { name: 'y' }],
      ],
      [
        ['1', '2'],
        ['2', '3'],
      ],
    ),
    timeoutMs: 5_000,
  });
  assert.deepEqual(statuses(await ended(executionId)), ['1 success', '2 rejected', '3 success']);
});

test('each attempt is a row with the same idempotency key, and a later success is what counts', async () => {
  const keys: string[] = [];
  acts.set('third time', ({ idempotencyKey, attempt }) => {
    keys.push(idempotencyKey);
    return attempt < 3 ? failed({ message: 'busy', status: 503, retry: 'unknown' }) : done('ok');
  });
  const { executionId } = await engine.runSync(tenant, {
    ...(await published(
      database.pool,
      tenant,
      draft(
        [['2', 'act', { name: 'third time', retry_policy: { strategy: 'Fixed', delay: 1 } }]],
        [['1', '2']],
      ),
    )),
    timeoutMs: 5_000,
  });
  const node = (await ended(executionId)).nodes[1]!;
  assert.deepEqual(
    keys,
    Array.from({ length: 3 }, () => `${executionId}:2:0`),
  );
  assert.deepEqual(
    node.attempts.map(({ attempt, kind, status }) => [attempt, kind, status]),
    [
      [1, 'start', null],
      [1, 'outcome', 'retrying'],
      [2, 'start', null],
      [2, 'outcome', 'retrying'],
      [3, 'start', null],
      [3, 'outcome', 'success'],
    ],
  );
});

test('a retry that is far away gives the run back until then, and a stop ends it there', async () => {
  acts.set('far away', () => failed({ message: 'later', status: 429, retry: 'safe', retryAfterMs: 60_000 }));
  const { executionId } = await engine.startExecution(
    tenant,
    await published(database.pool, tenant, draft([['2', 'act', { name: 'far away' }]], [['1', '2']])),
  );
  const deadline = Date.now() + 5_000;
  while ((await engine.read(tenant, executionId)).header.state !== 'waiting') {
    assert.ok(Date.now() < deadline, 'it was never suspended');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { rows } = await database.pool.query(
    "select reason, due_at > now() + interval '50 s' as far from wait where execution_id = $1",
    [executionId],
  );
  assert.deepEqual(rows, [{ reason: 'retry', far: true }]);
  await engine.stop(tenant, executionId);
  assert.equal((await ended(executionId)).header.state, 'stopped');
  await assert.rejects(engine.stop(tenant, executionId), { code: 'wrong_state' });
});

test('a suspended run goes on where it was when its time has come', async () => {
  const ran = { before: 0, soon: 0 };
  acts.set('before', () => done((ran.before += 1)));
  acts.set('soon', () => {
    ran.soon += 1;
    return ran.soon === 1
      ? failed({ message: 'later', status: 429, retry: 'safe', retryAfterMs: 5_100 })
      : done('now');
  });
  const { executionId } = await engine.startExecution(
    tenant,
    await published(
      database.pool,
      tenant,
      draft(
        [
          ['2', 'act', { name: 'before' }],
          ['3', 'act', { name: 'soon' }],
          ['4', 'response', { data: '{{node.2.body}} {{node.3.body}}' }],
        ],
        [
          ['1', '2'],
          ['2', '3'],
          ['3', '4'],
        ],
      ),
    ),
  );
  const detail = await ended(executionId);
  assert.equal(detail.header.state, 'completed');
  assert.equal((await engine.readAnswer(tenant, executionId)).answer, '1 now');
  assert.deepEqual(ran, { before: 1, soon: 2 });
  await assertNoWaitLeft(database.pool, executionId);
});

test('a run that takes longer than its timeout ends as timed out and its call is aborted', async () => {
  let isAborted = false;
  acts.set('hangs', (ctx) => {
    ctx.signal.addEventListener('abort', () => (isAborted = true));
    return new Promise(() => {});
  });
  const { executionId } = await engine.startExecution(
    tenant,
    draft([['2', 'act', { name: 'hangs' }]], [['1', '2']], { timeout: 1 }),
  );
  const detail = await ended(executionId);
  assert.equal(detail.header.state, 'timed_out');
  assert.deepEqual(statuses(detail), ['1 success', '2 timed_out']);
  assert.ok(isAborted);
});

test('a value above 32 KiB goes by reference, comes back whole, and is stored once', async () => {
  const large = { text: 'é'.repeat(40_000), nul: '\u0000', lone: '\ud800' };
  acts.set('large', () => done(large));
  const run = () =>
    engine.runSync(tenant, {
      ...draft(
        [
          ['2', 'act', { name: 'large' }],
          ['3', 'response', { data: '{{node.2.body}}' }],
        ],
        [
          ['1', '2'],
          ['2', '3'],
        ],
      ),
      timeoutMs: 5_000,
    });
  const [answer] = [await run(), await run()];
  assert.deepEqual(answer.returnValue, large);
  const detail = await ended(answer.executionId);
  assert.deepEqual(detail.nodes[1]?.output, JSON.parse(JSON.stringify(large)));
  const { rows } = await database.pool.query(
    `select count(*)::int as count from blob where content like '%éé%'`,
  );
  // Of both runs together: the value, and the answer node's settings around it.
  assert.equal(rows[0].count, 2);
});

test('a bug in a node fails that run with words of ours and harms no other', async () => {
  acts.set('bug', () => {
    throw new TypeError('secret detail');
  });
  const answer = await engine.runSync(tenant, {
    ...draft([['2', 'act', { name: 'bug', retry_policy: { max_attempts: 1 } }]], [['1', '2']]),
    timeoutMs: 5_000,
  });
  assert.equal(answer.isErrored, true);
  assert.equal(answer.error?.message.includes('secret detail'), false);
});

test('a setting that is wrong fails its node and is named', async () => {
  const answer = await engine.runSync(tenant, {
    ...draft([['2', 'act', { effect: 'wild' }]], [['1', '2']]),
    timeoutMs: 5_000,
  });
  assert.match(answer.error?.message ?? '', /^effect: /);
});

test('a worker that was declared dead writes nothing', async () => {
  const workerId = newId();
  await insertWorker(database.pool, workerId);
  const row = {
    executionId: newId(),
    seq: 1,
    tenant,
    nodeId: '2',
    batch: '',
    attempt: 1,
    kind: 'start',
    at: new Date(),
  } as const;
  assert.equal((await flushJournal(database.pool, { workerId, rows: [row], endings: [] })).isAlive, true);
  await database.pool.query('update worker set is_alive = false where id = $1', [workerId]);
  const refused = await flushJournal(database.pool, { workerId, rows: [{ ...row, seq: 2 }], endings: [] });
  assert.equal(refused.isAlive, false);
  const { rows } = await database.pool.query('select seq from journal where execution_id = $1', [
    row.executionId,
  ]);
  assert.deepEqual(rows, [{ seq: 1 }]);
});

test('an end is written once: a second one for the same execution changes nothing', async () => {
  const { executionId } = await engine.runSync(tenant, { ...draft([], []), timeoutMs: 5_000 });
  const { header } = await ended(executionId);
  const workerId = newId();
  await insertWorker(database.pool, workerId);
  await flushJournal(database.pool, {
    workerId,
    rows: [],
    endings: [{ executionId, state: 'errored', nodeCount: 1, finishedNodeCount: 1, at: new Date() }],
  });
  assert.deepEqual((await ended(executionId)).header, header);
});

test('a full queue refuses more, naming the limit', async () => {
  const small = await openEngine({ queueLimit: 2 });
  const held = draft([['2', 'act', { name: 'hold' }]], [['1', '2']]);
  const account = { ...held, linkedAccount: { id: newId(), accountId: 'busy' } };
  try {
    await Promise.all([small.startExecution(tenant, account), small.startExecution(tenant, account)]);
    await assert.rejects(small.startExecution(tenant, account), {
      code: 'queue_full',
      message: /2 executions waiting/,
    });
  } finally {
    await small.drain(100);
  }
});

test('another tenant cannot read, stop or rerun an execution', async () => {
  const { executionId } = await engine.runSync(tenant, { ...draft([], []), timeoutMs: 5_000 });
  for (const other of [
    { ...tenant, environment: 'production' as const },
    { ...tenant, orgId: newId() },
  ]) {
    await assert.rejects(engine.read(other, executionId), { code: 'execution_not_found' });
    await assert.rejects(engine.stop(other, executionId), { code: 'execution_not_found' });
    await assert.rejects(engine.rerun(other, executionId), { code: 'execution_not_found' });
  }
});

test('an event starts each workflow that listens; a repeat with the same key starts nothing and is recorded', async () => {
  const workflowId = newId();
  await database.pool.query(
    `insert into workflow (id, draft_id, org_id, environment, linked_account_id, name, draft, published_version, trigger_kind, trigger_event)
     values ($1, $1 || 'd', $2, 'test', $3, 'On contact', '{}', 1, 'event', 'contact')`,
    [workflowId, tenant.orgId, linkedAccount.id],
  );
  await database.pool.query(
    `insert into workflow_version (id, org_id, environment, workflow_id, version, document) values ($1, $2, 'test', $1, 1, $3)`,
    [workflowId, tenant.orgId, JSON.stringify(draft([], []).document)],
  );
  const fire = (dedupKey?: string) =>
    engine.acceptEvent(tenant, {
      event: 'contact',
      payload: { id: 1 },
      linkedAccount,
      configId: 'ann',
      dedup: dedupKey === undefined ? undefined : { scope: 'contact', key: dedupKey, windowS: 300 },
    });
  const answers = await Promise.all([fire('k'), fire('k'), fire('other'), fire()]);
  assert.equal(answers.filter(({ isDuplicate }) => isDuplicate).length, 1);
  assert.equal((await fire('k')).isDuplicate, true);
  for (const id of answers.flatMap(({ executionIds }) => executionIds)) {
    assert.equal((await ended(id)).header.triggerEvent, 'contact');
  }
  const { rows } = await database.pool.query(
    `select is_duplicate, execution_count from inbox where event = 'contact' order by id`,
  );
  assert.equal(rows.length, 5);
  assert.equal(rows.filter((row) => row.is_duplicate).length, 2);
  assert.deepEqual(
    (await engine.acceptEvent(tenant, { event: 'nobody', payload: {}, linkedAccount, configId: 'ann' }))
      .executions,
    0,
  );
});

test('a run that was lost with its workers too often ends as errored, and stays so', async () => {
  const gate = Promise.withResolvers<void>();
  acts.set('held', async () => {
    await gate.promise;
    return done('late');
  });
  const { executionId } = await engine.startExecution(
    tenant,
    draft([['2', 'act', { name: 'held' }]], [['1', '2']]),
  );
  const dead = newId();
  await insertWorker(database.pool, dead);
  await database.pool.query('update worker set is_alive = false where id = $1', [dead]);
  const deadline = Date.now() + 5_000;
  for (let taken: number | null = 0; taken !== 1;) {
    assert.ok(Date.now() < deadline, 'it was never claimed');
    ({ rowCount: taken } = await database.pool.query(
      `update execution set owner = $1, lost_count = 4 where id = $2 and state = 'running'`,
      [dead, executionId],
    ));
  }
  const { header } = await ended(executionId);
  assert.equal(header.state, 'errored');
  assert.match(header.errorText ?? '', /lost 5 times, so it is not tried again/);
  gate.resolve();
  await assert.rejects(engine.stop(tenant, executionId), /ended already \(errored\)/);
  assert.equal((await ended(executionId)).header.state, 'errored');
});

test('an output beyond the limit fails its node, naming both sizes', async () => {
  acts.set('huge', () => done('x'.repeat(30 * 1024 * 1024)));
  const { executionId, isErrored, error } = await engine.runSync(tenant, {
    ...draft([['2', 'act', { name: 'huge', effect: 'none' }]], [['1', '2']]),
    timeoutMs: 10_000,
  });
  assert.equal(isErrored, true);
  assert.match(error?.message ?? '', /30\.0 MiB of JSON; a node may hand on 16\.0 MiB at most/);
  assert.equal((await ended(executionId)).nodes[1]?.attempts.at(-1)?.output ?? null, null);
});

test('an output of 3 MB goes through whole', async () => {
  const big = 'y'.repeat(3 * 1024 * 1024);
  acts.set('big', () => done({ big }));
  const { returnValue } = await engine.runSync(tenant, {
    ...draft(
      [
        ['2', 'act', { name: 'big' }],
        ['3', 'response', { data: '{{node.2.body.big}}' }],
      ],
      [
        ['1', '2'],
        ['2', '3'],
      ],
    ),
    timeoutMs: 10_000,
  });
  assert.equal(returnValue, big);
});

test('sync calls of a workflow with a limit of one wait for each other, and each gets its own answer', async () => {
  let running = 0;
  let most = 0;
  acts.set('alone', async (_ctx, value) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return done(value);
  });
  const workflow = await published(
    database.pool,
    tenant,
    draft(
      [
        ['2', 'act', { name: 'alone', value: '{{event.n}}' }],
        ['3', 'response', { data: '{{node.2.body}}' }],
      ],
      [
        ['1', '2'],
        ['2', '3'],
      ],
      { concurrency: { limit: 1 } },
    ),
  );
  const answers = await Promise.all(
    [1, 2, 3].map((n) => engine.runSync(tenant, { ...workflow, payload: { n }, timeoutMs: 10_000 })),
  );
  assert.deepEqual(
    answers.map(({ isFinished, isErrored, returnValue }) => ({ isFinished, isErrored, returnValue })),
    [1, 2, 3].map((returnValue) => ({ isFinished: true, isErrored: false, returnValue })),
  );
  assert.equal(most, 1);
});

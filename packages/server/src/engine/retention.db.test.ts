import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { z } from 'zod';
import { deleteOldLogs } from '#db/retention';
import { idFloor, newId } from '#domain/ids';
import { nodeRegistry, responseOf } from '#engine/index';
import { done, nodeType, suspended } from '#engine/nodes/node-type';
import { response } from '#engine/nodes/response';
import { start } from '#engine/nodes/start';
import { subFlow } from '#engine/nodes/sub-flow';
import { enforceRetention } from '#engine/retention';
import { openTestEngine, type TestEngine } from '#engine/testing';

const dayMs = 86_400_000;
const kept = { defaultDays: 30, maximumDays: 365 };
let bench: TestEngine;
let echo: string;

const gate = nodeType({
  type: 'gate',
  label: 'Gate',
  group: 'control',
  help: 'Waits for its token, which is the id of its execution.',
  effect: 'none',
  fields: {},
  settings: z.object({}),
  run: (_settings, { executionId, now }) =>
    suspended({ reason: 'webhook', token: executionId, dueAt: new Date(now.getTime() + 300 * dayMs) }),
  resume: () => done('resumed'),
});

before(async () => {
  bench = await openTestEngine({ registry: nodeRegistry([start, response, subFlow, gate]), isIdle: true });
  // Its own housekeeping keeps everything: the tests say when something goes.
  await bench.another({ retention: { defaultDays: 3_650, maximumDays: 3_650 } });
  await bench.database.pool.query(`select inlay_make_partitions(now() - interval '100 days', 20)`);
  echo = await bench.publish([['2', 'response', { data: '{{event.text}}' }]], [['1', '2']]);
});
after(() => bench.close());

/** Enforces retention as if it were so many days ago. */
async function enforce(daysAgo = 0, retention = kept) {
  const { pool } = bench.database;
  const clock = { now: () => new Date(Date.now() - daysAgo * dayMs) };
  for (;;) {
    const done = await enforceRetention({ pool, clock, log: pino({ level: 'silent' }) }, retention);
    if (done !== undefined) return done;
  }
}

/** A value that is too large for a row, unlike any other. */
const large = () => newId() + 'x'.repeat(40_000);

/** Makes executions as old as if they had begun so many days ago, with all that belongs to them. */
async function age(ids: readonly string[], days: number, orgId = bench.tenant.orgId): Promise<string[]> {
  const { pool } = bench.database;
  const aged: string[] = [];
  for (const id of ids) {
    const old = idFloor(new Date(Date.now() - days * dayMs)).slice(0, 12) + id.slice(12);
    await pool.query('update execution set id = $2, org_id = $3 where id = $1', [id, old, orgId]);
    await pool.query('update execution set parent_execution_id = $2 where parent_execution_id = $1', [
      id,
      old,
    ]);
    await pool.query('update journal set execution_id = $2, org_id = $3 where execution_id = $1', [
      id,
      old,
      orgId,
    ]);
    await pool.query('update wait set execution_id = $2 where execution_id = $1', [id, old]);
    await pool.query('update child_execution set child_execution_id = $2 where child_execution_id = $1', [
      id,
      old,
    ]);
    await pool.query('update child_execution set parent_execution_id = $2 where parent_execution_id = $1', [
      id,
      old,
    ]);
    await pool.query(
      `update blob set used_on = current_date - $2::int, org_id = $3 where hash in (
         select unnest(array[input_blob, output_blob]) from journal where execution_id = $1)`,
      [old, days, orgId],
    );
    aged.push(old);
  }
  return aged;
}

async function ended(text: string): Promise<string> {
  const id = await bench.start(echo, { text });
  assert.equal((await bench.ended(id)).header.state, 'completed');
  return id;
}

/** How many rows are left of an execution: header, journal, values that its journal refers to or that it alone did. */
async function left(id: string): Promise<{ executions: number; steps: number }> {
  const { rows } = await bench.database.pool.query(
    `select (select count(*)::int from execution where id = $1) as executions,
       (select count(*)::int from journal where execution_id = $1) as steps`,
    [id],
  );
  return rows[0];
}

const count = async (query: string, ...values: unknown[]): Promise<number> =>
  (await bench.database.pool.query<{ count: number }>(`select count(*)::int as count from ${query}`, values))
    .rows[0]!.count;

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const gone = { executions: 0, steps: 0 };

test('§21 #15: logs whose time is over are dropped by the week, whole, and their large values with them', async () => {
  const [old, young] = await Promise.all([ended(large()), ended(large())]);
  const [aged] = await age([old], 45);
  const [recent] = await age([young], 20);
  await bench.database.pool.query(
    `insert into inbox (id, org_id, environment, event, linked_account_id, config_id, received_at)
     values ($1, $2, 'test', 'e', 'a', 'c', now())`,
    [idFloor(new Date(Date.now() - 45 * dayMs)), bench.tenant.orgId],
  );
  // Its payload, its setting and its answer.
  assert.equal(await count('blob'), 6);
  // By a clock that is 20 days behind, nothing of it is 30 days old.
  assert.deepEqual((await enforce(20)).executions, 0);
  assert.equal((await left(aged!)).executions, 1);
  // What is done by the week deletes no row.
  const dropped = await enforce();
  assert.ok(dropped.weeks > 0 && dropped.executions === 0, JSON.stringify(dropped));
  assert.deepEqual(await left(aged!), gone);
  assert.equal(await count('inbox'), 0);
  assert.equal(await count('blob'), 3);
  const detail = await bench.engine.read(bench.tenant, recent!, undefined, { isWhole: true });
  assert.equal((responseOf(detail) as string).length, 40_024);
  assert.deepEqual(await enforce(), { weeks: 0, executions: 0 });
});

test('an organisation that keeps less loses what is older, row by row, and nobody else does', async () => {
  const { pool } = bench.database;
  const other = newId();
  await pool.query(`insert into organization (id, name, slug, log_retention_days) values ($1, 'O', $1, 7)`, [
    other,
  ]);
  const texts = [large(), large(), large()];
  const [a, b, mine] = await Promise.all(texts.map(ended));
  const [theirs] = await age([a!], 10, other);
  const [recent] = await age([b!], 5, other);
  const [ours] = await age([mine!], 10);
  await pool.query(
    `insert into inbox (id, org_id, environment, event, linked_account_id, config_id, received_at)
     values ($1, $2, 'test', 'e', 'a', 'c', now()), ($3, $2, 'test', 'e', 'a', 'c', now())`,
    [idFloor(new Date(Date.now() - 10 * dayMs)), other, idFloor(new Date(Date.now() - 5 * dayMs))],
  );
  await pool.query(
    `insert into human_task (id, org_id, environment, execution_id, node_id, token_hash, title, receivers, form_sealed,
       due_at, created_at, updated_at) values ($1, $2, 'test', $3, '2', '\\x01', 't', '{}', '\\x02', now(), now(), now())`,
    [newId(), other, theirs],
  );
  assert.deepEqual(await enforce(), { weeks: 0, executions: 1 });
  assert.deepEqual(await left(theirs!), gone);
  assert.equal(await count('human_task'), 0);
  assert.deepEqual(
    [(await left(recent!)).executions, (await left(ours!)).executions, await count('inbox')],
    [1, 1, 1],
  );
  assert.equal(await count('blob where org_id = $1', other), 3);
  // The most that the installation allows wins over what was chosen before, and over its own default.
  await pool.query('update organization set log_retention_days = null where id = $1', [other]);
  assert.equal(
    (await enforce(0, { defaultDays: 30, maximumDays: 4 })).executions,
    0,
    'it is the longest now: by week',
  );
});

test('what is half deleted is not there: nobody goes on from a part of a log', async () => {
  const { pool } = bench.database;
  const [old] = await age([await ended('half')], 10);
  await pool.query(`update execution set state = 'errored' where id = $1`, [old]);
  const overdue = { tenant: bench.tenant, before: new Date(Date.now() - 7 * dayMs) };
  // The process ends between two of its steps.
  const ends = [false, false, true];
  await deleteOldLogs(pool, overdue, () => ends.shift() ?? true);
  assert.equal((await left(old!)).executions, 1);
  await assert.rejects(
    bench.engine.retry(bench.tenant, old!, { from: 'failure' }),
    /not found|no execution/i,
  );
  await assert.rejects(bench.engine.rerun(bench.tenant, old!), /not found|no execution/i);
  await deleteOldLogs(pool, overdue);
  assert.deepEqual(await left(old!), gone);
});

test('what waits stays, however old, with its values and the answer of its child; the week around it goes', async () => {
  const child = await bench.publish([['2', 'response', { data: 'of the child' }]], [['1', '2']]);
  const workflow = await bench.publish(
    [
      ['2', 'sub_flow', { workflow: child, payload: {}, wait_for_completion: true }],
      ['3', 'gate'],
      ['4', 'response', { data: ['{{event.text}}', '{{node.2.body.return_value}}'] }],
    ],
    [
      ['1', '2'],
      ['2', '3'],
      ['3', '4'],
    ],
  );
  const text = large();
  const waiting = await bench.start(workflow, { text });
  await until(async () => (await count(`wait where execution_id = $1 and node_id = '3'`, waiting)) === 1);
  await bench.reached(waiting, 'waiting');
  const { rows } = await bench.database.pool.query<{ id: string }>(
    'select id from execution where parent_execution_id = $1',
    [waiting],
  );
  const beside = await ended(large());
  await bench.database.pool.query(`select inlay_make_partitions(now() - interval '70 days', 3)`);
  const [parent, childId, other] = await age([waiting, rows[0]!.id, beside], 60);
  // Where more lives than may be moved, the week stays as it is.
  const { rows: weeks } = await bench.database.pool.query<{ is_dropped: boolean }>(
    `select inlay_drop_week(inlay_id_floor(w), inlay_id_floor(w + interval '7 days'), 0) as is_dropped
     from (select date_trunc('week', now() - interval '60 days', 'UTC') as w) week`,
  );
  assert.deepEqual([weeks, (await left(other!)).executions], [[{ is_dropped: false }], 1]);
  const found = await enforce();
  assert.ok(found.weeks >= 1, JSON.stringify(found));
  assert.deepEqual(await left(other!), gone);
  assert.equal(await bench.state(parent!), 'waiting');
  assert.equal((await left(childId!)).executions, 1);
  assert.deepEqual(await enforce(), { weeks: 0, executions: 0 });
  assert.ok(await bench.engine.resume(waiting, null));
  const [answered, childAnswer] = responseOf(await bench.ended(parent!)) as string[];
  assert.ok(answered === text);
  assert.equal(childAnswer, 'of the child');
  // Now nothing holds them any longer.
  assert.deepEqual(await enforce(), { weeks: 0, executions: 2 });
  assert.deepEqual([await left(parent!), await left(childId!)], [gone, gone]);
  assert.equal(await count('child_execution'), 0);
});

test('while somebody reads the logs for long, nobody is kept waiting: the week is dropped another time', async () => {
  const { pool } = bench.database;
  await pool.query(`select inlay_make_partitions(now() - interval '70 days', 1)`);
  const dump = await pool.connect();
  try {
    await dump.query('begin');
    await dump.query('lock table execution in access share mode');
    assert.equal((await enforce()).weeks, 0);
    await dump.query('commit');
  } finally {
    dump.release();
  }
  assert.equal((await enforce()).weeks, 1);
});

test('while another process looks after the logs nothing is done twice', async () => {
  const { pool } = bench.database;
  const other = await pool.connect();
  try {
    await other.query('select pg_advisory_lock(734881223)');
    const deps = { pool, clock: bench.clock, log: pino({ level: 'silent' }) };
    assert.equal(await enforceRetention(deps, kept), undefined);
  } finally {
    await other.query('select pg_advisory_unlock_all()');
    other.release();
  }
});

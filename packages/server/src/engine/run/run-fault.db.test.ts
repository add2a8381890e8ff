import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { z } from 'zod';
import { unknownOutcomesQueue } from '#db/recovery-queue';
import { newId } from '#domain/ids';
import { nodeRegistry, responseOf } from '#engine/index';
import { loop } from '#engine/nodes/loop';
import { done, nodeType, suspended, type NodeOutcome } from '#engine/nodes/node-type';
import { response } from '#engine/nodes/response';
import { start } from '#engine/nodes/start';
import type { ExecutionDetail } from '#engine/read/read-executions';
import { openTestEngine, type TestEngine } from '#engine/testing';

let bench: TestEngine;
const acts = new Map<string, () => NodeOutcome | Promise<NodeOutcome>>();

const kind = (type: string, effect: 'none' | 'repeatable') =>
  nodeType({
    type,
    label: type,
    group: 'app',
    help: 'Does what the test says.',
    effect,
    fields: {},
    settings: z.object({ name: z.string().default('') }),
    run: ({ name }) => acts.get(name)?.() ?? done(name),
  });

before(async () => {
  const registry = nodeRegistry([start, response, loop, kind('pure', 'none'), kind('act', 'repeatable')]);
  bench = await openTestEngine({ registry });
  // What the database is told to say when a row of a node is written, and how often.
  await bench.database.pool.query(`
    create table fault (node_id text primary key, code text not null, most integer not null);
    create sequence fault_count;
    create function fail_on_purpose() returns trigger language plpgsql as $$
      declare f fault;
      begin
        select * into f from fault where node_id = new.node_id;
        -- A sequence counts what is rolled back as well.
        if f.code is not null and nextval('fault_count') <= f.most then
          raise exception 'on purpose' using errcode = f.code;
        end if;
        return new;
      end $$;
    create trigger fail_on_purpose before insert on journal for each row execute function fail_on_purpose();
  `);
});
after(() => bench.close());
afterEach(() => bench.database.pool.query('delete from fault'));

async function failAt(nodeId: string, code: string, most: number): Promise<void> {
  const { pool } = bench.database;
  await pool.query('delete from fault');
  await pool.query('alter sequence fault_count restart');
  await pool.query('insert into fault values ($1, $2, $3)', [nodeId, code, most]);
}

/** Waits for its end; what was put off comes at once. */
async function hurried(executionId: string): Promise<ExecutionDetail> {
  const { engine, tenant, database } = bench;
  const deadline = Date.now() + 60_000;
  for (;;) {
    const detail = await engine.read(tenant, executionId);
    if (detail.header.finishedAt !== null) return detail;
    assert.ok(Date.now() < deadline, `still ${detail.header.state}`);
    await database.pool.query('update queue_delayed set due_at = now()');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const threeNodes = (): Promise<string> =>
  bench.publish(
    [
      ['2', 'act', { name: 'two' }],
      ['3', 'pure', { name: 'three' }],
      ['4', 'response', { data: '{{node.2.body}} {{node.3.body}}' }],
    ],
    [
      ['1', '2'],
      ['2', '3'],
      ['3', '4'],
    ],
  );

for (const [code, nodeId, what] of [
  ['40P01', '2', 'a lost deadlock'],
  ['57P01', '3', 'a server that is shut down'],
  ['53100', '3', 'a full disk'],
  ['XX000', '2', 'an error that nobody knows'],
  ['XX000', '3', 'an error that nobody knows, of a row that nobody waits for,'],
  ['23505', '2', 'a key that somebody else was writing'],
] as const) {
  test(`${what} ends no execution (${code})`, async () => {
    await failAt(nodeId, code, 2);
    const detail = await hurried(await bench.start(await threeNodes()));
    assert.equal(detail.header.errorText, null);
    assert.equal(responseOf(detail), 'two three');
  });
}

test('an execution that breaks each time it is recorded ends as errored, and says where and why', async () => {
  await failAt('2', 'XX000', 1_000);
  const detail = await hurried(await bench.start(await threeNodes()));
  assert.equal(detail.header.state, 'errored');
  assert.match(
    detail.header.errorText ?? '',
    /^It could not go on, 5 times over, .*: on purpose \(XX000\) at "Node 2"\.$/,
  );
  assert.equal(detail.header.failedNodeId, '2');
});

test('a run that breaks while its rows are on their way is gone on with when they are written', async () => {
  const { pool } = bench.database;
  await pool.query(`
    create function fail_to_wait() returns trigger language plpgsql as $$
      begin raise exception 'on purpose' using errcode = 'XX000'; end $$;
    create trigger fail_to_wait before insert on wait for each row execute function fail_to_wait();
    create function be_slow() returns trigger language plpgsql as $$
      begin
        if new.node_id = '2' and new.kind = 'outcome' then perform pg_sleep(0.6); end if;
        return new;
      end $$;
    create trigger be_slow before insert on journal for each row execute function be_slow();
  `);
  let sent = 0;
  let tries = 0;
  const isSent = Promise.withResolvers<void>();
  acts.set('sent', () => {
    sent += 1;
    isSent.resolve();
    return done('sent');
  });
  acts.set('waits', async () => {
    await isSent.promise;
    tries += 1;
    return tries === 1 ? suspended({ reason: 'webhook', token: 'fault' }) : done('waited');
  });
  try {
    const workflow = await bench.publish(
      [
        ['2', 'act', { name: 'sent' }],
        ['3', 'act', { name: 'waits' }],
      ],
      [
        ['1', '2'],
        ['1', '3'],
      ],
    );
    const { header } = await hurried(await bench.start(workflow));
    assert.equal(header.state, 'completed', header.errorText ?? '');
    assert.deepEqual([sent, tries], [1, 2]);
  } finally {
    await pool.query('drop trigger fail_to_wait on wait; drop trigger be_slow on journal');
  }
});

test('a value that the database refuses ends its execution, naming the node, though nobody waits for the row', async () => {
  acts.set('nul', () => done(null, 'left\u0000right'));
  const workflow = await bench.publish(
    [
      ['2', 'pure', { name: 'nul' }],
      ['3', 'act', { name: 'three' }],
    ],
    [
      ['1', '3'],
      ['1', '2'],
    ],
  );
  const { header } = await bench.ended(await bench.start(workflow));
  assert.equal(header.state, 'errored');
  assert.match(header.errorText ?? '', /^The database cannot store what "Node 2" gave: .*\(22021\)/);
  assert.equal(header.failedNodeId, '2');
});

test('one refused row in a loop of pure nodes is not lost among thousands', async () => {
  let calls = 0;
  acts.set('nul once', () => done(null, (calls += 1) === 50 ? 'a\u0000' : 'next'));
  const workflow = await bench.publish(
    [
      ['2', 'loop', { mode: 'fixed', count: 3_000 }],
      ['3', 'pure', { name: 'nul once' }, { parent_id: '2' }],
    ],
    [['1', '2']],
  );
  const id = await bench.start(workflow);
  const { header } = await bench.ended(id);
  assert.equal(header.state, 'errored');
  assert.match(header.errorText ?? '', /cannot store what "Node 3" gave/);
  const { rows } = await bench.database.pool.query<{ is_whole: boolean }>(
    'select max(seq) = count(*) - 1 as is_whole from journal where execution_id = $1',
    [id],
  );
  assert.deepEqual(
    rows,
    [{ is_whole: true }],
    'nothing stands in the journal behind the row that is missing',
  );
});

test('executions beside one that cannot be recorded are recorded', async () => {
  acts.set('nul', () => done(null, 'left\u0000right'));
  const bad = await bench.publish([['2', 'pure', { name: 'nul' }]], [['1', '2']]);
  const good = await threeNodes();
  const ids = await Promise.all(Array.from({ length: 40 }, (_, n) => bench.start(n % 2 === 0 ? good : bad)));
  const states = await Promise.all(ids.map(async (id) => (await bench.ended(id)).header.state));
  assert.deepEqual(
    states,
    ids.map((_, n) => (n % 2 === 0 ? 'completed' : 'errored')),
  );
});

test('many calls of unknown outcome at the same moment make one queue for them', async () => {
  const tenant = { orgId: newId(), environment: 'test' as const };
  const { pool } = bench.database;
  await pool.query(`insert into organization (id, name, slug) values ($1, 'Q', $1)`, [tenant.orgId]);
  const ids = await Promise.all(Array.from({ length: 20 }, () => unknownOutcomesQueue(pool, tenant)));
  assert.equal(new Set(ids).size, 1);
});

test('a queue that somebody made under that name before becomes the one', async () => {
  const tenant = { orgId: newId(), environment: 'test' as const };
  const { pool } = bench.database;
  await pool.query(`insert into organization (id, name, slug) values ($1, 'Q', $1)`, [tenant.orgId]);
  const id = newId();
  await pool.query(
    `insert into recovery_queue (id, org_id, environment, name) values ($1, $2, 'test', 'Unknown outcomes')`,
    [id, tenant.orgId],
  );
  assert.equal(await unknownOutcomesQueue(pool, tenant), id);
});

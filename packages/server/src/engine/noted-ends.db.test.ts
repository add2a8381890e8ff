import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clientTransaction } from '#db/client-transaction';
import { newId } from '#domain/ids';
import { openQueue } from '#engine/workers/queue';
import { queueRunsOfDeadWorkers } from '#engine/workers/recover';
import { builtInNodes, nodeRegistry } from '#engine/nodes/index';
import { failed, nodeType } from '#engine/nodes/node-type';
import { openTestEngine, type TestEngine, type TestNode } from '#engine/testing';
import { z } from 'zod';

const fails = nodeType({
  type: 'fails',
  label: 'Fails',
  group: 'app',
  help: 'Fails.',
  effect: 'none',
  fields: {},
  settings: z.looseObject({}),
  run: () => failed({ message: 'it failed', retry: 'never' }),
});
const hangs = nodeType({
  ...fails,
  type: 'hangs',
  run: (_settings, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    }),
});

let engine: TestEngine;
/** One in which nothing runs by itself: a test does by hand what a worker would do. */
let idle: TestEngine;
before(async () => {
  const registry = nodeRegistry([...builtInNodes.values(), fails, hangs]);
  [engine, idle] = await Promise.all([
    openTestEngine({ registry }),
    openTestEngine({ registry, isIdle: true }),
  ]);
  const ends = ['Completed', 'Errored', 'Stopped', 'Timed Out', 'Terminated'];
  for (const { database, tenant } of [engine, idle]) {
    await database.pool.query(
      `insert into alert_rule (id, org_id, environment, name, watches, events, kind, recipients, watched_since)
       select r.id, r.org_id, r.environment, 'R', 'events', $2, 'email', '{}', now()
       from (values ('ours', $1, 'test'), ('production', $1, 'production'), ('theirs', 'other', 'test'))
         as r(id, org_id, environment)`,
      [tenant.orgId, ends.map((end) => `Workflow ${end}`)],
    );
  }
});
after(() => Promise.all([engine.close(), idle.close()]));

/** What was noted since the last look: of which execution, and as what. */
async function noted(of = engine): Promise<Record<string, string>> {
  const { rows } = await of.database.pool.query<{ rule_id: string; execution_id: string; event: string }>(
    'with taken as (delete from alert_event returning *) select * from taken order by id',
  );
  assert.deepEqual(new Set(rows.map(({ rule_id }) => rule_id)), new Set(rows.length === 0 ? [] : ['ours']));
  const byId = Object.fromEntries(rows.map(({ execution_id, event }) => [execution_id, event]));
  assert.equal(Object.keys(byId).length, rows.length, 'each end is noted once');
  return byId;
}

async function started(type: string, more: object = {}, data: object = {}): Promise<string> {
  const node: TestNode = ['2', type, { ...data }, { retry_policy: { max_attempts: 1 } }];
  return engine.start(await engine.publish([node], [['1', '2']], { ...more }));
}

test('every way in which a worker ends an execution is noted with it, once, for the rules that listen', async () => {
  const ids = {
    completed: await started('log', {}, { message: 'x' }),
    errored: await started('fails'),
    timedOut: await started('hangs', { settings: { timeout: 1 } }),
    stopped: await started('hangs'),
    terminated: await started('terminate'),
  };
  await engine.reached(ids.stopped, 'running');
  await engine.engine.stop(engine.tenant, ids.stopped);
  for (const id of Object.values(ids)) await engine.ended(id);
  assert.deepEqual(await noted(), {
    [ids.completed]: 'Workflow Completed',
    [ids.errored]: 'Workflow Errored',
    [ids.timedOut]: 'Workflow Timed Out',
    [ids.stopped]: 'Workflow Stopped',
    [ids.terminated]: 'Workflow Terminated',
  });
});

test('an execution that is stopped while it waits is noted, and one that fails in a test of a draft is not', async () => {
  const waiting = await started('delay', {}, { action: 'wait_for', hours: 1 });
  await engine.reached(waiting, 'waiting');
  await engine.engine.stop(engine.tenant, waiting);
  const { executionId: draft } = await engine.engine.startExecution(engine.tenant, {
    workflowId: newId(),
    document: {
      nodes: [
        { id: '1', node_type: 'start', name: 'Start', data: {} },
        { id: '2', node_type: 'fails', name: 'Fails', data: {}, retry_policy: { max_attempts: 1 } },
      ],
      edges: [{ source: '1', target: '2' }],
    },
    linkedAccount: engine.linkedAccount,
    configId: 'ann',
    source: 'api_call',
    payload: {},
  });
  assert.equal((await engine.ended(draft)).header.state, 'errored');
  assert.deepEqual(await noted(), { [waiting]: 'Workflow Stopped' });
});

/** An execution as some process has left it. */
async function left(fields: Record<string, unknown>): Promise<string> {
  const row = {
    id: newId(),
    org_id: idle.tenant.orgId,
    environment: 'test',
    workflow_id: 'w',
    workflow_version: 1,
    linked_account_id: idle.linkedAccount.id,
    account_id: 'ann',
    config_id: 'ann',
    source: 'api_call',
    mode: 'async',
    timeout_s: 60,
    ...fields,
  };
  const names = Object.keys(row);
  await idle.database.pool.query(
    `insert into execution (${names.join(', ')}) values (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
    Object.values(row),
  );
  return row.id;
}

test('an execution that ends without ever running, or because its workers are lost, is noted', async () => {
  const { pool } = idle.database;
  await pool.query(`insert into worker (id, is_alive) values ('dead', false)`);
  const lost = await left({ state: 'running', owner: 'dead', lost_count: 4 });
  await left({ state: 'running', owner: 'dead', lost_count: 0 });
  const queue = openQueue();
  const deps = { queue, clock: idle.clock };
  await clientTransaction(pool, (client) => queueRunsOfDeadWorkers(client, deps, 10));
  assert.deepEqual(await noted(idle), { [lost]: 'Workflow Errored' }, 'what is queued again has not ended');
  await pool.query('delete from queue');

  const limited = {
    state: 'queued',
    concurrency_key: 'k',
    concurrency_limit: 1,
    concurrency_overflow: 'drop',
  };
  await left({ ...limited, state: 'running', owner: 'other', started_at: new Date() });
  const refused = await left(limited);
  const old = await left({ state: 'queued' });
  await clientTransaction(pool, async (client) => {
    await queue.enqueue(client, [{ executionId: refused }]);
    await queue.claim(client, { limit: 10, bytes: 1e9, free: 10, held: new Map() });
    await queue.enqueue(client, [{ executionId: old }]);
    await queue.reap(client, -1);
  });
  assert.deepEqual(await noted(idle), { [refused]: 'Workflow Stopped', [old]: 'Workflow Timed Out' });
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { z } from 'zod';
import { clientTransaction } from '#db/client-transaction';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { declareSilentWorkersDead } from '#db/worker';
import { newId } from '#domain/ids';
import { createEngine, nodeRegistry, type NodeServices } from '#engine/index';
import { takeLease } from '#engine/workers/lease';
import { done, nodeType } from '#engine/nodes/node-type';
import { start } from '#engine/nodes/start';
import { testVault } from '#vault/testing';

let database: TestDatabase;
const tenant = { orgId: newId(), environment: 'test' as const };
before(async () => {
  database = await createTestDatabase();
  await database.pool.query(`insert into organization (id, name, slug) values ($1, 'T', 't')`, [
    tenant.orgId,
  ]);
});
after(() => database.drop());

const leaseDeps = () => ({ pool: database.pool, databaseUrl: database.url, role: 'worker', slots: 10 });

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await isTrue())) {
    assert.ok(performance.now() < end, 'it took more than ten seconds');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('a node that keeps the main thread busy does not make its worker look dead', async () => {
  const lease = await takeLease(leaseDeps(), () => assert.fail('the lease was lost'));
  const beatAt = async () => {
    const { rows } = await database.pool.query<{ heartbeat_at: Date }>(
      'select heartbeat_at from worker where id = $1 and is_alive',
      [lease.workerId],
    );
    return rows[0]!.heartbeat_at.getTime();
  };
  const first = await beatAt();
  await until(async () => (await beatAt()) > first);
  // Nothing of this thread moves: no timer, no query, no message.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
  const dead = await clientTransaction(database.pool, (client) => declareSilentWorkersDead(client, 2_000));
  assert.ok(!dead.includes(lease.workerId));
  await lease.close();
});

test('a heartbeat that dies ends the lease at once, so that the worker begins a new life', async () => {
  const lost = Promise.withResolvers<void>();
  const heartbeatProgram = new URL('data:text/javascript,throw new Error("out of luck")');
  const lease = await takeLease({ ...leaseDeps(), heartbeatProgram }, lost.resolve);
  await lost.promise;
  await lease.close();
});

test('closing a lease is not losing it', async () => {
  const lease = await takeLease(leaseDeps(), () => assert.fail('the lease was lost'));
  await lease.close();
});

test('a clock that jumps an hour either way times out nothing, loses nothing and runs nothing twice', async () => {
  let offsetMs = 0;
  const runs: string[] = [];
  const gate = Promise.withResolvers<void>();
  const act = nodeType({
    type: 'act',
    label: 'Act',
    group: 'app',
    help: 'Waits for the test.',
    effect: 'repeatable',
    fields: {},
    settings: z.object({}),
    run: async (_settings, ctx) => {
      runs.push(ctx.executionId);
      await gate.promise;
      return done({});
    },
  });
  const engine = await createEngine(
    {
      pool: database.pool,
      db: database.db,
      vault: testVault(),
      clock: { now: () => new Date(Date.now() + offsetMs) },
      log: pino({ level: 'silent' }),
      services: {} as NodeServices,
    },
    { databaseUrl: database.url, concurrency: 50, registry: nodeRegistry([start, act]) },
  );
  engine.start();
  const ids: string[] = [];
  for (const hours of [0, 1, -1]) {
    offsetMs = hours * 3_600_000;
    const { executionId } = await engine.startExecution(tenant, {
      workflowId: newId(),
      document: {
        nodes: [
          { id: '1', node_type: 'start', name: 'Start', data: {} },
          { id: '2', node_type: 'act', name: 'Act', data: {} },
        ],
        edges: [{ source: '1', target: '2' }],
        settings: { timeout: 60 },
      },
      linkedAccount: { id: newId(), accountId: 'ann' },
      configId: 'ann',
      source: 'api_call',
      payload: {},
    });
    ids.push(executionId);
    await until(() => runs.includes(executionId));
    // Two beats, between which the engine looks at deadlines, stops and lost runs.
    const beats = new Set<string>();
    await until(async () => {
      const { rows } = await database.pool.query<{ at: string }>(
        'select max(heartbeat_at)::text as at from worker',
      );
      beats.add(rows[0]!.at);
      return beats.size > 2;
    });
  }
  gate.resolve();
  for (const id of ids) {
    await until(async () => (await engine.read(tenant, id)).header.finishedAt !== null);
    assert.equal((await engine.read(tenant, id)).header.state, 'completed');
  }
  assert.deepEqual(runs, ids);
  await engine.drain(1_000);
});

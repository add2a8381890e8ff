import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { z } from 'zod';
import type { JournalRow } from '#db/journal-flush';
import { insertWorker } from '#db/worker';
import { newId } from '#domain/ids';
import { nodeRegistry } from '#engine/index';
import type { CrashPoint } from '#engine/crash-points';
import { openJournal } from '#engine/journal';
import { done, nodeType } from '#engine/nodes/node-type';
import { start } from '#engine/nodes/start';
import { openTestEngine, type TestEngine } from '#engine/testing';

let bench: TestEngine;
const act = nodeType({
  type: 'act',
  label: 'Act',
  group: 'app',
  help: 'Does nothing.',
  effect: 'repeatable',
  fields: {},
  settings: z.object({}),
  run: () => done(null),
});

before(async () => {
  bench = await openTestEngine({ registry: nodeRegistry([start, act]), isIdle: true });
});
after(() => bench.close());

test('payloads of executions that were stopped while they were queued take no room of a worker', async () => {
  const workflow = await bench.publish([['2', 'act']], [['1', '2']]);
  const large = 'x'.repeat(3 * 1024 * 1024);
  const queued = await Promise.all(Array.from({ length: 12 }, () => bench.start(workflow, { large })));
  for (const id of queued) await bench.engine.stop(bench.tenant, id);
  const worker = await bench.another();
  const first = await bench.start(workflow);
  await bench.ended(first);
  const next = await bench.start(workflow);
  assert.equal((await bench.ended(next)).header.state, 'completed');
  await worker.drain(2_000);
});

test('an execution whose claim was committed without the worker hearing of it is given back', async () => {
  const workflow = await bench.publish([['2', 'act']], [['1', '2']]);
  let isLost = false;
  const worker = await bench.another({
    crash: (point: CrashPoint) => {
      if (point !== 'claim.after-commit' || isLost) return;
      isLost = true;
      throw new Error('The connection was lost.');
    },
  });
  const { header } = await bench.ended(await bench.start(workflow));
  assert.ok(isLost);
  assert.equal(header.state, 'completed');
  await worker.drain(2_000);
});

test('what one run has written is known to be written, however much others go on writing', async () => {
  const { pool } = bench.database;
  const workerId = newId();
  await insertWorker(pool, workerId);
  const journal = openJournal(
    {
      pool,
      log: pino({ level: 'silent' }),
      onLeaseLost: () => undefined,
      onBroken: (_id, error) => assert.fail(String(error)),
      isOver: () => false,
    },
    workerId,
  );
  const over = new AbortController();
  let committed = 0;
  /** Two of these take turns: while one waits for its commit the other has added its next row. */
  async function goOnWriting(): Promise<void> {
    const executionId = newId();
    for (let seq = 0; !over.signal.aborted; seq += 1) {
      journal.add(row(executionId, 2 * seq));
      await journal.addAndCommit(row(executionId, 2 * seq + 1));
      committed += 1;
    }
  }
  const others = Array.from({ length: 8 }, goOnWriting);
  try {
    const executionId = newId();
    journal.add(row(executionId, 0));
    const before = committed;
    await journal.written(executionId);
    assert.ok(committed - before <= 24, `it waited for ${committed - before} rows of others`);
    const { rows } = await pool.query('select from journal where execution_id = $1', [executionId]);
    assert.equal(rows.length, 1);
  } finally {
    over.abort();
    await Promise.all(others);
  }
});

function row(executionId: string, seq: number): JournalRow {
  const { tenant } = bench;
  return { executionId, seq, tenant, nodeId: '2', batch: '', attempt: 1, kind: 'start', at: new Date() };
}

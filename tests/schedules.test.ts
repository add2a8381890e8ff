import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createTestDatabase } from '../packages/server/src/db/testing.ts';
import { newId } from '../packages/server/src/domain/ids.ts';

const count = 1_000;

test('two scheduler processes, a thousand schedules in one minute: each fires exactly once (pain 4)', async () => {
  const database = await createTestDatabase();
  const [org, account, workflow] = [newId(), newId(), newId()];
  const { pool } = database;
  await pool.query(`insert into organization (id, name, slug) values ($1, 'S', 's')`, [org]);
  await pool.query(
    `insert into linked_account (id, org_id, environment, account_id) values ($1, $2, 'test', 'ann')`,
    [account, org],
  );
  await pool.query(
    `insert into workflow (id, draft_id, org_id, environment, name, draft, published_version)
     values ($1, $1 || '-draft', $2, 'test', 'Scheduled', '{}', 1)`,
    [workflow, org],
  );
  await pool.query(
    `insert into workflow_version (id, org_id, environment, workflow_id, version, document)
     values ($1, $2, 'test', $3, 1, '{"nodes": [{"id": "1", "node_type": "start", "name": "Start", "data": {}}]}')`,
    [newId(), org, workflow],
  );
  await pool.query(
    `insert into schedule (id, org_id, environment, linked_account_id, config_id, workflow_id, is_by_api, declared,
       payload, due_at, next_at)
     select left(md5(n::text), 24), $1, 'test', $2, 'c', $3, true, '{"trigger_type": "cron", "regex": "0 9 * * *"}',
       json_build_object('n', n), at, at
     from generate_series(1, ${count}) n
     cross join lateral (select timestamptz '2030-01-01T09:00Z' + (n % 60) * interval '1 second' as at) t`,
    [org, account, workflow],
  );
  const program = path.join(import.meta.dirname, 'engine/scheduler-program.ts');
  const schedulers = [1, 2].map(() =>
    spawn(process.execPath, [program], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { DATABASE_URL: database.url, NOW: '2030-01-01T09:01:00Z' },
    }),
  );
  try {
    const lines = schedulers.map(({ stdout }) => createInterface(stdout)[Symbol.asyncIterator]());
    for (const line of lines) assert.equal((await line.next()).value, 'ready');
    const exits = schedulers.map((scheduler) => once(scheduler, 'exit'));
    for (const { stdin } of schedulers) stdin.write('go\n');
    const looked = await Promise.all(lines.map(async (line) => Number((await line.next()).value)));
    await Promise.all(exits);
    assert.ok(
      looked.every((rows) => rows > 0),
      `one of them did everything: ${looked.join(' and ')}`,
    );
    const { rows } = await pool.query(
      `select count(*)::int as runs, count(distinct j.output ->> 'n')::int as numbers,
         (select count(*)::int from schedule_tick where execution_id is not null) as ticks,
         (select min(due_at) from schedule) as next
       from execution e join journal j on j.execution_id = e.id and j.seq = 0`,
    );
    const next = new Date('2030-01-02T09:00:00Z');
    assert.deepEqual(rows, [{ runs: count, numbers: count, ticks: count, next }]);
  } finally {
    for (const scheduler of schedulers) scheduler.kill('SIGKILL');
    await database.drop();
  }
});

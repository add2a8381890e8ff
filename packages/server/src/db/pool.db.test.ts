import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientTransaction } from '#db/client-transaction';
import { createTestDatabase } from '#db/testing';

test('a connection that breaks inside a transaction fails its holder, not the process', async () => {
  const database = await createTestDatabase();
  try {
    const broken = clientTransaction(database.pool, async (client) => {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      const ended = new Promise((resolve) => {
        client.once('end', resolve);
      });
      await database.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await Promise.race([ended, sleep(5_000)]);
      await client.query('select 1');
    });
    await assert.rejects(broken);
    const { rows } = await database.pool.query('select 1 as one');
    assert.deepEqual(rows, [{ one: 1 }]);
  } finally {
    await database.drop();
  }
});

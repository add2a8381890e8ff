import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Pool } from 'pg';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import {
  addRingKey,
  assertOpensStored,
  countOldSealed,
  openVault,
  resealAll,
  sealContext,
} from '#vault/index';
import { sealedColumns } from '#vault/sealed-columns';

let database: TestDatabase;
before(async () => {
  database = await createTestDatabase();
});
after(() => database.drop());

test('every bytea column named "sealed" is in the table of sealed columns', async () => {
  const { rows } = await database.pool.query<{ name: string }>(
    // Partitions have the columns of their table; rotation walks the table.
    `select c.relname || '.' || a.attname as name from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       and a.attname like '%\\_sealed' order by 1`,
  );
  assert.deepEqual(
    rows.map((row) => row.name),
    Object.keys(sealedColumns).toSorted(),
  );
});

test('rotation reseals all tables while an older process goes on, and never undoes a newer value', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'inlay-rotate-'));
  t.after(() => rm(dir, { recursive: true }));
  const keyFile = path.join(dir, 'keys.json');
  const running = await openVault({ keyFile });
  const oldKey = running.currentKeyId;
  const { pool } = database;
  await pool.query(`insert into organization (id, name, slug) values ('o', 'O', 'o')`);
  const contextOf = (id: string) => sealContext('api_key.key_sealed', id);
  const insertKeys = `insert into api_key (id, org_id, environment, key_hash, key_sealed, hint) values ($1, 'o', 'test', $2, $3, '')`;
  for (let i = 0; i < 1_200; i += 1) {
    const id = `k${i}`;
    await pool.query(insertKeys, [id, Buffer.from(id), running.seal(`secret ${i}`, contextOf(id))]);
  }
  const settingContext = sealContext('app_setting.client_secret_sealed', 'o', 'test', 'gong');
  await pool.query(
    `insert into app_setting (org_id, environment, app_slug, client_secret_sealed) values ('o', 'test', 'gong', $1)`,
    [running.seal('client secret', settingContext)],
  );
  await pool.query(insertKeys, ['lost', Buffer.from('lost'), running.seal('x', contextOf('another row'))]);

  await assertOpensStored({ pool, vault: running });
  const foreign = await openVault({ keyFile: path.join(dir, 'other.json') });
  await assert.rejects(assertOpensStored({ pool, vault: foreign }), /Restore the key ring that belongs/);

  await addRingKey(keyFile);
  const rotating = await openVault({ keyFile });
  const deps = { pool, vault: rotating };
  assert.equal(await countOldSealed(deps), 1_202);
  // Between read and write of the rotation somebody stores a newer value.
  const racing = {
    async query(text: string, values: unknown[]) {
      if (text.startsWith('update api_key') && values.at(-1) === 'k700') {
        await pool.query('update api_key set key_sealed = $1 where id = $2', [
          running.seal('newer', contextOf('k700')),
          'k700',
        ]);
      }
      return pool.query(text, values);
    },
  };
  const found = await resealAll({ pool: racing as unknown as Pool, vault: rotating });
  assert.deepEqual(found, { resealed: 1_200, unreadable: 1 });
  const { rows } = await pool.query<{ id: string; key_sealed: Buffer }>(
    `select id, key_sealed from api_key where id in ('k0', 'k700', 'k1199')`,
  );
  const texts = Object.fromEntries(
    rows.map((row) => [row.id, running.open(row.key_sealed, contextOf(row.id)).toString()]),
  );
  assert.deepEqual(texts, { k0: 'secret 0', k700: 'newer', k1199: 'secret 1199' });
  // The process that was running before has taken the new key by itself.
  assert.notEqual(running.currentKeyId, oldKey);
  assert.equal(running.currentKeyId, rotating.currentKeyId);
  assert.equal(await countOldSealed(deps), 1);
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Pool } from 'pg';
import { migrate, readMigrations, type Migration } from '#db/migrate';
import { createPool } from '#db/pool';
import { createEmptyTestDatabase, createTestDatabase, type TestDatabase } from '#db/testing';

let database: TestDatabase;
before(async () => {
  database = await createEmptyTestDatabase();
});
after(() => database.drop());

const notes: Migration = {
  number: 1,
  name: 'notes',
  sql: 'create table note (id integer primary key)',
  isBreaking: false,
};

async function withOwnSchema(schema: string, work: (pool: Pool) => Promise<void>): Promise<void> {
  await database.pool.query(`create schema ${schema}`);
  const pool = createPool({ url: `${database.url}&options=-csearch_path%3D${schema}`, max: 2 });
  try {
    await work(pool);
  } finally {
    await pool.end();
  }
}

test('twenty programs that start at once apply every migration exactly once', async () => {
  const pools = Array.from({ length: 20 }, () => createPool({ url: database.url, max: 1 }));
  try {
    const ran = await Promise.all(pools.map((pool) => migrate(pool)));
    const known = await readMigrations();
    assert.equal(
      ran.reduce((sum, count) => sum + count, 0),
      known.length,
    );
    const { rows } = await database.pool.query<{ number: number }>(
      'select number from schema_migration order by number',
    );
    assert.deepEqual(
      rows.map(({ number }) => number),
      known.map(({ number }) => number),
    );
  } finally {
    await Promise.all(pools.map((pool) => pool.end()));
  }
});

test('a migration that fails leaves neither its tables nor its number', async () => {
  await withOwnSchema('failing', async (pool) => {
    const broken = { ...notes, sql: 'create table note (id integer); select no_such_function()' };
    await assert.rejects(migrate(pool, [broken]), /Migration 1 \("notes"\) failed.*no_such_function/);
    const { rows } = await pool.query("select to_regclass('note') as note");
    assert.deepEqual(rows, [{ note: null }]);
    assert.equal(await migrate(pool, [notes]), 1);
  });
});

test('an older program works with a newer database, except behind a breaking migration', async () => {
  await withOwnSchema('ahead', async (pool) => {
    const harmless: Migration = { number: 2, name: 'more', sql: 'select 1', isBreaking: false };
    await migrate(pool, [notes, harmless]);
    assert.equal(await migrate(pool, [notes]), 0);

    const breaking: Migration = { number: 3, name: 'notes_split', sql: 'select 1', isBreaking: true };
    await migrate(pool, [notes, harmless, breaking]);
    await assert.rejects(migrate(pool, [notes]), {
      name: 'StartupError',
      message: /migration 3 \("notes_split"\).*Start the newer version/,
    });
  });
});

test('a cloned test database is migrated and runs as a role that row-level security binds', async () => {
  const clone = await createTestDatabase();
  try {
    assert.equal(await migrate(clone.pool), 0);
    const { rows } = await clone.pool.query(
      'select rolsuper, rolbypassrls from pg_roles where rolname = current_user',
    );
    assert.deepEqual(rows, [{ rolsuper: false, rolbypassrls: false }]);
  } finally {
    await clone.drop();
  }
});

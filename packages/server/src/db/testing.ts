import { randomBytes } from 'node:crypto';
import { Client, type Pool } from 'pg';
import { createDb, createPool } from '#db/pool';
import type { Db } from '#db/schema';
import { openTestServer } from '#db/test-database/server';
import { ensureTemplate, withDatabase } from '#db/test-database/template';

export interface TestDatabase {
  readonly url: string;
  readonly pool: Pool;
  readonly db: Db;
  /** Ends the pool and deletes the database; call it in `after`. */
  drop(): Promise<void>;
}

/**
 * A migrated database for one test file, cloned from a template in some 30 ms. The server is
 * INLAY_TEST_DATABASE_URL when set, else one that all test runs share and the first of them starts.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  return create((serverUrl, admin) => ensureTemplate(serverUrl, admin));
}

/** A database without any table, for tests of the migrations themselves. */
export async function createEmptyTestDatabase(): Promise<TestDatabase> {
  return create(() => 'template1');
}

async function create(
  chooseTemplate: (serverUrl: string, admin: Client) => string | Promise<string>,
): Promise<TestDatabase> {
  const serverUrl = process.env['INLAY_TEST_DATABASE_URL'] ?? (await openTestServer()).url;
  const name = `test_${Date.now().toString(36)}_${randomBytes(4).toString('hex')}`;
  await administrate(serverUrl, async (admin) => {
    const template = await chooseTemplate(serverUrl, admin);
    await admin.query(`create database ${name} template ${template}`);
  });
  const url = withDatabase(serverUrl, name);
  const pool = createPool({ url, max: 10, applicationName: name });
  return {
    url,
    pool,
    db: createDb(pool),
    async drop() {
      await pool.end();
      await administrate(serverUrl, (admin) => dropDatabase(admin, name));
    },
  };
}

const insufficientPrivilege = '42501';

/**
 * `with (force)` may not end an autovacuum worker, which belongs to the superuser, and fails when one is at work;
 * the plain form ends those workers itself, but nobody else.
 */
async function dropDatabase(admin: Client, name: string): Promise<void> {
  try {
    await admin.query(`drop database if exists ${name} with (force)`);
  } catch (error) {
    if ((error as { code?: string }).code !== insufficientPrivilege) throw error;
    await admin.query(`drop database if exists ${name}`);
  }
}

async function administrate(serverUrl: string, work: (admin: Client) => Promise<unknown>): Promise<void> {
  const admin = new Client({ connectionString: serverUrl });
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}

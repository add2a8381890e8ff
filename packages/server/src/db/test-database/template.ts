import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import { migrate, readMigrations } from '#db/migrate';
import { createPool } from '#db/pool';

/** Any number that nobody else uses as an advisory lock in the test server. */
const templateLock = 734_881_220;

/** The same server, another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

/**
 * Makes the migrated database that tests clone, unless one stands for these very migrations: its name holds
 * their hash.
 *
 * @param admin - a connection to the test server, outside of the template
 */
export async function ensureTemplate(url: string, admin: Client): Promise<string> {
  const migrations = await readMigrations();
  const hash = createHash('sha256');
  for (const { number, sql } of migrations) hash.update(`${number}\0${sql}\0`);
  const name = `template_${hash.digest('hex').slice(0, 16)}`;
  if (await exists(admin, name)) return name;
  await admin.query('select pg_advisory_lock($1)', [templateLock]);
  try {
    if (await exists(admin, name)) return name;
    // Renamed only when whole: a run that is cut short leaves no half-migrated template.
    const draft = `draft_${name}`;
    await admin.query(`drop database if exists ${draft} with (force)`);
    await admin.query(`create database ${draft}`);
    const pool = createPool({ url: withDatabase(url, draft), max: 1 });
    try {
      await migrate(pool, migrations);
    } finally {
      await pool.end();
    }
    await admin.query(`alter database ${draft} rename to ${name}`);
    return name;
  } finally {
    await admin.query('select pg_advisory_unlock($1)', [templateLock]);
  }
}

async function exists(admin: Client, name: string): Promise<boolean> {
  const { rowCount } = await admin.query('select from pg_database where datname = $1', [name]);
  return rowCount === 1;
}

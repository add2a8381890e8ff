import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Pool } from 'pg';
import { StartupError } from '#domain/startup-error';

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  /** A program that does not know this migration cannot work with the database. First line: `-- breaking`. */
  readonly isBreaking: boolean;
}

const ownMigrations = path.join(import.meta.dirname, 'migrations');
const fileName = /^(\d{4})_([a-z0-9_]+)\.sql$/;

/** Reads the numbered SQL files; they must count up from 1 without a gap. */
export async function readMigrations(directory: string = ownMigrations): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file, index) => {
      const [, digits, name] = fileName.exec(file) ?? [];
      if (digits === undefined || name === undefined || Number(digits) !== index + 1) {
        throw new Error(
          `Migration "${file}" is out of line: expected ${String(index + 1).padStart(4, '0')}_name.sql.`,
        );
      }
      const sql = await readFile(path.join(directory, file), 'utf8');
      return { number: index + 1, name, sql, isBreaking: /^--\s*breaking\b/.test(sql) };
    }),
  );
}

/**
 * Brings the database to the program's schema, forward only. Any number of processes may call it at once: each
 * migration inserts its number first in its own transaction, so a second process waits there, finds it taken and
 * moves on.
 *
 * @returns how many migrations this call ran
 * @throws StartupError when the database is ahead of the program by a breaking migration
 */
export async function migrate(pool: Pool, migrations?: readonly Migration[]): Promise<number> {
  const known = migrations ?? (await readMigrations());
  await makeLedger(pool);
  const applied = await readLedger(pool);
  refuseNewerDatabase(known, applied);
  let ran = 0;
  for (const migration of known) {
    if (applied.some(({ number }) => number === migration.number)) continue;
    if (await apply(pool, migration)) ran += 1;
  }
  return ran;
}

/** Any number that nothing else uses as an advisory lock. */
const ledgerLock = 734_881_219;

interface LedgerRow {
  readonly number: number;
  readonly name: string;
  readonly is_breaking: boolean;
}

async function makeLedger(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ found: boolean }>(
    `select to_regclass('schema_migration') is not null as found`,
  );
  if (rows[0]?.found === true) return;
  // "if not exists" alone does not stand two at once: both may pass the check, and one then fails.
  await pool.query(
    `select pg_advisory_xact_lock(${ledgerLock});
     create table if not exists schema_migration (
       number integer primary key,
       name text not null,
       is_breaking boolean not null,
       applied_at timestamptz not null default now()
     )`,
  );
}

async function readLedger(pool: Pool): Promise<LedgerRow[]> {
  const { rows } = await pool.query<LedgerRow>(
    'select number, name, is_breaking from schema_migration order by number',
  );
  return rows;
}

function refuseNewerDatabase(known: readonly Migration[], applied: readonly LedgerRow[]): void {
  const ahead = applied.filter((row) => row.is_breaking && !known.some((m) => m.number === row.number));
  const first = ahead[0];
  if (first === undefined) return;
  throw new StartupError(
    `The database has been changed by a newer Inlay: migration ${first.number} ("${first.name}") cannot be used by this older program. Start the newer version, or restore a backup from before the upgrade.`,
  );
}

/** @returns false when another process had applied it */
async function apply(pool: Pool, { number, name, sql, isBreaking }: Migration): Promise<boolean> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('insert into schema_migration (number, name, is_breaking) values ($1, $2, $3)', [
      number,
      name,
      isBreaking,
    ]);
    await client.query(sql);
    await client.query('commit');
    return true;
  } catch (error) {
    await client.query('rollback');
    if (isUniqueViolation(error) && (error as { table?: string }).table === 'schema_migration') return false;
    throw new Error(`Migration ${number} ("${name}") failed: ${(error as Error).message}`, { cause: error });
  } finally {
    client.release();
  }
}

function isUniqueViolation(error: unknown): boolean {
  return (error as { code?: string }).code === '23505';
}

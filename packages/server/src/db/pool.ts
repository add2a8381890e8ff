import { Kysely, PostgresDialect } from 'kysely';
import { Pool, types } from 'pg';
import type { Database, Db } from '#db/schema';

export interface PoolOptions {
  readonly url: string;
  readonly max?: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
  /** An idle connection may break at any time (a restart of the server); the pool replaces it. */
  readonly onIdleError?: (error: Error) => void;
}

const int8 = 20;

/**
 * Our connections run with the system's scope, which row-level security lets pass: code names the tenant in every
 * query. `tenantTransaction` narrows a transaction to one tenant. A connection without any scope sees no rows.
 */
export function createPool({ url, max = 20, applicationName = 'inlay', onIdleError }: PoolOptions): Pool {
  const pool = new Pool({
    connectionString: withScope(url),
    max,
    application_name: applicationName,
    // Counters and sizes only: all below 2^53, where a number is exact.
    types: {
      getTypeParser: (oid, format) =>
        (oid as number) === int8 && format !== 'binary' ? Number : types.getTypeParser(oid, format),
    },
  });
  pool.on('error', (error) => onIdleError?.(error));
  // A connection that breaks in a transaction, between two statements, belongs to nobody who listens: without this
  // the whole process would end. Its next statement fails, which is what tells its holder.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** The typed query builder on a pool; ending the pool ends it. */
export function createDb(pool: Pool): Db {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

/** In the URL, because options that stand there replace those given beside it. */
function withScope(url: string): string {
  const scoped = new URL(url);
  const given = scoped.searchParams.get('options');
  scoped.searchParams.set('options', [given, '-c inlay.scope=system'].filter(Boolean).join(' '));
  return scoped.href;
}

import { Kysely, PostgresDialect } from 'kysely';
import { Pool, types } from 'pg';
import type { Database, Db } from '#db/schema';

export interface PoolOptions {
  readonly url: string;
  readonly max?: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
  /** Idle connections do not keep the process alive. */
  readonly isExitAllowed?: boolean;
  /** An idle connection may break at any time (a restart of the server); the pool replaces it. */
  readonly onIdleError?: ((error: Error) => void) | undefined;
}

const int8 = 20;

/**
 * Our connections run with the system's scope, which row-level security lets pass: code names the tenant in every
 * query. `tenantTransaction` narrows a transaction to one tenant. A connection without any scope sees no rows.
 */
export function createPool({
  url,
  max = 20,
  applicationName = 'inlay',
  isExitAllowed = false,
  onIdleError,
}: PoolOptions): Pool {
  const pool = new Pool({
    connectionString: withOptions(url, '-c inlay.scope=system'),
    max,
    allowExitOnIdle: isExitAllowed,
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

/**
 * A pool for the journal alone: few connections, and a few statements that run thousands of times a minute. Planning
 * those costs more than running them, and PostgreSQL would plan them anew nearly every time, because it takes the one
 * partition that it finds then for a gain. So their plans are made once, without their values; for such a plan a young
 * table looks small enough to be read from end to end, which it soon is not.
 */
export function createJournalPool(options: Pick<PoolOptions, 'url' | 'onIdleError'>): Pool {
  return createPool({
    url: withOptions(options.url, '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off'),
    max: 2,
    applicationName: 'inlay-journal',
    onIdleError: options.onIdleError,
    isExitAllowed: true,
  });
}

/** The typed query builder on a pool; ending the pool ends it. */
export function createDb(pool: Pool): Db {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

/** In the URL, because options that stand there replace those given beside it. */
function withOptions(url: string, options: string): string {
  const changed = new URL(url);
  const given = changed.searchParams.get('options');
  changed.searchParams.set('options', [given, options].filter(Boolean).join(' '));
  return changed.href;
}

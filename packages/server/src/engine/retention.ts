import type { Pool } from 'pg';
import type { Logger } from 'pino';
import {
  deleteOldLogs,
  deleteOrphans,
  dropWeek,
  longestRetentionEnd,
  overdueTenants,
  weeksBefore,
  type LogRetention,
} from '#db/retention';
import type { Clock } from '#domain/clock';

/** Any number that nothing else uses as an advisory lock. */
const retentionLock = 734_881_223;
const lockNotAvailable = '55P03';

/**
 * Lets go of logs whose time is over: weeks that nobody keeps are dropped whole, organisations that keep less have
 * their rows deleted a few at a time. One process does it; the others find it being done.
 *
 * @returns how many weeks were dropped and executions deleted; undefined: another process is at it
 */
export async function enforceRetention(
  deps: { readonly pool: Pool; readonly clock: Clock; readonly log: Logger },
  kept: LogRetention,
  isClosing: () => boolean = () => false,
): Promise<{ weeks: number; executions: number } | undefined> {
  const { pool, clock, log } = deps;
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ is_ours: boolean }>('select pg_try_advisory_lock($1) as is_ours', [
      retentionLock,
    ]);
    if (!rows[0]!.is_ours) return undefined;
    try {
      const now = clock.now();
      const before = await longestRetentionEnd(pool, now, kept);
      const weeks = await dropOldWeeks(pool, log, before);
      let executions = 0;
      for (const overdue of await overdueTenants(pool, now, kept)) {
        if (isClosing()) break;
        executions += await deleteOldLogs(pool, overdue, isClosing);
      }
      await deleteOrphans(pool, before, isClosing);
      return { weeks, executions };
    } finally {
      await client.query('select pg_advisory_unlock($1)', [retentionLock]);
    }
  } finally {
    client.release();
  }
}

async function dropOldWeeks(pool: Pool, log: Logger, before: Date): Promise<number> {
  let dropped = 0;
  for (const week of await weeksBefore(pool, before)) {
    try {
      if (await dropWeek(pool, week)) dropped += 1;
      else log.warn({ week }, 'A week of old logs stays: more than 2,000 of its executions have not ended.');
    } catch (error) {
      if ((error as { code?: unknown }).code !== lockNotAvailable) throw error;
      log.info({ week }, 'A week of old logs is being read (a backup?); it is dropped an hour later.');
      break;
    }
  }
  return dropped;
}

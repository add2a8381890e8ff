import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { deleteExpiredFiles } from '#db/stored-file';
import type { Clock } from '#domain/clock';

const everyMs = 60_000;
const batch = 100;
/** No node runs that long: what was begun before and is not finished never will be. */
const abandonedAfterMs = 86_400_000;

/** Deletes expired and abandoned files until none is left. @returns how many */
export async function expireFiles({ pool, clock }: { pool: Pool; clock: Clock }): Promise<number> {
  const now = clock.now();
  const abandonedBefore = new Date(now.getTime() - abandonedAfterMs);
  for (let total = 0; ;) {
    const deleted = await deleteExpiredFiles(pool, { now, abandonedBefore, limit: batch });
    total += deleted;
    if (deleted === 0) return total;
  }
}

/**
 * Deletes expired files once a minute; any number of processes may do so at once. An expired file cannot be read
 * whether it is deleted yet or not, so a pass that fails is only logged.
 */
export function startFileExpiry(deps: { readonly pool: Pool; readonly clock: Clock; readonly log: Logger }): {
  stop(): Promise<void>;
} {
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(() => expireFiles(deps))
      .catch((error: unknown) => {
        deps.log.warn({ err: error }, 'Deleting expired files failed; trying again.');
      });
  }, everyMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

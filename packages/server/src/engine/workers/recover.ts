import type { Pool, PoolClient } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import { declareSilentWorkersDead, type FreedRun, freeRunsOfDeadWorkers } from '#db/worker';
import type { Clock } from '#domain/clock';
import type { CrashHook } from '#engine/crash-points';
import type { Queue } from '#engine/workers/queue';

const silentAfterMs = 3_000;
const runsAtOnce = 1_000;
/** An execution that was lost this often, with its worker or by a fault of its own, is not tried again. */
export const mostLosses = 5;

/**
 * Declares silent workers dead and queues their runs again. Any worker may do it, several at once too.
 *
 * @returns how many runs were freed
 */
export async function recoverLostRuns(deps: {
  readonly pool: Pool;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly crash?: CrashHook | undefined;
}): Promise<number> {
  // On its own first: from its commit on nothing of the dead is written, whatever becomes of the rest.
  await clientTransaction(deps.pool, (client) => declareSilentWorkersDead(client, silentAfterMs));
  let freed = 0;
  for (;;) {
    const batch = await clientTransaction(deps.pool, async (client) => {
      const runs = await queueRunsOfDeadWorkers(client, deps, runsAtOnce);
      if (runs.length > 0) deps.crash?.('takeover.before-commit');
      return runs.length;
    });
    freed += batch;
    if (batch > 0) deps.crash?.('takeover.after-commit');
    if (batch < runsAtOnce) return freed;
  }
}

/** Queues what dead workers ran. Whatever was lost twice comes back at a time of its own, not with its neighbours. */
export async function queueRunsOfDeadWorkers(
  client: PoolClient,
  { queue, clock }: { readonly queue: Queue; readonly clock: Clock },
  limit: number,
): Promise<readonly FreedRun[]> {
  const runs = await freeRunsOfDeadWorkers(client, limit, mostLosses);
  const jobs = runs.filter((run) => run.is_queued);
  const jobOf = (run: FreedRun) => ({ executionId: run.id });
  await queue.enqueue(client, jobs.filter((run) => run.lost_count < 2).map(jobOf));
  for (const run of jobs.filter(({ lost_count }) => lost_count >= 2)) {
    await queue.delay(
      client,
      jobOf(run),
      new Date(clock.now().getTime() + spreadAfterLosses(run.lost_count)),
    );
  }
  return runs;
}

/** Milliseconds after which a lost run is tried again: at random, in a span that doubles with each loss. */
export function spreadAfterLosses(losses: number): number {
  return Math.random() * 1_000 * 2 ** losses;
}

import type { Pool } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import { declareSilentWorkersDead, freeRunsOfDeadWorkers } from '#db/worker';
import type { CrashHook } from '#engine/crash-points';
import type { Queue } from '#engine/queue';

const silentAfterMs = 3_000;
const runsAtOnce = 1_000;

/**
 * Declares silent workers dead and queues their runs again. Any worker may do it, several at once too.
 *
 * @returns how many runs were freed
 */
export async function recoverLostRuns(deps: {
  readonly pool: Pool;
  readonly queue: Queue;
  readonly crash?: CrashHook | undefined;
}): Promise<number> {
  // On its own first: from its commit on nothing of the dead is written, whatever becomes of the rest.
  await clientTransaction(deps.pool, (client) => declareSilentWorkersDead(client, silentAfterMs));
  let freed = 0;
  for (;;) {
    const batch = await clientTransaction(deps.pool, async (client) => {
      const runs = await freeRunsOfDeadWorkers(client, runsAtOnce);
      await deps.queue.enqueue(
        client,
        runs.map((run) => ({ executionId: run.id, group: run.linked_account_id })),
      );
      if (runs.length > 0) deps.crash?.('takeover.before-commit');
      return runs.length;
    });
    freed += batch;
    if (batch > 0) deps.crash?.('takeover.after-commit');
    if (batch < runsAtOnce) return freed;
  }
}

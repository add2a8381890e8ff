import type { Pool } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import {
  applyArrivals,
  deleteWaitsOfEnded,
  hasWoken,
  markTold,
  queueWoken,
  wakeDue,
  wokenOf,
} from '#db/wait';
import type { Clock } from '#domain/clock';
import type { CrashHook } from '#engine/crash-points';
import type { Queue } from '#engine/workers/queue';
import type { RowVault } from '#engine/recording/sealed-parts';
import { resealArrival } from '#engine/wait/wait-payloads';
import type { Worker } from '#engine/workers/worker';

const atOnce = 500;

/**
 * One look at everything that waits: what is due is woken, suspended executions with a woken wait are queued, runs
 * of this process that are still in memory are told. Any number of processes may do it at the same time.
 *
 * @returns whether executions were queued
 */
export async function wakeWaiting(deps: {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly queue: Queue;
  readonly vault: RowVault;
  readonly crash?: CrashHook | undefined;
  readonly worker: () => Worker;
}): Promise<boolean> {
  const { pool } = deps;
  const now = deps.clock.now();
  await applyArrivals(pool, (arrival) => resealArrival(deps.vault, arrival));
  if (!(await hasWoken(pool, now))) return false;
  while ((await wakeDue(pool, now, atOnce)) === atOnce);
  await tellRuns(deps, now);
  let queued = 0;
  for (;;) {
    const batch = await clientTransaction(pool, async (client) => {
      const woken = await queueWoken(client, now, atOnce);
      await deps.queue.enqueue(
        client,
        woken.map((row) => ({ executionId: row.id })),
      );
      if (woken.length > 0) deps.crash?.('wake.before-commit');
      return woken.length;
    });
    queued += batch;
    if (batch > 0) deps.crash?.('wake.after-commit');
    if (batch < atOnce) break;
  }
  await deleteWaitsOfEnded(pool, now);
  return queued > 0;
}

/** A run that is in memory for its other branches goes on in the branch that was woken. */
async function tellRuns({ pool, worker }: { pool: Pool; worker: () => Worker }, now: Date): Promise<void> {
  const { id, runs } = worker();
  const told: string[] = [];
  for (const wait of await wokenOf(pool, id, now)) {
    if (runs.get(wait.execution_id)?.wake(wait) === true) told.push(wait.id);
  }
  if (told.length > 0) await markTold(pool, told);
}

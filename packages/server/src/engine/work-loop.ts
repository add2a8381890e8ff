import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { deleteTablesOfEndedExecutions } from '#db/data-table';
import { deleteOldInboxKeys, keepPartitions } from '#db/execution-control';
import { deleteOldWorkers } from '#db/worker';
import type { Clock } from '#domain/clock';
import type { CrashHook } from '#engine/crash-points';
import { LeaseLostError } from '#engine/journal';
import type { Queue } from '#engine/queue';
import { recoverLostRuns } from '#engine/recover';
import { wakeWaiting } from '#engine/waker';
import type { Worker } from '#engine/worker';

export interface WorkLoop {
  /** There may be work: look now instead of at the next poll. */
  wake(): void;
  /** Something may have been woken: look now instead of at the next poll. */
  lookAtWaits(): void;
  /** Claims nothing more; resolves when the claim on its way has ended. */
  close(): Promise<void>;
}

const pollEveryMs = 200;
const largestClaim = 200;
const recoverEveryMs = 1_000;
const wakeEveryMs = 200;
const maintainEveryMs = 3_600_000;

/** Claims queued executions as long as there is room, takes over from dead workers, keeps house once an hour. */
export function startWorkLoop(deps: {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly queue: Queue;
  readonly crash?: CrashHook | undefined;
  /** The worker of the moment; a lost lease replaces it. */
  readonly worker: () => Worker;
  readonly concurrency: number;
  readonly retentionDays: number;
}): WorkLoop {
  const { log } = deps;
  const closing = new AbortController();
  let wakeClaim: (() => void) | undefined;
  let isWoken = false;
  let wakeWaker: (() => void) | undefined;
  let isWakerWoken = false;

  async function claim(): Promise<void> {
    const room = Math.min(deps.concurrency - deps.worker().runs.size, largestClaim);
    // A few at a time would cost a transaction each: wait until a good part is free.
    const isWorthIt = room >= Math.min(largestClaim, Math.ceil(deps.concurrency / 4));
    isWoken = false;
    if (isWorthIt && (await deps.worker().claim(room)) > 0) return;
    if (!isWoken) await sleep(pollEveryMs, (wake) => (wakeClaim = wake));
  }

  async function recover(): Promise<void> {
    if ((await recoverLostRuns(deps)) > 0) wake();
    await sleep(recoverEveryMs);
  }

  async function wakeSuspended(): Promise<void> {
    isWakerWoken = false;
    if (await wakeWaiting(deps)) wake();
    if (!isWakerWoken) await sleep(wakeEveryMs, (wake) => (wakeWaker = wake));
  }

  async function maintain(): Promise<void> {
    await keepPartitions(deps.pool, deps.clock.now(), deps.retentionDays);
    await deleteOldWorkers(deps.pool);
    await deleteOldInboxKeys(deps.pool);
    await deleteTablesOfEndedExecutions(deps.pool);
    await sleep(maintainEveryMs);
  }

  /** Repeats `step` until closed; a fault is logged and tried again. */
  async function repeat(what: string, step: () => Promise<void>): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await step();
      } catch (error) {
        if (!(error instanceof LeaseLostError)) log.warn({ err: error }, `${what} failed; trying again.`);
        await sleep(recoverEveryMs);
      }
    }
  }

  function sleep(ms: number, onReady?: (wake: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      if (closing.signal.aborted) {
        resolve();
        return;
      }
      const timer = setTimeout(done, ms);
      closing.signal.addEventListener('abort', done, { once: true });
      onReady?.(done);
      function done(): void {
        clearTimeout(timer);
        closing.signal.removeEventListener('abort', done);
        resolve();
      }
    });
  }

  function wake(): void {
    isWoken = true;
    wakeClaim?.();
  }

  const loops = [
    repeat('Claiming executions', claim),
    repeat('Taking over from lost workers', recover),
    repeat('Waking suspended executions', wakeSuspended),
    repeat('Maintenance', maintain),
  ];
  return {
    wake,
    lookAtWaits() {
      isWakerWoken = true;
      wakeWaker?.();
    },
    async close() {
      closing.abort();
      await Promise.all(loops);
    },
  };
}

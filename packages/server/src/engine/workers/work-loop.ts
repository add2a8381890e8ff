import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { clientTransaction } from '#db/client-transaction';
import { deleteTablesOfEndedExecutions } from '#db/data-table';
import { deleteOldInboxKeys, makePartitions } from '#db/execution-control';
import { deleteEndedRecords, deleteOldArrivals } from '#db/recovery-status';
import type { LogRetention } from '#db/retention';
import { deleteExpiredSessionTokens } from '#db/session-token';
import { countUsage } from '#db/usage';
import { deleteOldWorkers } from '#db/worker';
import type { Clock } from '#domain/clock';
import type { CrashHook } from '#engine/crash-points';
import { LeaseLostError } from '#engine/journal';
import type { Queue } from '#engine/workers/queue';
import type { RowVault } from '#engine/recording/sealed-parts';
import { recoverLostRuns } from '#engine/workers/recover';
import { enforceRetention } from '#engine/retention';
import { endWaitsOfLostParents } from '#engine/wait/suspension';
import { wakeWaiting } from '#engine/wait/waker';
import { listenForWakeUps } from '#engine/workers/wake-up';
import type { Worker } from '#engine/workers/worker';

export interface WorkLoop {
  /** There is new work: look now instead of at the next poll. */
  wake(): void;
  /** Something may have been woken: look now instead of at the next poll. */
  lookAtWaits(): void;
  /** A run has ended: there may be room for the next. */
  runEnded(): void;
  /** Whether a new execution would find a place here soon, so that no other process need be told. */
  hasRoom(): boolean;
  /** Claims nothing more; resolves when the claim on its way has ended. */
  close(): Promise<void>;
}

/** Wake-ups come by NOTIFY; this finds what one did not reach, and what was held back by a limit elsewhere. */
const pollEveryMs = { listening: 2_000, deaf: 200, heldBack: 100 };
const largestClaim = 200;
/** After a look that gave little: news arrives many times a second, and one look serves all of it. */
const pauseAfterLittleMs = 5;
const little = 8;
const dueEveryMs = 200;
const recoverEveryMs = 1_000;
const wakeEveryMs = 200;
const reapEveryMs = 60_000;
const countEveryMs = 10_000;
const countedAtOnce = 500;
const maintainEveryMs = 3_600_000;

/** Claims queued executions as long as there is room, takes over from dead workers, keeps house once an hour. */
export function startWorkLoop(deps: {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly queue: Queue;
  readonly vault: RowVault;
  readonly crash?: CrashHook | undefined;
  /** The worker of the moment; a lost lease replaces it. */
  readonly worker: () => Worker;
  readonly concurrency: number;
  readonly retention: LogRetention;
  readonly queueMaxAgeHours: number;
  /** For the connection that listens. */
  readonly databaseUrl: string;
}): WorkLoop {
  const { log, concurrency } = deps;
  const closing = new AbortController();
  let wakeClaim: (() => void) | undefined;
  let wakeWaker: (() => void) | undefined;
  let isWakerWoken = false;
  /** Something was queued since the last look. */
  let hasNews = true;
  /** At the last look somebody was left waiting, or may have been. */
  let isBacklog = false;
  const listener = listenForWakeUps(deps.databaseUrl, wake);

  function freeSlots(): number {
    return concurrency - deps.worker().runs.size;
  }

  /** A few at a time would cost a transaction each: the backlog waits until a good part is free, news does not. */
  function isWorthIt(): boolean {
    const free = freeSlots();
    const isRoomForMany = free >= Math.min(largestClaim, Math.ceil((3 * concurrency) / 8));
    return free > 0 && (hasNews || (isBacklog && isRoomForMany));
  }

  async function claim(): Promise<void> {
    let pauseMs = listener.isListening() ? pollEveryMs.listening : pollEveryMs.deaf;
    if (isWorthIt()) {
      hasNews = false;
      const free = freeSlots();
      const { claimed, isHeldBack } = await deps.worker().claim(Math.min(free, largestClaim), free);
      isBacklog = claimed > 0 || isHeldBack;
      if (claimed < little) await sleep(pauseAfterLittleMs);
      if (claimed > 0) return;
      if (isHeldBack) pauseMs = pollEveryMs.heldBack;
    }
    if (hasNews && freeSlots() > 0) return;
    await sleep(pauseMs, (wake) => (wakeClaim = wake));
    // The poll itself is news: it is there for what nobody told us.
    hasNews = true;
  }

  async function wakeDue(): Promise<void> {
    if ((await clientTransaction(deps.pool, (client) => deps.queue.wakeDue(client))) > 0) wake();
    else await sleep(dueEveryMs);
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

  async function reap(): Promise<void> {
    await endWaitsOfLostParents(deps.pool);
    const ended = await clientTransaction(deps.pool, (client) =>
      deps.queue.reap(client, deps.queueMaxAgeHours),
    );
    if (ended > 0) log.warn({ executions: ended }, 'Executions waited too long for a worker and were ended.');
    else await sleep(reapEveryMs);
  }

  async function countUsed(): Promise<void> {
    if ((await countUsage(deps.pool, countedAtOnce)) < countedAtOnce) await sleep(countEveryMs);
  }

  async function maintain(): Promise<void> {
    await makePartitions(deps.pool, deps.clock.now());
    await enforceRetention(deps, deps.retention, () => closing.signal.aborted);
    await deleteOldWorkers(deps.pool);
    await deleteOldInboxKeys(deps.pool);
    await deleteTablesOfEndedExecutions(deps.pool);
    await deleteExpiredSessionTokens(deps.pool);
    await deleteEndedRecords(deps.pool, deps.clock.now(), deps.retention);
    await deleteOldArrivals(deps.pool);
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
    hasNews = true;
    wakeClaim?.();
  }

  const loops = [
    repeat('Claiming executions', claim),
    repeat('Waking delayed executions', wakeDue),
    repeat('Taking over from lost workers', recover),
    repeat('Waking suspended executions', wakeSuspended),
    repeat('Ending executions that waited too long', reap),
    repeat('Counting usage', countUsed),
    repeat('Maintenance', maintain),
  ];
  return {
    wake,
    lookAtWaits() {
      isWakerWoken = true;
      wakeWaker?.();
    },
    runEnded() {
      if (isWorthIt()) wakeClaim?.();
    },
    hasRoom: () => freeSlots() > concurrency / 4,
    async close() {
      closing.abort();
      await listener.close();
      await Promise.all(loops);
    },
  };
}

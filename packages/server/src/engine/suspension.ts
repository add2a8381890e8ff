import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { clientTransaction } from '#db/client-transaction';
import { whileDatabaseIsAway } from '#db/database-fault';
import { groupCommit } from '#db/group-commit';
import { deleteWaits, insertWaits, suspendExecution, type NewWait } from '#db/wait';
import { lockLiveWorker } from '#db/worker';
import type { Clock } from '#domain/clock';
import type { CrashHook } from '#engine/crash-points';
import { LeaseLostError } from '#engine/journal';

/** What a run asks of the database when nodes of it wait. Everything is fenced by the worker's lease. */
export interface Suspension {
  /** Commits a wait: from now on it can be woken. */
  write(wait: NewWait): Promise<void>;
  /**
   * Gives a run back, all of whose nodes wait. Whatever was woken before, is woken now or later brings it back (see
   * the waker), so nothing has to be looked at here.
   *
   * @param consumed - ids of waits that are over
   * @returns false when the run is to stop instead
   */
  leave(executionId: string, consumed: readonly string[]): Promise<boolean>;
  /** The run has ended: nobody waits for anything. What this misses, the waker finds. */
  forget(executionId: string): void;
}

const mostAtOnce = 500;

export function openSuspension(
  deps: {
    readonly pool: Pool;
    readonly clock: Clock;
    readonly log: Pick<Logger, 'warn'>;
    readonly crash?: CrashHook | undefined;
    /** Resolves when everything that a run has added to the journal is written. */
    readonly written: (executionId: string) => Promise<void>;
    readonly isOver: () => boolean;
    readonly onLeft: () => void;
  },
  workerId: string,
): Suspension {
  const { pool } = deps;
  const waits = groupCommit(write, mostAtOnce);

  async function write(batch: readonly NewWait[]): Promise<undefined[]> {
    const insert = (): Promise<boolean> => insertWaits(pool, workerId, batch);
    const onAway = (error: unknown): void =>
      deps.log.warn({ err: error }, 'A wait could not be written; trying again.');
    if (!(await whileDatabaseIsAway(insert, { isOver: deps.isOver, onAway }))) throw new LeaseLostError();
    return batch.map(() => undefined);
  }

  return {
    write: (wait) => waits.commit(wait),
    async leave(executionId, consumed) {
      await deps.written(executionId);
      const isGone = await clientTransaction(pool, async (client) => {
        if (!(await lockLiveWorker(client, workerId))) throw new LeaseLostError();
        const at = deps.clock.now();
        const isSuspended = await suspendExecution(client, { workerId, executionId, consumed, at });
        deps.crash?.('suspend.before-commit');
        return isSuspended;
      });
      deps.crash?.('suspend.after-commit');
      deps.onLeft();
      return isGone;
    },
    forget(executionId) {
      deleteWaits(pool, executionId).catch((error: unknown) =>
        deps.log.warn(
          { err: error, executionId },
          'Waits of an ended execution stay for the waker to delete.',
        ),
      );
    },
  };
}

import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { clientTransaction } from '#db/client-transaction';
import { despiteDeadlocks, whileDatabaseIsAway } from '#db/database-fault';
import { groupCommit } from '#db/group-commit';
import { stopWithDescendants } from '#db/execution-control';
import {
  childrenAwaited,
  deleteWaits,
  deleteWaitsById,
  endedParents,
  insertWaits,
  suspendExecution,
  type NewWait,
} from '#db/wait';
import { lockLiveWorker } from '#db/worker';
import type { Clock } from '#domain/clock';
import type { Tenant } from '#domain/tenant';
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
  /**
   * What waited here belongs to something that has ended: it can be woken no longer, and the sub-flows that it
   * waited for are stopped.
   */
  drop(tenant: Tenant, dropped: readonly DroppedWait[]): void;
  /** The run has ended: nobody waits for anything. What this misses, `endWaitsOfLostParents` finds. */
  forget(tenant: Tenant, executionId: string): void;
}

/** A wait that nobody is interested in any more. */
export interface DroppedWait {
  readonly id: string;
  /** The sub-flow that it was for, when that is to be stopped. */
  readonly childExecutionId: string | undefined;
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

  /** Nobody waits for it, and what it leaves undone is found later. */
  function inBackground(what: string, work: () => Promise<void>): void {
    whileDatabaseIsAway(() => despiteDeadlocks(work), deps).catch((error: unknown) =>
      deps.log.warn({ err: error }, what),
    );
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
    drop(tenant, dropped) {
      const children = dropped.flatMap(({ childExecutionId }) => childExecutionId ?? []);
      const ids = dropped.map(({ id }) => id);
      inBackground('Waits that were dropped stay until their execution ends.', () =>
        clientTransaction(pool, async (client) => {
          // A run that others have meanwhile may wait here for good reason.
          if (!(await lockLiveWorker(client, workerId))) return;
          await stopWithDescendants(client, tenant, children);
          await deleteWaitsById(client, ids);
        }),
      );
    },
    forget(tenant, executionId) {
      inBackground('Waits of an ended execution stay for a while.', () =>
        endWaits(pool, tenant, executionId),
      );
    },
  };
}

/** An ended execution waits for nothing: the sub-flows whose end it waited for are stopped. */
async function endWaits(pool: Pool, tenant: Tenant, executionId: string): Promise<void> {
  const children = await childrenAwaited(pool, executionId);
  if (children.length === 0) return deleteWaits(pool, executionId);
  await clientTransaction(pool, async (client) => {
    // Executions before waits: the order of everybody who locks both.
    await stopWithDescendants(client, tenant, children);
    await deleteWaits(client, executionId);
  });
}

const lostParentsAtOnce = 500;

/** Does for executions that ended with their worker, or in the queue, what that worker would have done. */
export async function endWaitsOfLostParents(pool: Pool): Promise<void> {
  for (const { id, tenant } of await endedParents(pool, lostParentsAtOnce)) await endWaits(pool, tenant, id);
}

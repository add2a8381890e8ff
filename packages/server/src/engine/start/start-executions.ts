import type { Pool, PoolClient } from 'pg';
import { insertExecutions, type NewExecution } from '#db/execution-start';
import { storeLargeValues } from '#db/journal-flush';
import { clientTransaction } from '#db/client-transaction';
import type { CrashHook } from '#engine/crash-points';
import { groupCommit, type GroupCommit } from '#db/group-commit';
import { LeaseLostError } from '#engine/journal';
import type { Queue, QueuedJob } from '#engine/workers/queue';

const largestBatch = 500;

/** Writes new executions, many at once: header, first journal row and, for queued ones, the job in one transaction. */
export function startWriter(deps: {
  readonly pool: Pool;
  readonly queue: Queue;
  readonly crash?: CrashHook | undefined;
  readonly workerId: () => string;
}): GroupCommit<NewExecution, void> {
  return groupCommit(async (executions) => {
    const queued = executions.filter((execution) => execution.owner === null);
    deps.crash?.('start.before-commit');
    await storeLargeValues(
      deps.pool,
      executions.flatMap((e) => [
        { tenant: e.tenant, value: e.payload },
        { tenant: e.tenant, value: e.headers },
      ]),
    );
    if (queued.length === 0) {
      if (!(await insertExecutions(deps.pool, deps.workerId(), executions))) throw new LeaseLostError();
    } else {
      await clientTransaction(deps.pool, async (client) => {
        if (!(await insertExecutions(client, deps.workerId(), executions))) throw new LeaseLostError();
        await deps.queue.enqueue(client, queued.map(jobOf));
      });
    }
    deps.crash?.('start.after-commit');
    return executions.map(() => undefined);
  }, largestBatch);
}

/** Writes executions that wait for a worker, with their jobs, in the caller's transaction. */
export async function writeExecutions(
  client: PoolClient,
  deps: { readonly queue: Queue; readonly workerId: string },
  executions: readonly NewExecution[],
): Promise<void> {
  if (executions.length === 0) return;
  await storeLargeValues(
    client,
    executions.flatMap(({ tenant, payload, headers }) => [
      { tenant, value: payload },
      { tenant, value: headers },
    ]),
  );
  await insertExecutions(client, deps.workerId, executions);
  await deps.queue.enqueue(client, executions.map(jobOf));
}

/** The token in the queue of a waiting execution. */
export function jobOf(execution: { readonly id: string }): QueuedJob {
  return { executionId: execution.id };
}

import type { Pool } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import { findExecution, type ExecutionHeader } from '#db/execution-log';
import { takeRetry } from '#db/execution-retry';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { PlanCache } from '#engine/plan-cache';
import type { Queue } from '#engine/queue';
import type { QueuePlaces } from '#engine/queue-places';
import type { RowVault } from '#engine/recording/sealed-parts';
import type { NodeAgain } from '#engine/retries/redo';
import { draftRetry, writeRetry } from '#engine/retries/write-retry';

/** Where a retry takes an ended execution up: at what failed, or at a node and everything that follows it. */
export type RetryFrom = { readonly from: 'failure' } | ({ readonly from: 'node' } & NodeAgain);

/** Whoever sends the same request again gets what it made the first time. */
export interface RetryRequest {
  readonly requestId?: string | undefined;
}

export interface Retries {
  /**
   * Makes a new execution that goes on from an ended one: with its version, payload and idempotency keys, and with
   * everything that finished. Durable when it resolves.
   *
   * @throws AppError `execution_not_found`, `wrong_state` when nothing failed or it has not ended,
   *   `execution_node_not_found`, `workflow_not_found` when its version is gone, `queue_full`
   */
  retry(
    tenant: Tenant,
    executionId: string,
    how: RetryFrom & RetryRequest,
  ): Promise<{ readonly executionId: string; readonly isNew: boolean }>;
}

const failedStates: ReadonlySet<string> = new Set(['errored', 'stopped', 'timed_out', 'terminated']);

/** The retries of one process. */
export function createRetries(deps: {
  readonly db: Db;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly vault: RowVault;
  readonly plans: PlanCache;
  readonly queue: Queue;
  readonly places: QueuePlaces;
  readonly wake: () => void;
}): Retries {
  return {
    async retry(tenant, executionId, how) {
      const header = await findExecution(deps.db, tenant, executionId);
      if (header === undefined) throw new AppError('execution_not_found', { id: executionId });
      assertRetryable(header, how.from);
      const plan =
        header.workflowVersion === null
          ? deps.plans.of(header.document)
          : await deps.plans.get(tenant, header.workflowId, header.workflowVersion);
      const again = how.from === 'node' ? how : undefined;
      const draft = await draftRetry(deps, tenant, header, plan, again);
      await deps.places.reserve(tenant, header.linkedAccountId, 1);
      const at = deps.clock.now();
      const id = newId(at.getTime());
      const known = await clientTransaction(deps.pool, async (client) => {
        const made =
          how.requestId === undefined
            ? undefined
            : await takeRetry(client, tenant, { executionId, requestId: how.requestId, retryId: id });
        if (made === undefined) await writeRetry(client, deps, draft, { id, mode: 'async', at });
        return made;
      });
      if (known === undefined) deps.wake();
      return { executionId: known ?? id, isNew: known === undefined };
    },
  };
}

function assertRetryable({ id, state, finishedAt }: ExecutionHeader, from: RetryFrom['from']): void {
  if (finishedAt === null) {
    throw new AppError('wrong_state', {
      reason: `Execution "${id}" is ${state}: it can be retried when it has ended. Stop it first, or wait.`,
    });
  }
  if (from === 'failure' && !failedStates.has(state)) {
    throw new AppError('wrong_state', {
      reason: `Execution "${id}" is ${state}: nothing of it failed. Retry one of its nodes ("from": "node"), or start the workflow again.`,
    });
  }
}

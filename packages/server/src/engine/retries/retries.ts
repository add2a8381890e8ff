import type { Pool, PoolClient } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import { findExecution, listExecutions, type ExecutionFilter, type ExecutionHeader } from '#db/execution-log';
import { holdUnretried, retriesOfRequest, takeRetry } from '#db/execution-retry';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { PlanCache } from '#engine/plan/plan-cache';
import type { Queue } from '#engine/workers/queue';
import type { QueuePlaces } from '#engine/start/queue-places';
import type { RowVault } from '#engine/recording/sealed-parts';
import { failedStates, whereToGoOn, type FailedPlace } from '#engine/retries/failed-place';
import type { GivenOutcome } from '#engine/retries/given-outcome';
import type { NodeAgain } from '#engine/retries/redo';
import { draftRetry, writeRetry, type RetryWishes } from '#engine/retries/write-retry';
import type { Plan } from '#engine/plan/workflow-plan';

/** Where a retry takes an ended execution up: at what failed, or at a node and everything that follows it. */
export type RetryFrom = { readonly from: 'failure' } | ({ readonly from: 'node' } & NodeAgain);

/** Which executions to retry: these, or the oldest failed ones that nobody has retried or rerun. */
export type RetryMany = {
  readonly limit: number;
  readonly linkedAccountId?: string | undefined;
  readonly requestId: string;
} & ({ readonly ids: readonly string[] } | { readonly filter: ExecutionFilter });

/** What became of one execution of many; `problem` says why it was not retried. */
export interface Retried {
  readonly of: string;
  readonly executionId?: string;
  readonly problem?: string;
}

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
  /**
   * Retries many from their failure, one after another; what cannot be retried is passed over and named. Sent again
   * with the same `requestId` it goes on where it was interrupted and makes no more than `limit` in all.
   */
  retryMany(tenant: Tenant, which: RetryMany): Promise<readonly Retried[]>;
  /**
   * Goes on from the failure of one node, whatever has been retried since: from the youngest retry, and where a
   * sub-flow failed for it, from the execution that waited. A failure that the workflow has dealt with runs again
   * alone with everything that follows it. With a given outcome the node does not run: that is taken for what came
   * of it, now and in every later retry.
   *
   * @throws AppError `wrong_state` when the log is gone, it has not ended, or a given outcome comes too late
   */
  takeUp(tenant: Tenant, place: FailedPlace, how: TakeUp): Promise<{ readonly executionId: string | null }>;
}

/** What was decided about a failure, as whoever keeps it writes it down. */
export interface TakenUp {
  /** The youngest execution in which the node failed. */
  readonly failedIn: string;
  /** The execution that goes on; null: there is nothing to go on with. */
  readonly retryId: string | null;
}

export interface TakeUp {
  readonly given?: GivenOutcome | undefined;
  /** Writes in the transaction that makes the retry; what it throws takes the retry back. */
  readonly note: (client: PoolClient, taken: TakenUp) => Promise<void>;
}

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
  async function chosen(tenant: Tenant, which: RetryMany, known: number): Promise<readonly string[]> {
    if ('ids' in which) return which.ids.slice(0, which.limit);
    const limit = which.limit - known;
    if (limit <= 0) return [];
    const filter = {
      ...which.filter,
      states: which.filter.states ?? [...failedStates],
      linkedAccountId: which.linkedAccountId ?? which.filter.linkedAccountId,
      isUntouched: true,
    };
    const { executions } = await listExecutions(deps.db, tenant, filter, {
      offset: 0,
      limit,
      isOldestFirst: true,
    });
    return executions.map(({ id }) => id);
  }

  async function retryOne(tenant: Tenant, of: string, which: RetryMany): Promise<Retried> {
    try {
      const { linkedAccountId, requestId } = which;
      const header = await findExecution(deps.db, tenant, of, linkedAccountId);
      if (header === undefined) throw new AppError('execution_not_found', { id: of });
      const { executionId } = await retries.retry(tenant, of, { from: 'failure', requestId });
      return { of, executionId };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { of, problem: error.message };
    }
  }

  function planOf(tenant: Tenant, header: ExecutionHeader): Plan | Promise<Plan> {
    return header.workflowVersion === null
      ? deps.plans.of(header.document)
      : deps.plans.get(tenant, header.workflowId, header.workflowVersion);
  }

  /**
   * Writes a retry and queues it. In the same transaction, `known` may name the one that is there already, and
   * `note` adds what goes with it.
   */
  async function make(
    tenant: Tenant,
    { header, plan, ...wishes }: RetryWishes & { readonly header: ExecutionHeader; readonly plan: Plan },
    beside: {
      readonly known?: (client: PoolClient, retryId: string) => Promise<string | undefined>;
      readonly note?: (client: PoolClient, retryId: string) => Promise<void>;
    },
  ): Promise<{ readonly id: string; readonly isNew: boolean }> {
    const draft = await draftRetry(deps, tenant, header, plan, wishes);
    await deps.places.reserve(tenant, header.linkedAccountId, 1);
    const at = deps.clock.now();
    const id = newId(at.getTime());
    const known = await clientTransaction(deps.pool, async (client) => {
      const made = await beside.known?.(client, id);
      if (made !== undefined) return made;
      await writeRetry(client, deps, draft, { id, mode: 'async', at });
      await beside.note?.(client, id);
      return undefined;
    });
    if (known === undefined) deps.wake();
    return { id: known ?? id, isNew: known === undefined };
  }

  const retries: Retries = {
    async retryMany(tenant, asked) {
      // What one account's request is called says nothing about another's.
      const { linkedAccountId } = asked;
      const requestId =
        linkedAccountId === undefined ? asked.requestId : `${linkedAccountId}/${asked.requestId}`;
      const which = { ...asked, requestId };
      const known = await retriesOfRequest(deps.pool, tenant, which.requestId);
      const done: Retried[] = known.map(({ executionId, retryId }) => ({
        of: executionId,
        executionId: retryId,
      }));
      const isDone = new Set(known.map(({ executionId }) => executionId));
      for (const id of await chosen(tenant, which, known.length)) {
        if (!isDone.has(id)) done.push(await retryOne(tenant, id, which));
      }
      return done;
    },
    async retry(tenant, executionId, how) {
      const header = await findExecution(deps.db, tenant, executionId);
      if (header === undefined) throw new AppError('execution_not_found', { id: executionId });
      assertRetryable(header, how.from);
      const { requestId } = how;
      const again = how.from === 'node' ? how : undefined;
      const from = { header, plan: await planOf(tenant, header), again };
      const made = await make(tenant, from, {
        known: async (client, retryId) =>
          requestId === undefined
            ? undefined
            : takeRetry(client, tenant, { executionId, requestId, retryId }),
      });
      return { executionId: made.id, isNew: made.isNew };
    },
    async takeUp(tenant, place, { given, note }) {
      const from = await whereToGoOn({ ...deps, planOf }, tenant, place, given !== undefined);
      const { failedIn } = from;
      if (from.header === undefined) {
        await clientTransaction(deps.pool, (client) => note(client, { failedIn, retryId: null }));
        return { executionId: null };
      }
      const { nodeId, batch } = place;
      const isHere = given !== undefined && from.header.id === failedIn;
      const made = await make(
        tenant,
        { ...from, given: isHere ? { ...given, nodeId, batch } : undefined },
        {
          // Several places may have failed in one execution, and each is kept by itself.
          known: async (client) => {
            if (await holdUnretried(client, tenant, from.header.id)) return undefined;
            throw goneOnMeanwhile(from.header.id);
          },
          note: (client, retryId) => note(client, { failedIn, retryId }),
        },
      );
      return { executionId: made.id };
    },
  };
  return retries;
}

function goneOnMeanwhile(id: string): AppError<'wrong_state'> {
  return new AppError('wrong_state', {
    reason: `Somebody else has gone on with execution "${id}" at the same time. Try again when that has ended.`,
  });
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

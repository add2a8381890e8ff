import type { Pool } from 'pg';
import { findExecution } from '#db/execution-log';
import type { NewExecution } from '#db/execution-start';
import type { GroupCommit } from '#db/group-commit';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { awaitEnd } from '#engine/start/await-end';
import { LeaseLostError } from '#engine/journal';
import { firstRunInput, type MakeExecution } from '#engine/start/new-execution';
import type { QueuePlaces } from '#engine/start/queue-places';
import { askUntil, turnKeeper } from '#engine/start/queued-sync';
import type { ExecutionDetail } from '#engine/read/read-executions';
import type { RunResult } from '#engine/run/run';
import type { StartInput } from '#engine/start/start-input';
import { within } from '#engine/run/within';
import type { Worker } from '#engine/workers/worker';
import type { Plan } from '#engine/plan/workflow-plan';

/** How an execution answered somebody who waited for it. */
export interface SyncAnswer {
  readonly executionId: string;
  /** False: it runs on; ask for it later by its id. */
  readonly isFinished: boolean;
  readonly returnValue?: unknown;
  readonly statusCode?: number | undefined;
  readonly isErrored?: boolean;
  readonly error?: RunResult['failure'];
}

const leaseRetryMs = 1_000;

/** Runs executions for callers who wait for their end. */
export function createSyncCalls(deps: {
  readonly db: Db;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly places: QueuePlaces;
  readonly starts: GroupCommit<NewExecution, void>;
  readonly worker: () => Worker;
  readonly planOf: (tenant: Tenant, input: StartInput) => Plan | Promise<Plan>;
  readonly newExecution: MakeExecution;
  /** Writes the row, once for each key of its workflow's `dedup_key`. */
  readonly commitStart: (row: NewExecution, input: StartInput, plan: Plan) => Promise<void>;
  /** An execution as its caller may see it, not as the log shows it. */
  readonly readWhole: (tenant: Tenant, executionId: string) => Promise<ExecutionDetail | undefined>;
  /** As the log shows it. */
  readonly readShown: (tenant: Tenant, executionId: string) => Promise<ExecutionDetail | undefined>;
  readonly wake: () => void;
}): (tenant: Tenant, input: StartInput & { readonly timeoutMs: number }) => Promise<SyncAnswer> {
  const { db, pool, clock, places, starts, planOf, newExecution, commitStart, wake } = deps;
  const mustQueue = turnKeeper({ pool, clock });

  async function runSync(
    tenant: Tenant,
    { timeoutMs, ...input }: StartInput & { readonly timeoutMs: number },
  ): Promise<SyncAnswer> {
    const plan = await planOf(tenant, input);
    if (plan.loopIds.length > 0 && !plan.allowsSyncLoops) throw new AppError('sync_loop_refused', undefined);
    if (await mustQueue(tenant, input.linkedAccount.id, plan))
      return runQueued(tenant, input, plan, timeoutMs);
    const { row, owner } = await createOwned(tenant, input, plan);
    const run = await owner.adopt(firstRunInput(row, input, plan));
    const since = performance.now();
    const result = await within(run.finished, timeoutMs);
    if (result === undefined) return { executionId: row.id, isFinished: false };
    if (result.state === 'left') {
      const isEnded = await awaitEnd(pool, row.id, timeoutMs - (performance.now() - since));
      return isEnded ? answerOf(tenant, row.id) : { executionId: row.id, isFinished: false };
    }
    return {
      executionId: row.id,
      isFinished: true,
      returnValue: result.response?.body,
      statusCode: result.response?.statusCode,
      isErrored: result.state !== 'completed',
      error: result.failure,
    };
  }

  /** The caller waits, but so does the execution: for its turn under a limit, on whichever worker has it. */
  async function runQueued(
    tenant: Tenant,
    input: StartInput,
    plan: Plan,
    timeoutMs: number,
  ): Promise<SyncAnswer> {
    await places.reserve(tenant, input.linkedAccount.id, 1);
    const begin = { mode: 'sync', owner: null, now: clock.now() } as const;
    const row = await newExecution(tenant, input, plan, begin);
    await starts.commit(row);
    wake();
    const header = await askUntil(async () => {
      const found = await findExecution(db, tenant, row.id);
      return found?.finishedAt === null && found.state !== 'waiting' ? undefined : found;
    }, timeoutMs);
    if (header === undefined || header.finishedAt === null) return { executionId: row.id, isFinished: false };
    return answerOf(tenant, row.id);
  }

  /** The answer of an execution that ended elsewhere. */
  async function answerOf(tenant: Tenant, executionId: string): Promise<SyncAnswer> {
    // The answer is data, what went wrong is a log of it.
    const [whole, shown] = await Promise.all([
      deps.readWhole(tenant, executionId),
      deps.readShown(tenant, executionId),
    ]);
    if (whole === undefined || shown === undefined) return { executionId, isFinished: false };
    const { header, nodes } = shown;
    const failed = nodes.find((node) => node.nodeId === header.failedNodeId);
    return {
      executionId,
      isFinished: true,
      returnValue: whole.answer ?? undefined,
      statusCode: header.statusCode ?? undefined,
      isErrored: header.state !== 'completed',
      error:
        header.errorText === null
          ? undefined
          : {
              nodeId: header.failedNodeId ?? '',
              nodeName: failed?.name ?? '',
              message: header.errorText,
              ...(failed?.error?.status !== undefined && { status: failed.error.status }),
              ...(failed?.error?.body !== undefined && { body: failed.error.body }),
            },
    };
  }

  /** A sync call begins owned. If the lease is lost in that very moment nothing was written: once more. */
  async function createOwned(
    tenant: Tenant,
    input: StartInput,
    plan: Plan,
  ): Promise<{ row: NewExecution; owner: Worker }> {
    for (let attempt = 1; ; attempt += 1) {
      const owner = deps.worker();
      const begin = { mode: 'sync', owner: owner.id, now: clock.now() } as const;
      const row = await newExecution(tenant, input, plan, begin);
      try {
        await commitStart(row, input, plan);
        return { row, owner };
      } catch (error) {
        if (!(error instanceof LeaseLostError) || attempt === 3) throw error;
        await new Promise((resolve) => setTimeout(resolve, leaseRetryMs));
      }
    }
  }

  return runSync;
}

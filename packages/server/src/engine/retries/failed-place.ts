import type { Pool } from 'pg';
import { findExecution, type ExecutionHeader } from '#db/execution-log';
import { findCaller, youngestRetry } from '#db/execution-retry';
import type { Db, ExecutionState, JournalStatus } from '#db/schema';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { rowsToRedo, type NodeAgain } from '#engine/retries/redo';
import { readOutlineOf } from '#engine/retries/write-retry';
import type { Plan } from '#engine/plan/workflow-plan';

/** A node that failed, in one iteration of one execution. */
export interface FailedPlace {
  readonly executionId: string;
  readonly nodeId: string;
  /** Path of the iterations around it; '' outside of loops and try blocks. */
  readonly batch: string;
}

/** Where work goes on after a failure. Without a `header` there is nothing to go on with. */
export type GoOn = { readonly failedIn: string } & (
  | { readonly header: undefined }
  | { readonly header: ExecutionHeader; readonly plan: Plan; readonly again: NodeAgain | undefined }
);

interface Deps {
  readonly db: Db;
  readonly pool: Pool;
  readonly planOf: (tenant: Tenant, header: ExecutionHeader) => Plan | Promise<Plan>;
}

/** States of which a retry can go on. */
export const failedStates: ReadonlySet<ExecutionState> = new Set<ExecutionState>([
  'errored',
  'stopped',
  'timed_out',
  'terminated',
]);

const succeeded: ReadonlySet<JournalStatus | null> = new Set<JournalStatus>([
  'success',
  'partially_successful',
]);

/**
 * Decides from the journals what is still to be done about a failure.
 *
 * @param isAnswered - the outcome of the node will be given, so that it is not to run
 * @throws AppError `wrong_state`
 */
export async function whereToGoOn(
  deps: Deps,
  tenant: Tenant,
  place: FailedPlace,
  isAnswered: boolean,
): Promise<GoOn> {
  const { nodeId, batch } = place;
  const failedIn = await youngestRetry(deps.pool, tenant, place.executionId);
  const header = failedIn === undefined ? undefined : await findExecution(deps.db, tenant, failedIn);
  if (failedIn === undefined || header === undefined) {
    throw refusal(
      `The log of execution "${place.executionId}" has been deleted, so nothing can go on from it. Link a resolution workflow to the queue, which needs the record only, or resolve the record by hand.`,
    );
  }
  assertEnded(header);
  const plan = await deps.planOf(tenant, header);
  const isFailed = failedStates.has(header.state);
  const { status, isLeftOpen } = await standingOf(deps, tenant, plan, { ...place, executionId: failedIn });
  const hasSucceeded = succeeded.has(status);
  if (isAnswered && hasSucceeded) {
    throw refusal(
      `In execution "${failedIn}" the node has succeeded meanwhile, so its outcome is known. Send the record again to go on from there, or resolve it by hand.`,
    );
  }
  if (isFailed && (isLeftOpen || hasSucceeded)) {
    return { failedIn, ...(await outermost(deps, tenant, { header, plan })), again: undefined };
  }
  // The workflow has dealt with it and gone on.
  if (isAnswered || hasSucceeded) return { failedIn, header: undefined };
  return { failedIn, header, plan, again: { nodeId, batch } };
}

/** Climbs from an execution to the one that failed because a chain of sub-flows did. */
async function outermost(
  deps: Deps,
  tenant: Tenant,
  from: { readonly header: ExecutionHeader; readonly plan: Plan },
): Promise<{ readonly header: ExecutionHeader; readonly plan: Plan }> {
  let at = from;
  for (;;) {
    const caller = await findCaller(deps.pool, tenant, at.header.id);
    if (caller === undefined) return at;
    // What a retry of it has done by now is not done again.
    const callerId = await youngestRetry(deps.pool, tenant, caller.executionId);
    const header = callerId === undefined ? undefined : await findExecution(deps.db, tenant, callerId);
    if (header === undefined) return at;
    const plan = await deps.planOf(tenant, header);
    const place = { ...caller, executionId: header.id };
    const { status, isLeftOpen } = await standingOf(deps, tenant, plan, place);
    if (status === null || (header.finishedAt === null && status === 'errored')) assertEnded(header);
    // A retry that ended before it came to the sub-flow comes to it when it is gone on with.
    if (!(isLeftOpen || status === null) || !failedStates.has(header.state)) return at;
    at = { header, plan };
  }
}

/** How a node ended last, and whether a retry from failure would run it again. */
async function standingOf(
  { pool }: Deps,
  tenant: Tenant,
  plan: Plan,
  { executionId, nodeId, batch }: FailedPlace,
): Promise<{ readonly status: JournalStatus | null; readonly isLeftOpen: boolean }> {
  const outline = await readOutlineOf(pool, tenant, executionId);
  const rows = outline.filter((row) => row.kind !== 'batch' && row.nodeId === nodeId && row.batch === batch);
  const toRedo = new Set(rowsToRedo(outline, plan).seqs);
  return {
    status: rows.findLast(({ kind }) => kind === 'outcome')?.status ?? null,
    isLeftOpen: rows.some(({ seq }) => toRedo.has(seq)),
  };
}

function assertEnded({ id, state, finishedAt }: ExecutionHeader): void {
  if (finishedAt !== null) return;
  throw refusal(
    `Execution "${id}" is ${state}: it can be gone on with when it has ended. Stop it first, or wait.`,
  );
}

function refusal(reason: string): AppError<'wrong_state'> {
  return new AppError('wrong_state', { reason });
}

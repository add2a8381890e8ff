import { batchPath, hasBatch, journalOfBatch, pageOfBatches } from '#db/batch-journal';
import type { ContainerRef } from '#db/batch-journal';
import { findExecution } from '#db/execution-log';
import type { JournalStatus } from '#db/schema';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { cutForLog, nodeRuns, planOf, type NodeRun, type ReadDeps } from '#engine/read/read-executions';
import { historyOf, type HistoryEntry } from '#engine/run/run-history';
import type { Plan } from '#engine/plan/workflow-plan';

/** One iteration of a container, or one page of a node. */
export interface BatchRun {
  readonly index: number;
  /** Its path, which is how its own nodes are asked for. */
  readonly batch: string;
  readonly status: JournalStatus;
  readonly output: unknown;
  readonly error: HistoryEntry['error'];
  readonly durationMs: number | null;
}

/** Whose batches: of a node in one execution, inside one iteration of what is around it ('' at the root). */
export interface BatchesOf {
  readonly executionId: string;
  readonly nodeId: string;
  readonly within?: string | undefined;
  readonly linkedAccountId?: string | undefined;
}

/**
 * A page of the batches of a node that have ended, in their order. Those that an early end has kept from beginning
 * are in it too, though the journal holds them as one number.
 *
 * @throws AppError `execution_not_found`, `execution_node_not_found`, `node_without_batches`
 */
export async function listBatches(
  deps: ReadDeps,
  tenant: Tenant,
  of: BatchesOf,
  page: { readonly offset: number; readonly limit: number; readonly status?: JournalStatus | undefined },
): Promise<{ batches: BatchRun[]; total: number }> {
  const { ref } = await batchesOf(deps, tenant, of);
  const { rows, total, outcome } = await pageOfBatches(deps.pool, ref, page);
  const batches = historyOf(rows).map((entry): BatchRun => ({
    index: entry.batchIndex ?? 0,
    batch: entry.batch,
    status: entry.status ?? 'success',
    output: entry.output,
    error: entry.error,
    durationMs: entry.durationMs,
  }));
  const missing = neverBegun(outcome);
  if (missing === undefined || (page.status !== undefined && page.status !== missing.status)) {
    return { batches, total };
  }
  const first = Math.max(page.offset - total, 0);
  const room = Math.max(Math.min(page.limit - batches.length, missing.count - first), 0);
  const added = Array.from({ length: room }, (_, at): BatchRun => {
    const index = missing.from + first + at;
    const rest = { status: missing.status, output: null, error: null, durationMs: null };
    return { index, batch: batchPath(ref, index), ...rest };
  });
  return { batches: [...batches, ...added], total: total + missing.count };
}

/** Iterations that a loop did not come to, from the row of its own end. */
function neverBegun(
  outcome: { readonly status: JournalStatus; readonly output: unknown } | undefined,
): { from: number; count: number; status: JournalStatus } | undefined {
  const counts = outcome?.output as { total_iterations?: number; not_started_iterations?: number } | null;
  const count = counts?.not_started_iterations ?? 0;
  if (outcome === undefined || count === 0) return undefined;
  const { status } = outcome;
  const isHalted = status === 'stopped' || status === 'timed_out';
  return { from: (counts?.total_iterations ?? 0) - count, count, status: isHalted ? status : 'terminated' };
}

/**
 * What the nodes of one iteration did, in the order in which they were entered; none where their log was not kept, or
 * when an early end kept the iteration from beginning.
 *
 * @throws AppError `execution_not_found`, `execution_node_not_found`, `node_without_batches`,
 *   `execution_batch_not_found`
 */
export async function readBatch(
  deps: ReadDeps,
  tenant: Tenant,
  of: Pick<BatchesOf, 'executionId' | 'linkedAccountId'>,
  batch: string,
): Promise<NodeRun[]> {
  const [, within = '', nodeId = '', position = ''] = /^(?:(.+)\/)?([^/:]+):(\d{1,9})$/.exec(batch) ?? [];
  const index = Number(position);
  if (nodeId === '') throw new AppError('execution_batch_not_found', { batch });
  const { ref, plan, isRunning } = await batchesOf(deps, tenant, { ...of, nodeId, within });
  const rows = await journalOfBatch(deps.pool, of.executionId, batchPath(ref, index));
  if (rows.length === 0 && !(await hasBatch(deps.pool, ref, index))) {
    const { outcome } = await pageOfBatches(deps.pool, ref, { offset: 0, limit: 1 });
    const missing = neverBegun(outcome);
    const isMissing = missing !== undefined && index >= missing.from && index < missing.from + missing.count;
    if (!isMissing) throw new AppError('execution_batch_not_found', { batch });
  }
  return nodeRuns(historyOf(rows), plan, isRunning).map(cutForLog);
}

/** The container, or the node with pages, whose batches are asked for. */
async function batchesOf(
  deps: ReadDeps,
  tenant: Tenant,
  of: BatchesOf,
): Promise<{ ref: ContainerRef; plan: Plan | undefined; isRunning: boolean }> {
  const { plan, isRunning } = await executionOf(deps, tenant, of);
  const node = plan?.byId.get(of.nodeId);
  if (plan !== undefined && node === undefined) {
    throw new AppError('execution_node_not_found', { node: of.nodeId });
  }
  if (node !== undefined && !node.hasPages && Object.keys(node.regions).length === 0) {
    throw new AppError('node_without_batches', { node: of.nodeId });
  }
  return {
    ref: { executionId: of.executionId, nodeId: of.nodeId, batch: of.within ?? '' },
    plan,
    isRunning,
  };
}

async function executionOf(
  deps: ReadDeps,
  tenant: Tenant,
  { executionId, linkedAccountId }: Pick<BatchesOf, 'executionId' | 'linkedAccountId'>,
): Promise<{ plan: Plan | undefined; isRunning: boolean }> {
  const header = await findExecution(deps.db, tenant, executionId, linkedAccountId);
  if (header === undefined) throw new AppError('execution_not_found', { id: executionId });
  return {
    plan: await planOf(deps, tenant, header),
    isRunning: ['running', 'waiting'].includes(header.state),
  };
}

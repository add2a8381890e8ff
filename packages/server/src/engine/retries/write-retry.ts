import type { Pool, PoolClient } from 'pg';
import {
  insertRetry,
  readChildren,
  readOutline,
  readSealedRows,
  type ChildOf,
  type NewRetry,
} from '#db/execution-retry';
import type { ExecutionHeader } from '#db/execution-log';
import type { ExecutionMode } from '#db/schema';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import type { Queue } from '#engine/queue';
import { resealRow, type RowVault } from '#engine/recording/sealed-parts';
import { rowsToRedo, type NodeAgain } from '#engine/retries/redo';
import type { Plan } from '#engine/workflow-plan';

/** What a retry is to do, read from the journal of the execution that it goes on from. */
export type RetryDraft = Omit<NewRetry, 'id' | 'createdAt' | 'mode' | 'sealed'> & {
  readonly seal: (retryId: string) => NewRetry['sealed'];
};

/** Children that did their work or are still at it; others are started again, which goes on from where they failed. */
const keptChildren: ReadonlySet<string> = new Set([
  'completed',
  'terminated',
  'queued',
  'running',
  'waiting',
]);

/**
 * Decides what of an ended execution is kept. Nothing changes in an ended execution, so this may be read before the
 * transaction that writes the retry.
 *
 * @throws AppError `execution_node_not_found` when the node that is to run again is not in the workflow
 */
export async function draftRetry(
  deps: { readonly pool: Pool; readonly vault: RowVault },
  tenant: Tenant,
  of: Pick<ExecutionHeader, 'id'>,
  plan: Plan,
  again?: NodeAgain,
): Promise<RetryDraft> {
  const [outline, children, sealed] = await Promise.all([
    readOutline(deps.pool, tenant, of.id),
    readChildren(deps.pool, tenant, of.id),
    readSealedRows(deps.pool, tenant, of.id),
  ]);
  const rows = outline.map(({ node_id: nodeId, ...row }) => ({ ...row, nodeId }));
  if (again !== undefined && !hasRun(rows, again)) {
    throw new AppError('execution_node_not_found', { node: again.nodeId });
  }
  const redo = rowsToRedo(rows, plan, again);
  const dropped = new Set(redo.seqs);
  const isKept = (child: ChildOf): boolean =>
    child.state !== null && keptChildren.has(child.state) && !redo.isAgain(child.node_id, child.batch);
  return {
    tenant,
    of: of.id,
    nodeCount: plan.nodes.length,
    redo: redo.seqs,
    children: children.filter(isKept),
    seal: (retryId) =>
      sealed
        .filter(({ seq }) => !dropped.has(seq))
        .map((row) => ({ seq: row.seq, sealed: resealRow(deps.vault, row.sealed, row.seq, of.id, retryId) })),
  };
}

function hasRun(
  rows: readonly { readonly nodeId: string; readonly batch: string }[],
  { nodeId, batch }: NodeAgain,
): boolean {
  return rows.some((row) => row.nodeId === nodeId && (batch === undefined || row.batch === batch));
}

/** Writes a retry and queues it, in the caller's transaction. */
export async function writeRetry(
  client: PoolClient,
  deps: { readonly queue: Queue },
  draft: RetryDraft,
  as: { readonly id: string; readonly mode: ExecutionMode; readonly at: Date },
): Promise<void> {
  const { seal, ...rest } = draft;
  const retry = { ...rest, id: as.id, mode: as.mode, createdAt: as.at, sealed: seal(as.id) };
  if ((await insertRetry(client, retry)) === undefined) {
    throw new AppError('execution_not_found', { id: draft.of });
  }
  await deps.queue.enqueue(client, [{ executionId: as.id }]);
}

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
import type { Queue } from '#engine/workers/queue';
import { resealRow, type RowVault } from '#engine/recording/sealed-parts';
import { givenOutcomesOf, givenRow, slotOf, type PlacedOutcome } from '#engine/retries/given-outcome';
import { rowsToRedo, type JournalOutline, type NodeAgain } from '#engine/retries/redo';
import type { Plan } from '#engine/plan/workflow-plan';

/** What a retry is to do, read from the journal of the execution that it goes on from. */
export type RetryDraft = Omit<NewRetry, 'id' | 'createdAt' | 'mode' | 'sealed' | 'given'> & {
  readonly seal: (retryId: string) => NewRetry['sealed'];
  readonly give: (retryId: string, now: Date) => NewRetry['given'];
};

/** What a retry is to do beside running again what failed. */
export interface RetryWishes {
  /** A node that runs again though it finished. */
  readonly again?: NodeAgain | undefined;
  /** The outcome of a node that failed, instead of running it again. */
  readonly given?: PlacedOutcome | undefined;
}

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
  { again, given }: RetryWishes = {},
): Promise<RetryDraft> {
  const [rows, children, sealed, said] = await Promise.all([
    readOutlineOf(deps.pool, tenant, of.id),
    readChildren(deps.pool, tenant, of.id),
    readSealedRows(deps.pool, tenant, of.id),
    givenOutcomesOf(deps, tenant, of.id),
  ]);
  if (again !== undefined && !hasRun(rows, again)) {
    throw new AppError('execution_node_not_found', { node: again.nodeId });
  }
  const redo = rowsToRedo(rows, plan, again);
  const dropped = new Set(redo.seqs);
  const isKept = (child: ChildOf): boolean =>
    child.state !== null && keptChildren.has(child.state) && !redo.isAgain(child.node_id, child.batch);
  const leftBehind = rows.filter(({ seq }) => dropped.has(seq));
  const outcomes = [...said, ...(given === undefined ? [] : [given])].flatMap((outcome) => {
    // Who asks for a node to run again by its name wants it to run.
    const seq = redo.isAgain(outcome.nodeId, outcome.batch) ? undefined : slotOf(outcome, leftBehind);
    return seq === undefined ? [] : [{ outcome, seq }];
  });
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
    give: (retryId, now) =>
      outcomes.map(({ outcome, seq }) =>
        givenRow(deps.vault, plan, outcome, { tenant, executionId: retryId, seq, now }),
      ),
  };
}

/** Where the rows of an execution but the first stand, and what they say. */
export async function readOutlineOf(
  pool: Pool,
  tenant: Tenant,
  executionId: string,
): Promise<JournalOutline[]> {
  const outline = await readOutline(pool, tenant, executionId);
  return outline.map(({ node_id: nodeId, ...row }) => ({ ...row, nodeId }));
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
  const { seal, give, ...rest } = draft;
  const own = { id: as.id, mode: as.mode, createdAt: as.at };
  const retry = { ...rest, ...own, sealed: seal(as.id), given: give(as.id, as.at) };
  if ((await insertRetry(client, retry)) === undefined) {
    throw new AppError('execution_not_found', { id: draft.of });
  }
  await deps.queue.enqueue(client, [{ executionId: as.id }]);
}

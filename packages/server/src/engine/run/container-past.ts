import type { Pool } from 'pg';
import {
  countBatches,
  endsInside,
  finishedBatches,
  firstAnswer,
  lastBatch,
  openBatchRows,
  succeededBatches,
  type ContainerRef,
} from '#db/batch-journal';
import { whileDatabaseIsAway } from '#db/database-fault';
import type { StoredJournalRow } from '#db/execution-claim';
import type { OpenRow } from '#engine/recording/sealed-parts';
import { historyOf, type HistoryEntry } from '#engine/run/run-history';
import type { RunInput } from '#engine/run/run-state';
import { endedBatch } from '#engine/run/run-terminate';
import { nodesOf, type Plan } from '#engine/plan/workflow-plan';

/** What of a loop is in the journal. Only the iterations that have not ended come with their rows. */
export interface LoopPast {
  readonly succeeded: readonly number[];
  readonly failed: readonly number[];
  readonly firstFailure: { readonly index: number; readonly message: string } | undefined;
  /** An iteration has ended the loop; with a message if that was a failure. */
  readonly endedBy: { readonly message: string | undefined } | undefined;
  readonly last: HistoryEntry | undefined;
  /** Rows of iterations that were under way. */
  readonly open: readonly HistoryEntry[];
}

/** What of a try block is in the journal: the repetitions that ended, and the rows of the last one. */
export interface BlockPast {
  readonly last: HistoryEntry | undefined;
  readonly rows: readonly HistoryEntry[];
}

/** Reads what containers have behind them, level by level, so that a run never loads what is over. */
export interface ContainerPasts {
  loop(place: ContainerRef): Promise<LoopPast>;
  /** The iterations that succeeded, with what they gave. */
  outputs(place: ContainerRef): Promise<readonly HistoryEntry[]>;
  block(place: ContainerRef): Promise<BlockPast>;
}

/** @param of.isOver - the worker's life has ended: a database that is away is waited for no longer */
export function containerPasts(
  pool: Pool,
  open: OpenRow,
  of: { readonly isOver: () => boolean },
): ContainerPasts {
  const one = (row: StoredJournalRow | undefined): HistoryEntry | undefined =>
    row === undefined ? undefined : historyOf([row], open)[0];

  async function loop(place: ContainerRef): Promise<LoopPast> {
    const [ends, last, rows] = await Promise.all([
      finishedBatches(pool, place),
      lastBatch(pool, place),
      openBatchRows(pool, place, { isEndedIncluded: false }),
    ]);
    const indexes = (isSuccess: boolean): number[] =>
      ends.filter((end) => (end.status === 'success') === isSuccess).flatMap((end) => end.indexes);
    const ended = ends.find((end) => end.is_end);
    return {
      succeeded: indexes(true),
      failed: indexes(false),
      firstFailure: ends.find((end) => end.first_failure !== null)?.first_failure ?? undefined,
      endedBy: ended === undefined ? undefined : { message: ended.end_message ?? undefined },
      last: one(last),
      open: historyOf(rows, open),
    };
  }

  async function block(place: ContainerRef): Promise<BlockPast> {
    const [last, rows] = await Promise.all([
      lastBatch(pool, place),
      openBatchRows(pool, place, { isEndedIncluded: true }),
    ]);
    return { last: one(last), rows: historyOf(rows, open) };
  }

  return {
    loop: (place) => whileDatabaseIsAway(() => loop(place), of),
    outputs: (place) =>
      whileDatabaseIsAway(async () => historyOf(await succeededBatches(pool, place), open), of),
    block: (place) => whileDatabaseIsAway(() => block(place), of),
  };
}

/**
 * What a run must know of its containers before it is walked again: how many iterations it had, what it answered,
 * and what Terminate nodes in there have ended.
 */
export async function insideSoFar(
  pool: Pool,
  open: OpenRow,
  executionId: string,
  plan: Plan,
  history: readonly HistoryEntry[],
): Promise<Pick<RunInput, 'batches' | 'response' | 'terminations'>> {
  const wasInside = history.some(
    (entry) => Object.keys(plan.byId.get(entry.nodeId)?.regions ?? {}).length > 0,
  );
  if (!wasInside) return { batches: 0, response: undefined, terminations: new Map() };
  const inside = plan.nodes.flatMap((node) =>
    Object.values(node.regions).flatMap((region) => [...nodesOf(region)]),
  );
  const responses = inside.filter((node) => node.type === 'response');
  const terminates = inside.filter((node) => node.type === 'terminate').map(({ id }) => id);
  const [batches, row, ends] = await Promise.all([
    countBatches(pool, executionId, plan.loopIds),
    responses.length === 0
      ? undefined
      : firstAnswer(
          pool,
          executionId,
          responses.map(({ id }) => id),
        ),
    terminates.length === 0 ? [] : endsInside(pool, executionId, terminates),
  ]);
  const [first] = row === undefined ? [] : historyOf([row], open);
  const response = first && { nodeId: first.nodeId, body: first.output, statusCode: first.statusCode ?? 200 };
  const terminations = Map.groupBy(historyOf(ends, open), (entry) => endedBatch(plan, entry));
  return { batches, response, terminations };
}

import type { Pool } from 'pg';
import { selectJournal, type StoredJournalRow } from '#db/execution-claim';
import type { JournalStatus } from '#db/schema';

/** A container in one execution: its node, and the path of the iteration that it stands in ('' at the root). */
export interface ContainerRef {
  readonly executionId: string;
  readonly nodeId: string;
  readonly batch: string;
}

/** Path of one iteration of a container. */
export function batchPath(
  { nodeId, batch }: Pick<ContainerRef, 'nodeId' | 'batch'>,
  index: number | '',
): string {
  return `${batch === '' ? '' : `${batch}/`}${nodeId}:${index}`;
}

const ofContainer = `j.execution_id = $1 and j.node_id = $2 and j.kind = 'batch' and starts_with(j.batch, $3)`;

function valuesOf(ref: ContainerRef): string[] {
  return [ref.executionId, ref.nodeId, batchPath(ref, '')];
}

/** The iterations that ended, as lists of positions by status: a list of 100,000 numbers is one value, not rows. */
export async function finishedBatches(
  pool: Pool,
  ref: ContainerRef,
): Promise<
  {
    readonly status: JournalStatus;
    readonly indexes: number[];
    readonly first_failure: { readonly index: number; readonly message: string } | null;
    /** One of them ended its loop before the list was through. */
    readonly is_end: boolean;
    readonly end_message: string | null;
  }[]
> {
  const { rows } = await pool.query({
    name: 'inlay-batches-finished',
    text: `select j.status, array_agg(j.batch_index order by j.batch_index) as indexes,
        case when j.status <> 'success' then (array_agg(json_build_object('index', j.batch_index,
          'message', coalesce(j.error ->> 'message', j.status)) order by j.batch_index))[1] end as first_failure,
        coalesce(bool_or(j.port = 'end'), false) as is_end,
        min(j.error ->> 'message') filter (where j.port = 'end') as end_message
      from journal j where ${ofContainer} group by j.status`,
    values: valuesOf(ref),
  });
  return rows as Awaited<ReturnType<typeof finishedBatches>>;
}

/** The iteration of the highest position that ended. */
export async function lastBatch(pool: Pool, ref: ContainerRef): Promise<StoredJournalRow | undefined> {
  const { rows } = await pool.query<StoredJournalRow>({
    name: 'inlay-batch-last',
    text: `${selectJournal} where ${ofContainer} order by j.batch_index desc limit 1`,
    values: valuesOf(ref),
  });
  return rows[0];
}

/** The iterations that succeeded, in their order. */
export async function succeededBatches(pool: Pool, ref: ContainerRef): Promise<StoredJournalRow[]> {
  const { rows } = await pool.query<StoredJournalRow>({
    name: 'inlay-batches-succeeded',
    text: `${selectJournal} where ${ofContainer} and j.status = 'success' order by j.batch_index`,
    values: valuesOf(ref),
  });
  return rows;
}

/**
 * Rows of the nodes directly inside the iterations of a container, and their pages, in order; what is inside
 * containers in there is left out, and so are iterations that have ended unless `isEndedIncluded`.
 */
export async function openBatchRows(
  pool: Pool,
  ref: ContainerRef,
  { isEndedIncluded }: { readonly isEndedIncluded: boolean },
): Promise<StoredJournalRow[]> {
  const { rows } = await pool.query<StoredJournalRow>({
    name: 'inlay-batch-rows',
    text: `${selectJournal}
      cross join lateral (select substr(j.batch, length($3) + 1) as inner_path) p
      where j.execution_id = $1 and starts_with(j.batch, $3)
        and case when j.kind <> 'batch' then strpos(p.inner_path, '/') = 0
          else j.port = 'page' and p.inner_path ~ '^[^/]*/[^/]*$' end
        and ($4 or not exists (select from journal b
          where b.execution_id = $1 and b.node_id = $2 and b.kind = 'batch'
            and b.batch = $3 || split_part(p.inner_path, '/', 1)))
      order by j.seq`,
    values: [...valuesOf(ref), isEndedIncluded],
  });
  return rows;
}

/** A page of the iterations that ended, in their order, and how the container itself ended. */
export async function pageOfBatches(
  pool: Pool,
  ref: ContainerRef,
  page: { readonly offset: number; readonly limit: number; readonly status?: JournalStatus | undefined },
): Promise<{
  readonly rows: StoredJournalRow[];
  readonly total: number;
  readonly outcome: { readonly status: JournalStatus; readonly output: unknown } | undefined;
}> {
  const ofStatus = `${ofContainer} and ($4::text is null or j.status = $4)`;
  const values = [...valuesOf(ref), page.status ?? null];
  const [found, counted, outcome] = await Promise.all([
    pool.query<StoredJournalRow>({
      text: `${selectJournal} where ${ofStatus} order by j.batch_index limit $5 offset $6`,
      values: [...values, page.limit, page.offset],
    }),
    pool.query<{ count: number }>({
      text: `select count(*)::int as count from journal j where ${ofStatus}`,
      values,
    }),
    pool.query<{ status: JournalStatus; output: unknown }>({
      text: `select status, coalesce(output, error -> 'body') as output from journal
        where execution_id = $1 and node_id = $2 and batch = $3 and kind = 'outcome' and status <> 'retrying'`,
      values: [ref.executionId, ref.nodeId, ref.batch],
    }),
  ]);
  return { rows: found.rows, total: counted.rows[0]!.count, outcome: outcome.rows[0] };
}

/** Rows of the nodes directly inside one iteration, in order. */
export async function journalOfBatch(
  pool: Pool,
  executionId: string,
  batch: string,
): Promise<StoredJournalRow[]> {
  const { rows } = await pool.query<StoredJournalRow>({
    text: `${selectJournal} where j.execution_id = $1 and j.batch = $2 and j.kind <> 'batch' order by j.seq`,
    values: [executionId, batch],
  });
  return rows;
}

/** Whether an iteration, or a page of a node, has ended. */
export async function hasBatch(pool: Pool, ref: ContainerRef, index: number): Promise<boolean> {
  const { rows } = await pool.query<{ is_there: boolean }>(
    `select exists (select from journal j
       where j.execution_id = $1 and j.node_id = $2 and j.kind = 'batch' and j.batch = $3) as is_there`,
    [ref.executionId, ref.nodeId, batchPath(ref, index)],
  );
  return rows[0]!.is_there;
}

/** How many iterations of these nodes have ended. */
export async function countBatches(
  pool: Pool,
  executionId: string,
  nodeIds: readonly string[],
): Promise<number> {
  const { rows } = await pool.query<{ count: number }>({
    name: 'inlay-batch-count',
    text: `select count(*)::int as count from journal j
      where j.execution_id = $1 and j.node_id = any($2::text[]) and j.kind = 'batch'`,
    values: [executionId, nodeIds],
  });
  return rows[0]!.count;
}

/** The row of the first of these nodes that answered: of all Response nodes, or of what ended the execution. */
export async function firstAnswer(
  pool: Pool,
  executionId: string,
  nodeIds: readonly string[],
): Promise<StoredJournalRow | undefined> {
  const { rows } = await pool.query<StoredJournalRow>({
    name: 'inlay-first-answer',
    text: `${selectJournal} where j.execution_id = $1 and j.node_id = any($2::text[]) and j.kind = 'outcome'
        and (j.status in ('success', 'terminated') or j.output is not null or j.output_blob is not null)
      order by j.seq limit 1`,
    values: [executionId, nodeIds],
  });
  return rows[0];
}

/** How these nodes ended inside containers, but for what a retry has taken over from the execution before. */
export async function endsInside(
  pool: Pool,
  executionId: string,
  nodeIds: readonly string[],
): Promise<StoredJournalRow[]> {
  const { rows } = await pool.query<StoredJournalRow>({
    name: 'inlay-ends-inside',
    text: `${selectJournal} where j.execution_id = $1 and j.node_id = any($2::text[]) and j.kind = 'outcome'
        and j.batch <> '' and j.seq > coalesce((select kept_seq from execution where id = $1), 0)
      order by j.seq`,
    values: [executionId, nodeIds],
  });
  return rows;
}

/** Numbers of the last rows of executions. */
export async function lastSeqs(pool: Pool, executionIds: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ id: string; seq: number }>({
    name: 'inlay-last-seqs',
    text: `select e.id, l.seq from unnest($1::text[]) as e(id)
      cross join lateral (select seq from journal where execution_id = e.id order by seq desc limit 1) l`,
    values: [executionIds],
  });
  return new Map(rows.map((row) => [row.id, row.seq]));
}

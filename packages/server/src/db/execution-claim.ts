import type { Pool, PoolClient } from 'pg';
import type { ExecutionMode, ExecutionSource, JournalKind, JournalStatus } from '#db/schema';
import type { Environment } from '#domain/tenant';

/** What running an execution needs of its header. */
export interface ClaimedExecution {
  readonly id: string;
  readonly org_id: string;
  readonly environment: Environment;
  readonly workflow_id: string;
  readonly workflow_version: number | null;
  readonly document: unknown;
  readonly linked_account_id: string;
  readonly account_id: string;
  readonly config_id: string;
  readonly app_slug: string | null;
  readonly trigger_event: string | null;
  readonly source: ExecutionSource;
  readonly mode: ExecutionMode;
  readonly is_sub_flow: boolean;
  /** The first execution of its line of retries. */
  readonly lineage_id: string;
  readonly stop_requested_at: Date | null;
  readonly created_at: Date;
}

// Compare-and-set: an execution that was stopped while it waited, or that another worker has, stays as it is.
const claim = `update execution set state = 'running', owner = $1, started_at = coalesce(started_at, now()),
    deadline_at = coalesce(deadline_at, now() + timeout_s * interval '1 second')
  where id = any($2::text[]) and id between $3 and $4 and state in ('queued', 'waiting')
  returning id, org_id, environment, workflow_id, workflow_version, document, linked_account_id, account_id, config_id,
    app_slug, trigger_event, source, mode, deadline_at, stop_requested_at, created_at,
    parent_execution_id is not null as is_sub_flow, coalesce(retry_root_id, id) as lineage_id`;

/**
 * Makes the worker the owner of those of the executions that may run now. The caller's transaction holds the
 * worker's live row.
 */
export async function claimExecutions(
  client: Pool | PoolClient,
  workerId: string,
  ids: readonly string[],
): Promise<ClaimedExecution[]> {
  if (ids.length === 0) return [];
  const ordered = [...ids].sort();
  const { rows } = await client.query<ClaimedExecution>({
    name: 'inlay-claim',
    text: claim,
    values: [workerId, ordered, ordered[0], ordered.at(-1)],
  });
  return rows;
}

export interface StoredJournalRow {
  readonly execution_id: string;
  readonly seq: number;
  readonly node_id: string;
  readonly batch: string;
  readonly batch_index: number | null;
  readonly attempt: number;
  readonly kind: JournalKind;
  readonly status: JournalStatus | null;
  readonly port: string | null;
  readonly status_code: number | null;
  readonly duration_ms: number | null;
  readonly input: unknown;
  readonly input_text: string | null;
  readonly output: unknown;
  readonly output_text: string | null;
  readonly error: { message: string; status?: number; body?: unknown } | null;
  readonly console: { level: string; text: string }[] | null;
  readonly retry_at: Date | null;
  readonly secrets_sealed: Buffer | null;
  readonly variables: Record<string, unknown> | null;
  readonly at: Date;
}

/** Rows as a run reads them back; the caller adds which, as conditions on `j`. */
export const selectJournal = `select j.execution_id, j.seq, j.node_id, j.batch, j.batch_index, j.attempt, j.kind, j.status, j.port,
    j.status_code, j.duration_ms, j.input, i.content as input_text, j.output, o.content as output_text, j.error,
    j.console, j.retry_at, j.secrets_sealed, j.variables, j.at
  from journal j
  left join blob i on j.input_blob is not null
    and i.org_id = j.org_id and i.environment = j.environment and i.hash = j.input_blob
  left join blob o on j.output_blob is not null
    and o.org_id = j.org_id and o.environment = j.environment and o.hash = j.output_blob`;

// What is inside a container is read when the run comes to it: of a loop over 100,000 items nearly all is over.
const load = `${selectJournal}
  where j.execution_id = any($1::text[]) and j.execution_id between $2 and $3
    and (j.batch = '' or j.variables is not null or (j.port = 'page' and strpos(j.batch, '/') = 0))
  order by j.execution_id, j.seq`;

/**
 * Reads the journals of executions: rows of the outermost graph with the pages of its nodes, and whatever set a
 * variable. Rows inside containers: `openBatchRows`.
 */
export async function loadJournals(
  client: Pool | PoolClient,
  ids: readonly string[],
): Promise<Map<string, StoredJournalRow[]>> {
  const journals = new Map<string, StoredJournalRow[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return journals;
  const ordered = [...ids].sort();
  const { rows } = await client.query<StoredJournalRow>({
    name: 'inlay-journals',
    text: load,
    values: [ordered, ordered[0], ordered.at(-1)],
  });
  for (const row of rows) journals.get(row.execution_id)?.push(row);
  return journals;
}

/** Queues runs again that their own worker cannot go on with. */
export async function releaseExecutions(
  client: PoolClient,
  workerId: string,
  ids: readonly string[],
): Promise<{ id: string; linked_account_id: string }[]> {
  const { rows } = await client.query<{ id: string; linked_account_id: string }>(
    `update execution set state = 'queued', owner = null
     where id = any($2::text[]) and owner = $1 returning id, linked_account_id`,
    [workerId, ids],
  );
  return rows;
}

/**
 * Takes a run from its own worker, which it broke: it is to be queued for a later time, or ends as errored when it
 * was lost `mostLosses` times.
 *
 * @returns undefined: it is not this worker's any longer
 */
export async function giveBackBroken(
  client: PoolClient,
  run: {
    readonly workerId: string;
    readonly executionId: string;
    /** Where it broke; '' when nobody knows. */
    readonly nodeId: string;
    /** The fault may be its own, and counts as a loss. */
    readonly isCounted: boolean;
    readonly mostLosses: number;
    /** What it says when it ends. */
    readonly giveUp: string;
  },
): Promise<{ readonly lost_count: number; readonly is_queued: boolean } | undefined> {
  const { rows } = await client.query<{ lost_count: number; is_queued: boolean }>(
    `with broken as (
       select id, lost_count + $3::int as losses from execution where id = $2 and owner = $1 for update
     )
     update execution e set owner = null, lost_count = losses,
       state = case when losses < $4 then 'queued' else 'errored' end,
       finished_at = case when losses < $4 then null else now() end,
       error_text = case when losses < $4 then error_text else $5 end,
       failed_node_id = case when losses < $4 then failed_node_id else nullif($6, '') end
     from broken where e.id = broken.id
     returning e.lost_count, e.state = 'queued' as is_queued`,
    [run.workerId, run.executionId, Number(run.isCounted), run.mostLosses, run.giveUp, run.nodeId],
  );
  return rows[0];
}

import type { Pool } from 'pg';
import type { Tenant } from '#domain/tenant';

/** The ledger of incremental syncs (spec/workflows §5): which stretch of time each run read. */

export interface SyncWindow {
  readonly from: Date;
  readonly to: Date;
}

/** Which node of which run reads. */
export interface SyncReader {
  readonly executionId: string;
  readonly nodeId: string;
  /** Path of the iteration around it. */
  readonly batch: string;
}

const ended = `('completed', 'errored', 'stopped', 'timed_out', 'terminated')`;

/** What became of a window: one whose run failed is read again by the next; a test run of a draft moves nothing. */
const outcome = `case when e.workflow_version is not null and e.state in ('completed', 'terminated')
  then 'kept' else 'dropped' end`;

/** Decides about windows whose executions have ended. Idempotent; a sweep calls it too. */
export async function settleSyncWindows(pool: Pool): Promise<void> {
  await pool.query(
    `update sync_window w set state = ${outcome} from execution e
     where w.state = 'open' and e.id = w.execution_id and e.state in ${ended}`,
  );
}

/** Forgets windows that nothing continues from any more. */
export async function deleteOldSyncWindows(pool: Pool, before: Date): Promise<void> {
  await pool.query(
    `delete from sync_window w where w.created_at < $1 and w.state <> 'open' and (w.state = 'dropped' or exists (
       select from sync_window n
       where n.org_id = w.org_id and n.environment = w.environment and n.linked_account_id = w.linked_account_id
         and n.workflow_id = w.workflow_id and n.config_id = w.config_id and n.node_id = w.node_id
         and n.state = 'kept' and n.to_at > w.to_at))`,
    [before],
  );
}

/**
 * The window that a node is to read. It begins where the last one that was kept ends, so that nothing between two runs
 * is left out, whatever failed; the iterations of one run end together. The same node of the same run always gets the
 * same window, and so does the one of a run that repeats another run.
 *
 * @param firstFrom - where the first window begins; without it, at the beginning of time
 */
export async function openSyncWindow(
  pool: Pool,
  tenant: Tenant,
  reader: SyncReader,
  of: { readonly firstFrom: Date | undefined; readonly now: Date },
): Promise<SyncWindow> {
  const values = [tenant.orgId, tenant.environment, reader.executionId, reader.nodeId];
  await pool.query(
    `update sync_window w set state = ${outcome}
     from execution e, execution r
     where r.id = $3 and r.org_id = $1 and r.environment = $2
       and w.org_id = $1 and w.environment = $2 and w.linked_account_id = r.linked_account_id
       and w.workflow_id = r.workflow_id and w.config_id = r.config_id and w.node_id = $4 and w.state = 'open'
       and e.id = w.execution_id and e.state in ${ended}`,
    values,
  );
  const { rows } = await pool.query<SyncWindow>(
    `insert into sync_window as w (execution_id, node_id, batch, org_id, environment, linked_account_id, workflow_id,
       config_id, from_at, to_at)
     select e.id, $4, $5, e.org_id, e.environment, e.linked_account_id, e.workflow_id, e.config_id,
       coalesce(
         original.from_at,
         (select max(k.to_at) from sync_window k
          where k.org_id = $1 and k.environment = $2 and k.linked_account_id = e.linked_account_id
            and k.workflow_id = e.workflow_id and k.config_id = e.config_id and k.node_id = $4 and k.state = 'kept'),
         $6::timestamptz, 'epoch'),
       coalesce(
         original.to_at,
         (select min(o.to_at) from sync_window o where o.execution_id = e.id and o.node_id = $4),
         $7::timestamptz)
     from execution e
     left join sync_window original
       on original.execution_id = e.rerun_of and original.node_id = $4 and original.batch = $5
     where e.id = $3 and e.org_id = $1 and e.environment = $2
     on conflict (execution_id, node_id, batch) do update set state = 'open'
     returning w.from_at as "from", w.to_at as "to"`,
    [...values, reader.batch, of.firstFrom ?? null, of.now],
  );
  const window = rows[0];
  if (window === undefined)
    throw new Error(`Execution ${reader.executionId} reads a window, but is not there.`);
  return window;
}

/** The node could not read its window: even if the run goes on without it, the next run reads it again. */
export async function dropSyncWindow(pool: Pool, tenant: Tenant, reader: SyncReader): Promise<void> {
  await pool.query(
    `update sync_window set state = 'dropped'
     where org_id = $1 and environment = $2 and execution_id = $3 and node_id = $4 and batch = $5 and state = 'open'`,
    [tenant.orgId, tenant.environment, reader.executionId, reader.nodeId, reader.batch],
  );
}

/** The end of the last window that was kept; undefined before the first. */
export async function lastSyncTime(
  pool: Pool,
  tenant: Tenant,
  of: { readonly linkedAccountId: string; readonly workflowId: string; readonly configId: string },
): Promise<Date | undefined> {
  const { rows } = await pool.query<{ at: Date | null }>(
    `select max(w.to_at) as at from sync_window w left join execution e on w.state = 'open' and e.id = w.execution_id
     where w.org_id = $1 and w.environment = $2 and w.linked_account_id = $3 and w.workflow_id = $4 and w.config_id = $5
       and (w.state = 'kept' or (e.state in ${ended} and ${outcome} = 'kept'))`,
    [tenant.orgId, tenant.environment, of.linkedAccountId, of.workflowId, of.configId],
  );
  return rows[0]?.at ?? undefined;
}

import type { Pool } from 'pg';
import type { Tenant } from '#domain/tenant';

/** A node that waits for a call. */
export interface WaitingNode {
  readonly id: string;
  readonly execution_id: string;
  /** What the node keeps: the headers that a call must bring. */
  readonly state: unknown;
}

/** The nodes that a call may mean: one node of one execution, or of all executions of a workflow. At most two. */
export async function findWaitingNodes(
  pool: Pool,
  tenant: Tenant,
  at: { readonly nodeId: string; readonly executionId?: string; readonly workflowId?: string },
  now: Date,
): Promise<WaitingNode[]> {
  const { rows } = await pool.query<WaitingNode>(
    `select w.id, w.execution_id, w.state from wait w join execution e on e.id = w.execution_id
     where w.org_id = $1 and w.environment = $2 and w.node_id = $3 and w.reason = 'webhook'
       and w.woken_by is null and w.due_at > $6 and e.finished_at is null and e.stop_requested_at is null
       and ($4::text is null or w.execution_id = $4) and ($5::text is null or e.workflow_id = $5)
     limit 2`,
    [tenant.orgId, tenant.environment, at.nodeId, at.executionId ?? null, at.workflowId ?? null, now],
  );
  return rows;
}

/** Wakes one wait with what came, sealed for it. False: something else was faster. */
export async function wakeById(pool: Pool, id: string, payloadSealed: Buffer): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update wait set woken_by = 'token', payload_sealed = $2, wake_at = '-infinity' where id = $1 and woken_by is null`,
    [id, payloadSealed],
  );
  return rowCount === 1;
}

/**
 * Keeps a call, sealed, for a node that does not wait yet. The first one counts.
 *
 * @returns false when the execution has ended, or the node has been there already
 */
export async function keepArrival(
  pool: Pool,
  tenant: Tenant,
  at: { readonly executionId: string; readonly nodeId: string },
  payloadSealed: Buffer,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `insert into wait_arrival (execution_id, node_id, org_id, environment, payload_sealed)
     select e.id, $4, e.org_id, e.environment, $5 from execution e
     where e.org_id = $1 and e.environment = $2 and e.id = $3 and e.finished_at is null
       and not exists (select from wait w where w.execution_id = e.id and w.node_id = $4 and w.woken_by is not null)
       and not exists (select from journal j where j.execution_id = e.id and j.node_id = $4 and j.kind = 'outcome')
     on conflict (execution_id, node_id) do nothing`,
    [tenant.orgId, tenant.environment, at.executionId, at.nodeId, payloadSealed],
  );
  return rowCount === 1;
}

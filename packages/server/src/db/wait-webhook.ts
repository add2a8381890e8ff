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
  at: {
    readonly nodeId: string;
    readonly executionId?: string;
    readonly workflowId?: string;
    /** Path of the iteration that is meant; undefined: any. */
    readonly batch?: string | undefined;
  },
  now: Date,
): Promise<WaitingNode[]> {
  const { rows } = await pool.query<WaitingNode>(
    `select w.id, w.execution_id, w.state from wait w join execution e on e.id = w.execution_id
     where w.org_id = $1 and w.environment = $2 and w.node_id = $3 and w.reason = 'webhook'
       and w.woken_by is null and w.due_at > $6 and e.finished_at is null and e.stop_requested_at is null
       and ($4::text is null or w.execution_id = $4) and ($5::text is null or e.workflow_id = $5)
       and ($7::text is null or w.batch = $7)
     limit 2`,
    [
      tenant.orgId,
      tenant.environment,
      at.nodeId,
      at.executionId ?? null,
      at.workflowId ?? null,
      now,
      at.batch ?? null,
    ],
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

/** As many calls are kept for a node: whoever floods its URL fills no disk. */
const mostArrivals = 20;

/**
 * Keeps a call, sealed, for a node that does not wait yet. Of several the first that brings the right headers counts.
 *
 * @returns false when the execution has ended, or the node has been there already, or too many are kept
 */
export async function keepArrival(
  pool: Pool,
  tenant: Tenant,
  arrival: {
    readonly id: string;
    readonly executionId: string;
    readonly nodeId: string;
    readonly batch: string | undefined;
    readonly payloadSealed: Buffer;
  },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `insert into wait_arrival (id, execution_id, node_id, batch, org_id, environment, payload_sealed)
     select $6, e.id, $4, $7, e.org_id, e.environment, $5 from execution e
     where e.org_id = $1 and e.environment = $2 and e.id = $3 and e.finished_at is null
       and not exists (select from wait w where w.execution_id = e.id and w.node_id = $4 and w.woken_by is not null
         and ($7::text is null or w.batch = $7))
       and not exists (select from journal j where j.execution_id = e.id and j.node_id = $4 and j.kind = 'outcome'
         and ($7::text is null or j.batch = $7))
       and (select count(*) from wait_arrival a where a.execution_id = e.id and a.node_id = $4
         and a.batch is not distinct from $7) < $8`,
    [
      tenant.orgId,
      tenant.environment,
      arrival.executionId,
      arrival.nodeId,
      arrival.payloadSealed,
      arrival.id,
      arrival.batch ?? null,
      mostArrivals,
    ],
  );
  return rowCount === 1;
}

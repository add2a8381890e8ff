import type { Pool, PoolClient } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

/** One value that records of a queue carry beside their payload. */
export interface RecoveryColumn {
  readonly name: string;
  readonly label?: string | undefined;
}

export interface RecoveryQueueValues {
  readonly name: string;
  /** Null: workflows of any app may use it. */
  readonly appSlug: string | null;
  readonly columns: readonly RecoveryColumn[];
  /** Null: a record is sent again by retrying what failed. */
  readonly resolutionWorkflowId: string | null;
}

export interface StoredRecoveryQueue extends RecoveryQueueValues {
  readonly id: string;
  /** The queue of calls of which nobody knows whether they arrived. */
  readonly isBuiltIn: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface CountedRecoveryQueue extends StoredRecoveryQueue {
  /** Records that are open or being resolved. */
  readonly waiting: number;
}

const builtInName = 'Unknown outcomes';
const uniqueViolation = '23505';

const columns = `q.id, q.name, q.app_slug as "appSlug", q.columns,
  q.resolution_workflow_id as "resolutionWorkflowId", q.is_built_in as "isBuiltIn", q.created_at as "createdAt",
  q.updated_at as "updatedAt"`;

/** A queue by its id or name. */
export async function findRecoveryQueue(
  client: Pool | PoolClient,
  tenant: Tenant,
  idOrName: string,
): Promise<StoredRecoveryQueue | undefined> {
  const { rows } = await client.query<StoredRecoveryQueue>(
    `select ${columns} from recovery_queue q
     where q.org_id = $1 and q.environment = $2 and (q.id = $3 or q.name = $3) order by q.id = $3 desc limit 1`,
    [tenant.orgId, tenant.environment, idOrName],
  );
  return rows[0];
}

/** All queues by name, or one by its id, with the number of their records that wait. */
export async function listRecoveryQueues(
  pool: Pool,
  tenant: Tenant,
  id?: string,
): Promise<CountedRecoveryQueue[]> {
  const { rows } = await pool.query<CountedRecoveryQueue>(
    `select ${columns}, (select count(*)::int from recovery_record r
        where r.org_id = q.org_id and r.environment = q.environment and r.queue_id = q.id
          and r.status in ('open', 'resolving')) as waiting
     from recovery_queue q where q.org_id = $1 and q.environment = $2 and ($3::text is null or q.id = $3)
     order by q.name`,
    [tenant.orgId, tenant.environment, id ?? null],
  );
  return rows;
}

/** False: another queue of the environment has the name. */
export async function insertRecoveryQueue(
  pool: Pool,
  tenant: Tenant,
  id: string,
  values: RecoveryQueueValues,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `insert into recovery_queue (id, org_id, environment, name, app_slug, columns, resolution_workflow_id)
     values ($1, $2, $3, $4, $5, $6, $7) on conflict (org_id, environment, name) do nothing`,
    [id, tenant.orgId, tenant.environment, ...valuesOf(values)],
  );
  return rowCount === 1;
}

/**
 * Changes a queue as `change` says, which sees it as nobody else changes it meanwhile.
 *
 * @returns `taken`: another queue of the environment has the new name; undefined: there is no such queue
 */
export async function updateRecoveryQueue(
  pool: Pool,
  tenant: Tenant,
  id: string,
  change: (queue: StoredRecoveryQueue) => RecoveryQueueValues,
): Promise<'changed' | 'taken' | undefined> {
  try {
    return await clientTransaction(pool, async (client) => {
      const { rows } = await client.query<StoredRecoveryQueue>(
        `select ${columns} from recovery_queue q
         where q.org_id = $1 and q.environment = $2 and q.id = $3 for update`,
        [tenant.orgId, tenant.environment, id],
      );
      if (rows[0] === undefined) return undefined;
      await client.query(
        `update recovery_queue set name = $4, app_slug = $5, columns = $6, resolution_workflow_id = $7,
           updated_at = now() where org_id = $2 and environment = $3 and id = $1`,
        [id, tenant.orgId, tenant.environment, ...valuesOf(change(rows[0]))],
      );
      return 'changed';
    });
  } catch (error) {
    if ((error as { code?: unknown }).code === uniqueViolation) return 'taken';
    throw error;
  }
}

/**
 * Removes a queue with the records that somebody has dealt with.
 *
 * @returns `waiting`: records wait in it, and it stays; undefined: there is no such queue
 */
export function deleteRecoveryQueue(
  pool: Pool,
  tenant: Tenant,
  id: string,
): Promise<'deleted' | 'waiting' | undefined> {
  return clientTransaction(pool, async (client) => {
    // A failure on its way in holds the queue: it comes before, and is counted below, or finds no queue.
    const { rowCount: found } = await client.query(
      `select from recovery_queue where org_id = $1 and environment = $2 and id = $3 for update`,
      [tenant.orgId, tenant.environment, id],
    );
    if (found === 0) return undefined;
    const { rowCount: deleted } = await client.query(
      `delete from recovery_queue q where q.org_id = $1 and q.environment = $2 and q.id = $3 and not exists (
         select from recovery_record r where r.queue_id = q.id and r.status in ('open', 'resolving'))`,
      [tenant.orgId, tenant.environment, id],
    );
    return deleted === 1 ? 'deleted' : 'waiting';
  });
}

/** The queue of calls of which nobody knows whether they arrived; made when the first of them comes. */
export async function unknownOutcomesQueue(pool: Pool, tenant: Tenant): Promise<string> {
  const find = async (): Promise<string | undefined> => {
    const { rows } = await pool.query<{ id: string }>(
      `select id from recovery_queue where org_id = $1 and environment = $2 and is_built_in`,
      [tenant.orgId, tenant.environment],
    );
    return rows[0]?.id;
  };
  const known = await find();
  if (known !== undefined) return known;
  // Of those who make it at the same time one succeeds, whichever of the two unique keys the others meet.
  await pool.query(
    `insert into recovery_queue (id, org_id, environment, name, is_built_in) values ($1, $2, $3, $4, true)
     on conflict do nothing`,
    [newId(), tenant.orgId, tenant.environment, builtInName],
  );
  const made = await find();
  if (made !== undefined) return made;
  // A queue that somebody made under the name before becomes the one.
  await pool.query(
    `update recovery_queue set is_built_in = true where org_id = $1 and environment = $2 and name = $3`,
    [tenant.orgId, tenant.environment, builtInName],
  );
  return (await find())!;
}

function valuesOf({ name, appSlug, columns: list, resolutionWorkflowId }: RecoveryQueueValues): unknown[] {
  return [name, appSlug, JSON.stringify(list), resolutionWorkflowId];
}

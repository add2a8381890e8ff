import { clientTransaction } from '#db/client-transaction';
import type { Db, ExecutionState } from '#db/schema';
import type { Pool, PoolClient } from 'pg';
import { sql } from 'kysely';
import type { Tenant } from '#domain/tenant';

/**
 * Asks an execution to stop. One that nobody runs is stopped at once; a running one is told to its worker.
 *
 * @returns its state and owner afterwards; undefined: there is no such execution that could be stopped
 */
export async function requestStop(
  pool: Pool,
  tenant: Tenant,
  executionId: string,
): Promise<{ state: ExecutionState; owner: string | null } | undefined> {
  return clientTransaction(pool, async (client) => {
    const { rows } = await client.query<{ state: ExecutionState; owner: string | null }>(
      `update execution set stop_requested_at = coalesce(stop_requested_at, now()),
         state = case when state = 'running' then state else 'stopped' end,
         finished_at = case when state = 'running' then finished_at else now() end
       where id = $1 and org_id = $2 and environment = $3 and state in ('queued', 'running', 'waiting')
       returning state, owner`,
      [executionId, tenant.orgId, tenant.environment],
    );
    await client.query(`delete from wait where execution_id = $1 and org_id = $2 and environment = $3`, [
      executionId,
      tenant.orgId,
      tenant.environment,
    ]);
    return rows[0];
  });
}

/** Queued executions of one account, counted no further than `limit`. */
export async function countQueued(
  client: Pool | PoolClient,
  tenant: Tenant,
  linkedAccountId: string,
  limit: number,
): Promise<number> {
  const { rows } = await client.query<{ count: number }>({
    name: 'inlay-count-queued',
    text: `select count(*)::int as count from (
      select from execution where org_id = $1 and environment = $2 and linked_account_id = $3 and state = 'queued'
      limit $4) queued`,
    values: [tenant.orgId, tenant.environment, linkedAccountId, limit],
  });
  return rows[0]?.count ?? 0;
}

/** The executions of an account that have not ended. */
export async function listUnfinishedExecutions(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from execution where org_id = ${tenant.orgId} and environment = ${tenant.environment}
      and linked_account_id = ${linkedAccountId} and state in ('queued', 'running', 'waiting')`.execute(db);
  return rows.map(({ id }) => id);
}

/** Makes the weekly partitions of the coming weeks and drops those older than `retentionDays`. */
export async function keepPartitions(pool: Pool, now: Date, retentionDays: number): Promise<void> {
  await pool.query('select inlay_make_partitions($1, 5)', [now]);
  await pool.query(`select inlay_drop_partitions($1::timestamptz - $2 * interval '1 day')`, [
    now,
    retentionDays,
  ]);
}

/** Forgets deduplication keys whose window is over. */
export async function deleteOldInboxKeys(pool: Pool): Promise<void> {
  await pool.query(`delete from inbox_key where expires_at < now() - interval '1 hour'`);
}

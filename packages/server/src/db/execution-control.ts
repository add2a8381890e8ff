import { clientTransaction } from '#db/client-transaction';
import type { Db } from '#db/schema';
import type { Pool, PoolClient } from 'pg';
import { sql } from 'kysely';
import type { Tenant } from '#domain/tenant';

/**
 * Asks an execution, and whatever lives of its sub-flows, to stop. Those that nobody runs are stopped at once; the
 * running ones are told to their workers.
 *
 * @returns the executions and their owners; empty: there is no such execution that could be stopped
 */
export async function requestStop(
  pool: Pool,
  tenant: Tenant,
  executionId: string,
): Promise<{ id: string; owner: string | null }[]> {
  return clientTransaction(pool, (client) => stopWithDescendants(client, tenant, [executionId]));
}

/** The same for several, in the caller's transaction. */
export async function stopWithDescendants(
  client: PoolClient,
  tenant: Tenant,
  executionIds: readonly string[],
): Promise<{ id: string; owner: string | null }[]> {
  const asked = await stopThese(client, tenant, executionIds);
  const stopped = [...asked];
  for (const { id } of asked) stopped.push(...(await stopDescendants(client, tenant, id)));
  await deleteWaitsOf(client, stopped);
  return stopped;
}

/** Asks whatever lives of an execution's sub-flows to stop; the execution itself was asked before. */
async function stopDescendants(
  client: PoolClient,
  tenant: Tenant,
  executionId: string,
): Promise<{ id: string; owner: string | null }[]> {
  const stopped: { id: string; owner: string | null }[] = [];
  // Whoever starts a sub-flow holds its parent: from here on none is added to what has been stopped, but one
  // that was starting a child of its own may have added it since the last look.
  for (;;) {
    const { rows } = await client.query<{ id: string }>(
      `with recursive tree as (
           select child_execution_id as id from child_execution where parent_execution_id = $1
           union
           select c.child_execution_id from tree t join child_execution c on c.parent_execution_id = t.id
         )
         select e.id from tree t join execution e on e.id = t.id
         where e.finished_at is null and e.stop_requested_at is null
         order by e.id for update of e`,
      [executionId],
    );
    if (rows.length === 0) return stopped;
    stopped.push(
      ...(await stopThese(
        client,
        tenant,
        rows.map(({ id }) => id),
      )),
    );
  }
}

/** Passes a stop on to the sub-flows of executions that the caller's transaction has asked to stop. */
export async function stopDescendantsOf(
  client: PoolClient,
  asked: readonly { readonly id: string; readonly tenant: Tenant }[],
): Promise<void> {
  for (const { id, tenant } of asked) {
    const stopped = await stopDescendants(client, tenant, id);
    await deleteWaitsOf(client, stopped);
  }
}

async function deleteWaitsOf(client: PoolClient, executions: readonly { id: string }[]): Promise<void> {
  if (executions.length === 0) return;
  await client.query('delete from wait where execution_id = any($1::text[])', [
    executions.map(({ id }) => id),
  ]);
}

async function stopThese(
  client: PoolClient,
  tenant: Tenant,
  ids: readonly string[],
): Promise<{ id: string; owner: string | null }[]> {
  const { rows } = await client.query<{ id: string; owner: string | null }>(
    `update execution set stop_requested_at = coalesce(stop_requested_at, now()),
       state = case when state = 'running' then state else 'stopped' end,
       finished_at = case when state = 'running' then finished_at else now() end
     where id = any($1::text[]) and org_id = $2 and environment = $3 and state in ('queued', 'running', 'waiting')
     returning id, owner`,
    [ids, tenant.orgId, tenant.environment],
  );
  return rows;
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

/** Makes the weekly partitions of the coming weeks. */
export async function makePartitions(pool: Pool, now: Date): Promise<void> {
  await pool.query('select inlay_make_partitions($1, 5)', [now]);
}

/** Forgets deduplication keys whose window is over. */
export async function deleteOldInboxKeys(pool: Pool): Promise<void> {
  await pool.query(`delete from inbox_key where expires_at < now() - interval '1 hour'`);
}

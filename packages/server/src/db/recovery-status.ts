import type { Pool, PoolClient } from 'pg';
import type { LogRetention } from '#db/retention';
import type { Tenant } from '#domain/tenant';

/** Every change of a record's status but its settling, which is `inlay_settle_recovery`; all start from `open`. */
const openOne = `org_id = $1 and environment = $2 and id = $3 and status = 'open'`;

/**
 * The record is being resolved by an execution that was written in the same transaction, whose end settles it.
 *
 * @returns false: it is not open
 */
export async function beginResolution(
  client: PoolClient,
  tenant: Tenant,
  recordId: string,
  executionId: string,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `update recovery_record set status = 'resolving', attempts = attempts + 1, resolving_execution_id = $4,
       resolving_seen = seen where ${openOne}`,
    [tenant.orgId, tenant.environment, recordId, executionId],
  );
  if (rowCount === 0) return false;
  const { rowCount: linked } = await client.query(
    `update execution set recovery_record_id = $4 where org_id = $1 and environment = $2 and id = $3`,
    [tenant.orgId, tenant.environment, executionId, recordId],
  );
  // Nobody would ever settle the record.
  if (linked !== 1) throw new Error(`Execution ${executionId} is to resolve a record and is not there.`);
  return true;
}

/** How a record ended without an execution of its own that could tell. */
export interface RecoveryEnd {
  readonly status: 'resolved' | 'discarded';
  readonly resolution: 'by_hand' | 'arrived' | 'sent_again' | null;
  readonly at: Date;
}

/** Ends those of the records that are open. Says how many. */
export async function endRecords(
  client: Pool | PoolClient,
  tenant: Tenant,
  ids: readonly string[],
  { status, resolution, at }: RecoveryEnd,
): Promise<number> {
  // In the order of the key, so that two of these cannot wait for each other.
  const { rowCount } = await client.query(
    `update recovery_record r set status = $4, resolution = $5, ended_at = $6
     from (select id from recovery_record where org_id = $1 and environment = $2 and id = any($3)
       and status = 'open' order by id for update) o
     where r.id = o.id`,
    [tenant.orgId, tenant.environment, ids, status, resolution, at],
  );
  return rowCount ?? 0;
}

/**
 * Somebody says that the call of a record had arrived, and what it answered.
 *
 * @param given - where it failed last, the answer, sealed, and the execution that goes on with it; null: none does
 * @returns false: the record is not open
 */
export async function endAsArrived(
  client: PoolClient,
  tenant: Tenant,
  recordId: string,
  given: {
    readonly executionId: string;
    readonly sealed: Buffer;
    readonly retryId: string;
  } | null,
  at: Date,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `update recovery_record set status = 'resolved', resolution = 'arrived', ended_at = $4,
       execution_id = coalesce($5, execution_id), given_sealed = $6, resolving_execution_id = $7 where ${openOne}`,
    [
      tenant.orgId,
      tenant.environment,
      recordId,
      at,
      given?.executionId ?? null,
      given?.sealed ?? null,
      given?.retryId ?? null,
    ],
  );
  return rowCount === 1;
}

/** Writes what people add for the resolution workflow. False: the record is not open. */
export async function updateContext(
  pool: Pool,
  tenant: Tenant,
  recordId: string,
  context: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const { rowCount } = await pool.query(`update recovery_record set context = $4 where ${openOne}`, [
    tenant.orgId,
    tenant.environment,
    recordId,
    JSON.stringify(context),
  ]);
  return rowCount === 1;
}

/** What calls of an execution had answered, as somebody said. */
export async function readGivenOutcomes(
  pool: Pool,
  tenant: Tenant,
  executionId: string,
): Promise<{ readonly recordId: string; nodeId: string; batch: string; sealed: Buffer }[]> {
  const { rows } = await pool.query<{ recordId: string; nodeId: string; batch: string; sealed: Buffer }>(
    `select id as "recordId", failed_node_id as "nodeId", batch, given_sealed as sealed from recovery_record
     where org_id = $1 and environment = $2 and execution_id = $3 and given_sealed is not null`,
    [tenant.orgId, tenant.environment, executionId],
  );
  return rows;
}

/** Forgets which failures of ended executions have come in: their nodes run no more. */
export async function deleteOldArrivals(pool: Pool): Promise<void> {
  await pool.query(
    `delete from recovery_arrival a where not exists (
       select from execution e where e.id = a.execution_id and e.finished_at is null)`,
  );
}

/** Forgets records that somebody dealt with as long ago as logs are kept; those that wait stay until somebody does. */
export async function deleteEndedRecords(pool: Pool, now: Date, kept: LogRetention): Promise<void> {
  await pool.query(
    `delete from recovery_record r using organization o where o.id = r.org_id
       and r.ended_at < least($1::timestamptz, now()) - least(coalesce(o.log_retention_days, $2::int), $3::int) * interval '1 day'`,
    [now, kept.defaultDays, kept.maximumDays],
  );
}

import type { Pool } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

/** `resolving`: an execution is at it, whose end settles the record; the last two are ends. */
export type RecoveryStatus = 'open' | 'resolving' | 'resolved' | 'discarded';

/** A failure on its way into a queue. Values are as people may see them. */
export interface RecoveryArrival {
  readonly queueId: string;
  /** Names the arrival itself: the same one twice counts once. */
  readonly key: string;
  /** Failures with the same key are one open record with a count. */
  readonly dedupKey: string;
  readonly executionId: string;
  /** Where the node failed: path of the iterations around it. */
  readonly batch: string;
  readonly failedNode: { readonly id: string; readonly name: string };
  readonly errorClass: string;
  readonly errorMessage: string;
  readonly columnValues: unknown;
  readonly payload: unknown;
  /** Seals what masking took out, for the record with this id; null: nothing was. */
  readonly seal: (recordId: string) => Buffer | null;
  readonly at: Date;
}

/**
 * Keeps a failure: a new record, or one more of an open record, whose values become the newest. The same arrival
 * twice, such as of a node that ran again after its worker died, counts once.
 *
 * @returns undefined: the queue has been deleted
 */
export function addRecoveryRecord(
  pool: Pool,
  tenant: Tenant,
  arrival: RecoveryArrival,
): Promise<{ readonly recordId: string; readonly seen: number } | undefined> {
  return clientTransaction(pool, async (client) => {
    const { rowCount: queues } = await client.query(
      `select from recovery_queue where org_id = $1 and environment = $2 and id = $3 for key share`,
      [tenant.orgId, tenant.environment, arrival.queueId],
    );
    if (queues === 0) return undefined;
    await client.query(`select pg_advisory_xact_lock(hashtextextended($1, 15))`, [
      `${arrival.queueId} ${arrival.dedupKey}`,
    ]);
    const known = await client.query<{ recordId: string; seen: number }>(
      `select r.id as "recordId", r.seen from recovery_arrival a join recovery_record r on r.id = a.record_id
       where a.org_id = $1 and a.environment = $2 and a.key = $3`,
      [tenant.orgId, tenant.environment, arrival.key],
    );
    if (known.rows[0] !== undefined) return known.rows[0];
    const open = await client.query<{ id: string }>(
      `select id from recovery_record where org_id = $1 and environment = $2 and queue_id = $3 and dedup_key = $4
         and status in ('open', 'resolving') for update`,
      [tenant.orgId, tenant.environment, arrival.queueId, arrival.dedupKey],
    );
    const id = open.rows[0]?.id ?? newId(arrival.at.getTime());
    const { rows } = await client.query<{ seen: number }>(upsertRecord, [
      id,
      arrival.queueId,
      arrival.dedupKey,
      arrival.batch,
      arrival.failedNode.id,
      arrival.failedNode.name,
      arrival.errorClass,
      arrival.errorMessage.replaceAll('\u0000', ''),
      JSON.stringify(arrival.columnValues),
      JSON.stringify(arrival.payload ?? null),
      arrival.seal(id),
      arrival.at,
      tenant.orgId,
      tenant.environment,
      arrival.executionId,
    ]);
    if (rows[0] === undefined) throw new Error(`Execution ${arrival.executionId} is not there.`);
    await client.query(
      `insert into recovery_arrival (org_id, environment, key, record_id, execution_id) values ($1, $2, $3, $4, $5)`,
      [tenant.orgId, tenant.environment, arrival.key, id, arrival.executionId],
    );
    return { recordId: id, seen: rows[0].seen };
  });
}

const upsertRecord = `insert into recovery_record as r (id, org_id, environment, queue_id, dedup_key, workflow_id,
    workflow_version, execution_id, root_execution_id, linked_account_id, account_id, config_id, app_slug, batch,
    failed_node_id, failed_node_name, error_class, error_message, column_values, payload, secrets_sealed,
    first_seen_at, last_seen_at)
  select $1, e.org_id, e.environment, $2, $3, e.workflow_id, e.workflow_version, e.id,
    coalesce(e.root_execution_id, e.id), e.linked_account_id, e.account_id, e.config_id, e.app_slug, $4, $5, $6, $7,
    $8, $9, $10, $11, $12, $12
  from execution e where e.org_id = $13 and e.environment = $14 and e.id = $15
  on conflict (id) do update set seen = r.seen + 1, workflow_id = excluded.workflow_id,
    workflow_version = excluded.workflow_version, execution_id = excluded.execution_id,
    root_execution_id = excluded.root_execution_id, linked_account_id = excluded.linked_account_id,
    account_id = excluded.account_id, config_id = excluded.config_id, app_slug = excluded.app_slug,
    batch = excluded.batch, failed_node_id = excluded.failed_node_id, failed_node_name = excluded.failed_node_name,
    error_class = excluded.error_class, error_message = excluded.error_message,
    column_values = excluded.column_values, payload = excluded.payload, secrets_sealed = excluded.secrets_sealed,
    last_seen_at = excluded.last_seen_at
  returning r.seen`;

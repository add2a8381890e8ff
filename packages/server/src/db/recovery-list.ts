import type { Pool, PoolClient } from 'pg';
import type { RecoveryStatus } from '#db/recovery-record';
import type { Tenant } from '#domain/tenant';

/** Which records. Absent fields are no filter. */
export interface RecoveryFilter {
  readonly ids?: readonly string[] | undefined;
  readonly queueId?: string | undefined;
  readonly status?: RecoveryStatus | undefined;
  readonly workflowId?: string | undefined;
  /** The execution in which it failed, or the one that the line of sub-flows began with. */
  readonly executionId?: string | undefined;
  /** Class of the error. */
  readonly type?: string | undefined;
  /** The customer's own id of the linked account. */
  readonly accountId?: string | undefined;
  /** Bounds on when the failure last came in: from inclusive, to exclusive. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** Stands in the error, the name of the node, a key of the author's, a column or the context, whatever the case. */
  readonly text?: string | undefined;
}

/** A record as lists show it: without its payload, which may be large. */
export interface RecoveryRecord {
  readonly id: string;
  readonly queueId: string;
  readonly queueName: string;
  readonly dedupKey: string;
  readonly status: RecoveryStatus;
  readonly seen: number;
  readonly workflowId: string;
  readonly workflowName: string | null;
  readonly workflowVersion: number | null;
  readonly executionId: string;
  readonly rootExecutionId: string;
  /** The log of the execution has not been deleted. */
  readonly hasExecution: boolean;
  readonly linkedAccountId: string;
  /** The linked account has not been deleted. */
  readonly hasAccount: boolean;
  readonly accountId: string;
  readonly configId: string;
  readonly appSlug: string | null;
  readonly batch: string;
  readonly failedNodeId: string;
  readonly failedNodeName: string;
  readonly errorClass: string;
  readonly errorMessage: string;
  readonly columnValues: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
  readonly attempts: number;
  /** The execution that resolves it, or tried to. */
  readonly resolvingExecutionId: string | null;
  readonly resolution: 'workflow' | 'by_hand' | 'arrived' | 'sent_again' | null;
  readonly lastError: string | null;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  readonly endedAt: Date | null;
}

export interface WholeRecoveryRecord extends RecoveryRecord {
  readonly payload: unknown;
  readonly secretsSealed: Buffer | null;
}

const columns = `r.id, r.queue_id as "queueId", q.name as "queueName", r.dedup_key as "dedupKey", r.status, r.seen,
  r.workflow_id as "workflowId", w.name as "workflowName", r.workflow_version as "workflowVersion",
  r.execution_id as "executionId", r.root_execution_id as "rootExecutionId",
  exists (select from execution e where e.id = r.execution_id) as "hasExecution",
  exists (select from linked_account a where a.org_id = r.org_id and a.environment = r.environment
    and a.id = r.linked_account_id) as "hasAccount", r.linked_account_id as "linkedAccountId", r.account_id as "accountId", r.config_id as "configId",
  r.app_slug as "appSlug", r.batch, r.failed_node_id as "failedNodeId", r.failed_node_name as "failedNodeName",
  r.error_class as "errorClass", r.error_message as "errorMessage", r.column_values as "columnValues", r.context,
  r.attempts, r.resolving_execution_id as "resolvingExecutionId", r.resolution, r.last_error as "lastError",
  r.first_seen_at as "firstSeenAt", r.last_seen_at as "lastSeenAt", r.ended_at as "endedAt"`;

const withNames = `join recovery_queue q on q.id = r.queue_id
  left join workflow w on w.org_id = r.org_id and w.environment = r.environment and w.id = r.workflow_id`;

const matching = `r.org_id = $1 and r.environment = $2 and ($3::text[] is null or r.id = any($3))
  and ($4::text is null or r.queue_id = $4) and ($5::text is null or r.status = $5)
  and ($6::text is null or r.workflow_id = $6) and ($7::text is null or r.error_class = $7)
  and ($8::text is null or r.account_id = $8) and ($9::timestamptz is null or r.last_seen_at >= $9)
  and ($10::timestamptz is null or r.last_seen_at < $10)
  and ($11::text is null or strpos(lower(concat_ws(chr(10), r.error_message, r.failed_node_name,
    case when r.dedup_key !~ '^[0-9a-f]{24}:' then r.dedup_key end, r.column_values, r.context)), lower($11)) > 0)
  and ($12::text is null or r.execution_id = $12 or r.root_execution_id = $12)`;

function matchValues(tenant: Tenant, filter: RecoveryFilter): unknown[] {
  return [
    tenant.orgId,
    tenant.environment,
    filter.ids ?? null,
    filter.queueId ?? null,
    filter.status ?? null,
    filter.workflowId ?? null,
    filter.type ?? null,
    filter.accountId ?? null,
    filter.from ?? null,
    filter.to ?? null,
    filter.text ?? null,
    filter.executionId ?? null,
  ];
}

/** A page of records, newest first, of those older than `before`. */
export async function listRecoveryRecords(
  pool: Pool,
  tenant: Tenant,
  filter: RecoveryFilter,
  page: { readonly before?: string | undefined; readonly limit: number },
): Promise<RecoveryRecord[]> {
  const { rows } = await pool.query<RecoveryRecord>(
    `select ${columns} from (select * from recovery_record r where ${matching} and ($13::text is null or r.id < $13)
       order by r.id desc limit $14) r ${withNames} order by r.id desc`,
    [...matchValues(tenant, filter), page.before ?? null, page.limit],
  );
  return rows;
}

/** The beginning of the payloads of records, as JSON text, by id. */
export async function readPayloads(
  pool: Pool,
  tenant: Tenant,
  ids: readonly string[],
  mostCharacters: number,
): Promise<Map<string, string>> {
  const { rows } = await pool.query<{ id: string; text: string }>(
    `select id, left(payload::text, $4) as text from recovery_record
     where org_id = $1 and environment = $2 and id = any($3)`,
    [tenant.orgId, tenant.environment, ids, mostCharacters],
  );
  return new Map(rows.map(({ id, text }) => [id, text]));
}

/** One record with its payload. `isHeld` keeps others from changing it until the transaction ends. */
export async function findRecoveryRecord(
  client: Pool | PoolClient,
  tenant: Tenant,
  id: string,
  { isHeld = false } = {},
): Promise<WholeRecoveryRecord | undefined> {
  const { rows } = await client.query<WholeRecoveryRecord>(
    `select ${columns}, r.payload, r.secrets_sealed as "secretsSealed" from recovery_record r ${withNames}
     where r.org_id = $1 and r.environment = $2 and r.id = $3 ${isHeld ? 'for update of r' : ''}`,
    [tenant.orgId, tenant.environment, id],
  );
  return rows[0];
}

/** Ids of open records, oldest first, of those younger than `after`. */
export async function openRecordIds(
  pool: Pool,
  tenant: Tenant,
  filter: RecoveryFilter,
  page: { readonly after?: string | undefined; readonly limit: number },
): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select r.id from recovery_record r
     where ${matching} and r.status = 'open' and ($13::text is null or r.id > $13) order by r.id limit $14`,
    [...matchValues(tenant, filter), page.after ?? null, page.limit],
  );
  return rows.map(({ id }) => id);
}

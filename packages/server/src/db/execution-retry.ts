import type { Pool, PoolClient } from 'pg';
import { hashOf, jsonOf, storeLargeValues, type JournalRow } from '#db/journal-flush';
import type { ExecutionMode, ExecutionState, JournalKind, JournalStatus } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** One journal row without its values. */
export interface OutlineRow {
  readonly seq: number;
  readonly node_id: string;
  readonly batch: string;
  readonly kind: JournalKind;
  readonly status: JournalStatus | null;
  readonly port: string | null;
}

/** What every row of an execution but the first says, without values: a few dozen bytes a row. */
export async function readOutline(
  client: Pool | PoolClient,
  tenant: Tenant,
  executionId: string,
): Promise<OutlineRow[]> {
  const { rows } = await client.query<OutlineRow>(
    `select seq, node_id, batch, kind, status, port from journal
     where org_id = $1 and environment = $2 and execution_id = $3 and seq > 0 order by seq`,
    [tenant.orgId, tenant.environment, executionId],
  );
  return rows;
}

/** Sealed parts of an execution's rows, which are bound to the execution. */
export async function readSealedRows(
  client: Pool | PoolClient,
  tenant: Tenant,
  executionId: string,
): Promise<{ seq: number; sealed: Buffer }[]> {
  const { rows } = await client.query<{ seq: number; sealed: Buffer }>(
    `select seq, secrets_sealed as sealed from journal
     where org_id = $1 and environment = $2 and execution_id = $3 and secrets_sealed is not null`,
    [tenant.orgId, tenant.environment, executionId],
  );
  return rows;
}

/** A child that a node of an execution started. */
export interface ChildOf {
  readonly node_id: string;
  readonly batch: string;
  readonly child_execution_id: string;
  readonly first_batch: string;
  readonly is_awaited: boolean;
  /** Null: the child's log is gone already. */
  readonly state: ExecutionState | null;
}

export async function readChildren(
  client: Pool | PoolClient,
  tenant: Tenant,
  executionId: string,
): Promise<ChildOf[]> {
  const { rows } = await client.query<ChildOf>(
    `select c.node_id, c.batch, c.child_execution_id, c.first_batch, c.is_awaited, e.state
     from child_execution c left join execution e on e.id = c.child_execution_id
     where c.org_id = $1 and c.environment = $2 and c.parent_execution_id = $3`,
    [tenant.orgId, tenant.environment, executionId],
  );
  return rows;
}

/** An execution that goes on from an ended one. */
export interface NewRetry {
  readonly id: string;
  readonly tenant: Tenant;
  readonly of: string;
  readonly mode: ExecutionMode;
  readonly nodeCount: number;
  readonly createdAt: Date;
  /** Numbers of the rows that are left behind. */
  readonly redo: readonly number[];
  /** What was sealed, sealed for the new execution. */
  readonly sealed: readonly { readonly seq: number; readonly sealed: Buffer }[];
  /** Children that are not started again. */
  readonly children: readonly Omit<ChildOf, 'state'>[];
  /** Outcomes that stand in the place of rows that are left behind. */
  readonly given: readonly JournalRow[];
}

// Large values are shared by hash, and live as long as the youngest day on which somebody wrote them.
const touchBlobs = `update blob b set used_on = current_date
  where b.org_id = $2 and b.environment = $3 and b.used_on < current_date and b.hash in (
    select unnest(array[input_blob, output_blob]) from journal
    where execution_id = $1 and (input_blob is not null or output_blob is not null))`;

const copy = `with source as (
    select * from execution where id = $1 and org_id = $2 and environment = $3 and finished_at is not null
      -- the first row is the first to go when old logs are deleted: while it is there, all are
      and exists (select from journal where execution_id = $1 and seq = 0)
    for update
  ), started as (
    insert into execution (id, org_id, environment, workflow_id, workflow_version, document, linked_account_id,
      account_id, config_id, app_slug, source, trigger_event, mode, state, timeout_s, instance_tag, retry_of,
      retry_root_id, kept_seq, node_count, created_at, concurrency_key, concurrency_limit, concurrency_overflow,
      holds_while_waiting, payload_bytes)
    select $4, org_id, environment, workflow_id, workflow_version, document, linked_account_id,
      account_id, config_id, app_slug, source, trigger_event, $5, 'queued', timeout_s, instance_tag, id,
      coalesce(retry_root_id, id),
      greatest($14::int, (select max(j.seq) from journal j where j.execution_id = $1
        and not exists (select from unnest($8::int[]) as r(seq) where r.seq = j.seq))), $6, $7, concurrency_key,
      concurrency_limit, concurrency_overflow, holds_while_waiting, payload_bytes
    from source
    returning id
  ), kept as (
    insert into journal (execution_id, seq, org_id, environment, node_id, batch, batch_index, attempt, kind, status,
      port, status_code, duration_ms, input, input_blob, output, output_blob, error, console, retry_at, at,
      secrets_sealed, variables)
    select $4, j.seq, j.org_id, j.environment, j.node_id, j.batch, j.batch_index, j.attempt, j.kind, j.status, j.port,
      j.status_code, j.duration_ms, j.input, j.input_blob, j.output, j.output_blob, j.error, j.console, j.retry_at, j.at,
      s.sealed, j.variables
    from journal j left join unnest($9::int[], $10::bytea[]) as s(seq, sealed) on s.seq = j.seq
    where j.execution_id = $1 and exists (select from source)
      and not exists (select from unnest($8::int[]) as r(seq) where r.seq = j.seq)
    returning 1
  ), children as (
    insert into child_execution (parent_execution_id, node_id, batch, org_id, environment, child_execution_id,
      first_batch, is_awaited)
    select $4, c.node_id, c.batch, $2, $3, c.child_execution_id, c.first_batch, c.is_awaited
    from unnest($11::text[], $12::text[], $13::text[], $15::text[], $16::boolean[])
      as c(node_id, batch, child_execution_id, first_batch, is_awaited)
    where exists (select from source)
  )
  select (select count(*) from started)::int as started, (select count(*) from kept)::int as kept`;

/**
 * Writes a retry: its header and, in the same statement, copies of the rows that it keeps. The caller queues it.
 *
 * @returns how many rows it keeps; undefined: there is no such ended execution
 */
export async function insertRetry(client: PoolClient, retry: NewRetry): Promise<number | undefined> {
  const { orgId, environment } = retry.tenant;
  await client.query(touchBlobs, [retry.of, orgId, environment]);
  const { rows } = await client.query<{ started: number; kept: number }>(copy, [
    retry.of,
    orgId,
    environment,
    retry.id,
    retry.mode,
    retry.nodeCount,
    retry.createdAt,
    retry.redo,
    retry.sealed.map(({ seq }) => seq),
    retry.sealed.map(({ sealed }) => sealed),
    retry.children.map((child) => child.node_id),
    retry.children.map((child) => child.batch),
    retry.children.map((child) => child.child_execution_id),
    retry.given.length === 0 ? null : Math.max(...retry.given.map(({ seq }) => seq)),
    retry.children.map((child) => child.first_batch),
    retry.children.map((child) => child.is_awaited),
  ]);
  if (rows[0]!.started === 0) return undefined;
  for (const row of retry.given) await insertGiven(client, row);
  return rows[0]!.kept;
}

async function insertGiven(client: PoolClient, row: JournalRow): Promise<void> {
  const { tenant, output } = row;
  await storeLargeValues(client, [{ tenant, value: output }]);
  await client.query(
    `insert into journal (execution_id, seq, org_id, environment, node_id, batch, attempt, kind, status, port,
       status_code, duration_ms, output, output_blob, console, at, secrets_sealed)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $14, $15, $16)`,
    [
      row.executionId,
      row.seq,
      tenant.orgId,
      tenant.environment,
      row.nodeId,
      row.batch,
      row.attempt,
      row.kind,
      row.status,
      row.port,
      row.statusCode,
      jsonOf(output),
      hashOf(output),
      row.console,
      row.at,
      row.secretsSealed,
    ],
  );
}

/**
 * The youngest execution of a line of retries: the one itself when nobody has retried it.
 *
 * @returns undefined: the logs of all of them have been deleted
 */
export async function youngestRetry(
  pool: Pool,
  tenant: Tenant,
  executionId: string,
): Promise<string | undefined> {
  const { rows } = await pool.query<{ id: string | null }>(
    `with recursive line as (
       select $3::text collate "C" as id
       union
       select e.id from line join execution e on e.retry_of = line.id
       where e.org_id = $1 and e.environment = $2
     )
     select max(e.id) as id from line join execution e on e.id = line.id
     where e.org_id = $1 and e.environment = $2`,
    [tenant.orgId, tenant.environment, executionId],
  );
  return rows[0]?.id ?? undefined;
}

/**
 * Holds an ended execution for the rest of the transaction, so that of those who want to go on from it at the same
 * time one does.
 *
 * @returns false: somebody has gone on from it already, or its log is gone
 */
export async function holdUnretried(
  client: PoolClient,
  tenant: Tenant,
  executionId: string,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from execution where org_id = $1 and environment = $2 and id = $3 for update`,
    [tenant.orgId, tenant.environment, executionId],
  );
  if (rowCount === 0) return false;
  // A statement of its own: it sees what was committed while the lock was waited for.
  const { rows } = await client.query<{ is_retried: boolean }>(
    `select exists (select from execution
       where org_id = $1 and environment = $2 and retry_of = $3 and id > $3) as is_retried`,
    [tenant.orgId, tenant.environment, executionId],
  );
  return !rows[0]!.is_retried;
}

/** The node that started an execution as its child. */
export async function findCaller(
  pool: Pool,
  tenant: Tenant,
  executionId: string,
): Promise<{ executionId: string; nodeId: string; batch: string } | undefined> {
  const { rows } = await pool.query<{ executionId: string; nodeId: string; batch: string }>(
    `select parent_execution_id as "executionId", parent_node_id as "nodeId", parent_batch as batch from execution
     where org_id = $1 and environment = $2 and id = $3 and parent_execution_id is not null`,
    [tenant.orgId, tenant.environment, executionId],
  );
  return rows[0];
}

/**
 * Takes a request's right to make its one retry of an execution. Holds the key for the rest of the transaction, so
 * that two calls at once make one.
 *
 * @returns undefined: taken; else the retry that the request made before
 */
export async function takeRetry(
  client: PoolClient,
  tenant: Tenant,
  of: { readonly executionId: string; readonly requestId: string; readonly retryId: string },
): Promise<string | undefined> {
  const { rowCount } = await client.query(
    `insert into execution_retry (execution_id, request_id, org_id, environment, retry_id)
     values ($1, $2, $3, $4, $5) on conflict (execution_id, request_id) do nothing`,
    [of.executionId, of.requestId, tenant.orgId, tenant.environment, of.retryId],
  );
  if (rowCount === 1) return undefined;
  const { rows } = await client.query<{ retry_id: string }>(
    `select retry_id from execution_retry
     where org_id = $1 and environment = $2 and execution_id = $3 and request_id = $4`,
    [tenant.orgId, tenant.environment, of.executionId, of.requestId],
  );
  return rows[0]!.retry_id;
}

/** The child that a node had in the executions that this one is a retry of, the youngest of them first. */
export async function findEarlierChild(
  client: Pool | PoolClient,
  tenant: Tenant,
  parent: { readonly executionId: string; readonly nodeId: string; readonly batch: string },
): Promise<{ id: string; state: ExecutionState; workflowId: string } | undefined> {
  const { rows } = await client.query<{ id: string; state: ExecutionState; workflowId: string }>(
    `with recursive line as (
       select retry_of as id, 1 as n from execution
       where org_id = $1 and environment = $2 and id = $3 and retry_of is not null
       union all
       select e.retry_of, n + 1 from line join execution e on e.id = line.id
       where e.retry_of is not null and n < 1000
     )
     select e.id, e.state, e.workflow_id as "workflowId"
     from line join child_execution c on c.parent_execution_id = line.id and c.node_id = $4 and c.batch = $5
     join execution e on e.id = c.child_execution_id
     order by line.n limit 1`,
    [tenant.orgId, tenant.environment, parent.executionId, parent.nodeId, parent.batch],
  );
  return rows[0];
}

/** What a request has made already: retries by the execution that they go on from. */
export async function retriesOfRequest(
  pool: Pool,
  tenant: Tenant,
  requestId: string,
): Promise<{ executionId: string; retryId: string }[]> {
  const { rows } = await pool.query<{ executionId: string; retryId: string }>(
    `select execution_id as "executionId", retry_id as "retryId" from execution_retry
     where org_id = $1 and environment = $2 and request_id = $3 order by execution_id`,
    [tenant.orgId, tenant.environment, requestId],
  );
  return rows;
}

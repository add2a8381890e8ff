import type { Pool, PoolClient } from 'pg';
import { hashOf, jsonOf, type StoredValue } from '#db/journal-flush';
import type { ExecutionMode, ExecutionSource } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** An execution as it begins: the header and the first journal row, which holds what triggered it. */
export interface NewExecution {
  readonly id: string;
  readonly tenant: Tenant;
  readonly workflowId: string;
  readonly workflowVersion: number | null;
  /** JSON text; only for a test run of a draft. */
  readonly document: string | null;
  readonly linkedAccountId: string;
  readonly accountId: string;
  readonly configId: string;
  readonly appSlug: string | null;
  readonly source: ExecutionSource;
  readonly triggerEvent: string | null;
  readonly mode: ExecutionMode;
  /** The worker that runs it at once; null: it is queued. */
  readonly owner: string | null;
  readonly timeoutS: number;
  readonly instanceTag: string | null;
  readonly rerunOf: string | null;
  readonly startNodeId: string;
  readonly payload: StoredValue;
  /** What the caller sent beside the payload, when it is kept: `{headers}`. */
  readonly headers: StoredValue | undefined;
  /** What masking took out of the two, sealed. */
  readonly secretsSealed: Buffer | undefined;
  readonly nodeCount: number;
  /** The limit of its workflow, under the name of those who share it. */
  readonly concurrency: ExecutionConcurrency | undefined;
  readonly createdAt: Date;
}

interface ExecutionConcurrency {
  readonly key: string;
  readonly limit: number;
  readonly overflow: 'queue' | 'drop' | 'replace';
  readonly holdsWhileWaiting: boolean;
}

// A run that is created owned needs its owner alive, as everything a worker writes does. The queued ones do not.
const insert = `with fence as materialized (
    select id from worker where id = $1 and is_alive for key share
  ), given as (
    select * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::json[], $8::text[], $9::text[],
      $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::boolean[], $16::int[], $17::text[],
      $18::text[], $19::text[], $20::json[], $21::bytea[], $22::json[], $23::bytea[], $24::int[], $25::timestamptz[],
      $26::text[], $27::int[], $28::text[], $29::boolean[], $30::int[], $31::bytea[])
      as u(id, org_id, environment, workflow_id, workflow_version, document, linked_account_id, account_id, config_id,
        app_slug, source, trigger_event, mode, is_owned, timeout_s, instance_tag, rerun_of, start_node_id, output,
        output_blob, input, input_blob, node_count, created_at, concurrency_key, concurrency_limit, concurrency_overflow,
        holds_while_waiting, payload_bytes, secrets_sealed)
    where not is_owned or exists (select from fence)
  ), started as (
    insert into execution (id, org_id, environment, workflow_id, workflow_version, document, linked_account_id,
      account_id, config_id, app_slug, source, trigger_event, mode, state, owner, timeout_s, deadline_at, instance_tag,
      rerun_of, node_count, created_at, started_at, concurrency_key, concurrency_limit, concurrency_overflow,
      holds_while_waiting, payload_bytes)
    select id, org_id, environment, workflow_id, workflow_version, document, linked_account_id, account_id, config_id,
      app_slug, source, trigger_event, mode, case when is_owned then 'running' else 'queued' end,
      case when is_owned then $1 end, timeout_s,
      case when is_owned then now() + timeout_s * interval '1 second' end, instance_tag, rerun_of, node_count,
      created_at, case when is_owned then created_at end, concurrency_key, concurrency_limit, concurrency_overflow,
      holds_while_waiting, payload_bytes
    from given
  ), written as (
    insert into journal (execution_id, seq, org_id, environment, node_id, kind, status, port, duration_ms, input,
      input_blob, output, output_blob, at, secrets_sealed)
    select id, 0, org_id, environment, start_node_id, 'outcome', 'success', 'next', 0, input, input_blob, output,
      output_blob, created_at, secrets_sealed
    from given
  )
  select (select count(*) from given)::int as written`;

/**
 * Writes many executions with their first journal row in one statement. Large values must be stored before.
 *
 * @returns false when the worker that should own some of them is dead: then those were not written
 */
export async function insertExecutions(
  client: Pool | PoolClient,
  workerId: string,
  executions: readonly NewExecution[],
): Promise<boolean> {
  const { rows } = await client.query<{ written: number }>({
    name: 'inlay-start',
    text: insert,
    values: [
      workerId,
      executions.map((e) => e.id),
      executions.map((e) => e.tenant.orgId),
      executions.map((e) => e.tenant.environment),
      executions.map((e) => e.workflowId),
      executions.map((e) => e.workflowVersion),
      executions.map((e) => e.document),
      executions.map((e) => e.linkedAccountId),
      executions.map((e) => e.accountId),
      executions.map((e) => e.configId),
      executions.map((e) => e.appSlug),
      executions.map((e) => e.source),
      executions.map((e) => e.triggerEvent),
      executions.map((e) => e.mode),
      executions.map((e) => e.owner !== null),
      executions.map((e) => e.timeoutS),
      executions.map((e) => e.instanceTag),
      executions.map((e) => e.rerunOf),
      executions.map((e) => e.startNodeId),
      executions.map((e) => jsonOf(e.payload)),
      executions.map((e) => hashOf(e.payload)),
      executions.map((e) => jsonOf(e.headers)),
      executions.map((e) => hashOf(e.headers)),
      executions.map((e) => e.nodeCount),
      executions.map((e) => e.createdAt),
      executions.map((e) => e.concurrency?.key),
      executions.map((e) => e.concurrency?.limit),
      executions.map((e) => e.concurrency?.overflow),
      executions.map((e) => e.concurrency?.holdsWhileWaiting ?? false),
      executions.map((e) => bytesOf(e.payload) + bytesOf(e.headers)),
      executions.map((e) => e.secretsSealed),
    ],
  });
  return rows[0]!.written === executions.length;
}

/** Near enough: characters, which are bytes in most JSON. */
function bytesOf(value: StoredValue | undefined): number {
  if (value === undefined) return 0;
  return 'json' in value ? value.json.length : value.content.length;
}

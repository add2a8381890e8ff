import { sql } from 'kysely';
import type { Pool } from 'pg';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

// One look by key for each execution and each journal, whatever the planner believes of tables that have just grown: it
// joined them whole once (3 s for 500 executions instead of 20 ms). Rows that a retry copied were counted with the
// execution that wrote them.
const count = `with taken as (
    delete from usage_pending where execution_id in (
      select execution_id from usage_pending order by execution_id limit $1 for update skip locked)
    returning execution_id
  ), ended as materialized (
    select e.* from taken cross join lateral (
      select id, org_id, environment, linked_account_id, account_id, workflow_id, workflow_version, state, kept_seq,
        finished_at
      from execution where id = taken.execution_id limit 1) e
  ), typed as materialized (
    select v.workflow_id, v.version,
      array_agg(n ->> 'id') filter (where n ->> 'node_type' = 'app_action') as callers,
      array_agg(n ->> 'id') filter (where n ->> 'node_type' in ('custom_code', 'function')) as coders
    from (select distinct workflow_id, workflow_version from ended) k
    join workflow_version v on v.workflow_id = k.workflow_id and v.version = k.workflow_version
    cross join jsonb_array_elements(v.document -> 'nodes') n
    group by 1, 2
  ), worked as materialized (
    select e.*, w.*
    from ended e left join typed t on t.workflow_id = e.workflow_id and t.version = e.workflow_version
    cross join lateral (
      select count(*) filter (where j.kind = 'outcome' and j.status <> 'retrying' and j.seq > 0) as node_runs,
        count(*) filter (where j.kind = 'start' and j.node_id = any(t.callers)) as app_calls,
        sum(j.duration_ms) filter (where j.kind = 'outcome' and j.node_id = any(t.coders)) as code_ms,
        sum(coalesce(pg_column_size(j.input), 0) + coalesce(pg_column_size(j.output), 0)
          + coalesce(pg_column_size(j.error), 0) + coalesce(pg_column_size(j.console), 0)
          + case when j.input_blob is null then 0 else coalesce((select pg_column_size(b.content) from blob b
              where b.org_id = j.org_id and b.environment = j.environment and b.hash = j.input_blob), 0) end
          + case when j.output_blob is null then 0 else coalesce((select pg_column_size(b.content) from blob b
              where b.org_id = j.org_id and b.environment = j.environment and b.hash = j.output_blob), 0) end) as bytes
      from journal j where j.execution_id = e.id and j.seq > coalesce(e.kept_seq, -1)) w
  ), counted as (
    insert into usage_day as u (org_id, environment, day, linked_account_id, account_id, workflow_id, completed, errored,
      stopped, timed_out, terminated, node_runs, app_calls, code_ms, bytes_stored)
    select e.org_id, e.environment, (e.finished_at at time zone 'UTC')::date as day, e.linked_account_id,
      max(e.account_id), e.workflow_id, count(*) filter (where e.state = 'completed'),
      count(*) filter (where e.state = 'errored'), count(*) filter (where e.state = 'stopped'),
      count(*) filter (where e.state = 'timed_out'), count(*) filter (where e.state = 'terminated'),
      sum(e.node_runs), sum(e.app_calls), coalesce(sum(e.code_ms), 0), coalesce(sum(e.bytes), 0)
    from worked e
    group by 1, 2, 3, 4, 6 order by 1, 2, 3, 4, 6
    on conflict (org_id, environment, day, linked_account_id, workflow_id) do update set
      completed = u.completed + excluded.completed, errored = u.errored + excluded.errored,
      stopped = u.stopped + excluded.stopped, timed_out = u.timed_out + excluded.timed_out,
      terminated = u.terminated + excluded.terminated, node_runs = u.node_runs + excluded.node_runs,
      app_calls = u.app_calls + excluded.app_calls, code_ms = u.code_ms + excluded.code_ms,
      bytes_stored = u.bytes_stored + excluded.bytes_stored
  )
  select count(*)::int as taken from taken`;

/** Counts up to `limit` ended executions into their days, in one statement. Any number of processes may do it. */
export async function countUsage(pool: Pool, limit: number): Promise<number> {
  const { rows } = await pool.query<{ taken: number }>({ name: 'inlay-usage', text: count, values: [limit] });
  return rows[0]!.taken;
}

/** What was used on one day, by one account or by one workflow. Times in milliseconds, sizes in bytes. */
export interface Usage {
  readonly key: string;
  readonly completed: number;
  readonly errored: number;
  readonly stopped: number;
  readonly timed_out: number;
  readonly terminated: number;
  readonly node_runs: number;
  readonly app_calls: number;
  readonly code_ms: number;
  readonly bytes_stored: number;
}

const groups = {
  day: sql`to_char(day, 'YYYY-MM-DD')`,
  account: sql`account_id`,
  workflow: sql`workflow_id`,
} as const;

/** The usage of a tenant between two days (UTC, both included), summed by what `by` says. */
export async function readUsage(
  db: Db,
  tenant: Tenant,
  of: { readonly from: string; readonly to: string; readonly by: keyof typeof groups },
): Promise<Usage[]> {
  const { rows } = await sql<Usage>`
    select ${groups[of.by]} as key, sum(completed)::float8 as completed, sum(errored)::float8 as errored,
      sum(stopped)::float8 as stopped, sum(timed_out)::float8 as timed_out, sum(terminated)::float8 as terminated,
      sum(node_runs)::float8 as node_runs, sum(app_calls)::float8 as app_calls, sum(code_ms)::float8 as code_ms,
      sum(bytes_stored)::float8 as bytes_stored
    from usage_day
    where org_id = ${tenant.orgId} and environment = ${tenant.environment}
      and day between ${of.from}::date and ${of.to}::date
    group by 1 order by 1 limit 10000`.execute(db);
  return rows;
}

/** What a tenant keeps: bytes that its executions wrote since a day (UTC), bytes of its files, records of its tables. */
export async function readStored(
  db: Db,
  tenant: Tenant,
  since: string,
): Promise<{ log_bytes: number; file_bytes: number; table_records: number }> {
  const of = sql`org_id = ${tenant.orgId} and environment = ${tenant.environment}`;
  const { rows } = await sql<{ log_bytes: number; file_bytes: number; table_records: number }>`
    select
      (select coalesce(sum(bytes_stored), 0)::float8 from usage_day where ${of} and day >= ${since}::date) as log_bytes,
      (select coalesce(sum(size), 0)::float8 from stored_file where ${of}) as file_bytes,
      (select coalesce(sum(record_count), 0)::float8 from data_table where ${of} and deleted_at is null)
        as table_records`.execute(db);
  return rows[0]!;
}

/** Bytes that the database takes on disk; null: it belongs to several organisations, and is none of one's business. */
export async function databaseBytes(pool: Pool): Promise<number | null> {
  const { rows } = await pool.query<{ bytes: number | null }>(
    `select case when (select count(*) from organization) = 1 then pg_database_size(current_database())::float8 end
       as bytes`,
  );
  return rows[0]!.bytes;
}

import { sql } from 'kysely';
import type { Pool } from 'pg';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

// Rows that a retry copied were counted with the execution that wrote them.
const count = `with taken as (
    delete from usage_pending where execution_id in (
      select execution_id from usage_pending order by execution_id limit $1 for update skip locked)
    returning execution_id
  ), ended as materialized (
    select e.* from taken join execution e on e.id = taken.execution_id
  ), typed as (
    select v.workflow_id, v.version, n ->> 'id' as node_id, n ->> 'node_type' as node_type
    from (select distinct workflow_id, workflow_version from ended) k
    join workflow_version v on v.workflow_id = k.workflow_id and v.version = k.workflow_version
    cross join jsonb_array_elements(v.document -> 'nodes') n
  ), worked as (
    select e.id,
      count(*) filter (where j.kind = 'outcome' and j.status <> 'retrying' and j.seq > 0) as node_runs,
      count(*) filter (where j.kind = 'start' and t.node_type = 'app_action') as app_calls,
      sum(j.duration_ms) filter (where j.kind = 'outcome' and t.node_type in ('custom_code', 'function')) as code_ms,
      sum(coalesce(pg_column_size(j.input), 0) + coalesce(pg_column_size(j.output), 0)
        + coalesce(pg_column_size(j.error), 0) + coalesce(pg_column_size(j.console), 0)
        + coalesce(pg_column_size(i.content), 0) + coalesce(pg_column_size(o.content), 0)) as bytes
    from ended e join journal j on j.execution_id = e.id and j.seq > coalesce(e.kept_seq, -1)
    left join typed t on t.workflow_id = e.workflow_id and t.version = e.workflow_version and t.node_id = j.node_id
    left join blob i on j.input_blob is not null
      and i.org_id = j.org_id and i.environment = j.environment and i.hash = j.input_blob
    left join blob o on j.output_blob is not null
      and o.org_id = j.org_id and o.environment = j.environment and o.hash = j.output_blob
    group by e.id
  ), counted as (
    insert into usage_day as u (org_id, environment, day, linked_account_id, account_id, workflow_id, completed, errored,
      stopped, timed_out, terminated, node_runs, app_calls, code_ms, bytes_stored)
    select e.org_id, e.environment, (e.finished_at at time zone 'UTC')::date as day, e.linked_account_id,
      max(e.account_id), e.workflow_id, count(*) filter (where e.state = 'completed'),
      count(*) filter (where e.state = 'errored'), count(*) filter (where e.state = 'stopped'),
      count(*) filter (where e.state = 'timed_out'), count(*) filter (where e.state = 'terminated'),
      coalesce(sum(w.node_runs), 0), coalesce(sum(w.app_calls), 0), coalesce(sum(w.code_ms), 0),
      coalesce(sum(w.bytes), 0)
    from ended e left join worked w on w.id = e.id
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

/** Bytes that the whole database takes on disk, of all organisations. */
export async function databaseBytes(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    'select pg_database_size(current_database())::float8 as bytes',
  );
  return rows[0]!.bytes;
}

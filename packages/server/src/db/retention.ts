import type { Pool } from 'pg';
import type { Environment, Tenant } from '#domain/tenant';

/** Days that logs are kept where an organisation says nothing, and the most that it may say. */
export interface LogRetention {
  readonly defaultDays: number;
  readonly maximumDays: number;
}

/** Rows of one statement: each holds its locks for some milliseconds. */
const executionsAtOnce = 200;
const rowsAtOnce = 5_000;
const blobsAtOnce = 500;
/** What lives of a week moves out of it, up to so many executions. */
const mostMoved = 2_000;

const daysOf = 'least(coalesce(log_retention_days, $2::int), $3::int)';

/**
 * When the logs of the organisation that keeps them longest end. A machine whose clock is ahead must drop nothing
 * that is young: the database's clock is asked too.
 */
export async function longestRetentionEnd(pool: Pool, now: Date, kept: LogRetention): Promise<Date> {
  const { rows } = await pool.query<{ before: Date }>(
    `select least($1::timestamptz, now())
       - coalesce(max(${daysOf}), least($2::int, $3::int)) * interval '1 day' as before from organization`,
    [now, kept.defaultDays, kept.maximumDays],
  );
  return rows[0]!.before;
}

/** A week of the logs: ids from the first (included) to the second. */
export interface LogWeek {
  readonly from: string;
  readonly to: string;
}

/** The weeks that ended before a moment, oldest first. */
export async function weeksBefore(pool: Pool, before: Date): Promise<LogWeek[]> {
  const { rows } = await pool.query<LogWeek>(
    `select distinct bound[1] as "from", bound[2] as "to"
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid),
       'FROM \\(''([0-9a-f]{24})''\\) TO \\(''([0-9a-f]{24})''\\)') as bound
     where i.inhparent in ('execution'::regclass, 'journal'::regclass, 'inbox'::regclass)
       and bound[2] collate "C" <= inlay_id_floor($1) collate "C"
     order by 1`,
    [before],
  );
  return rows;
}

/**
 * Drops a week of the logs whole; what lives in it is moved out before.
 *
 * @returns false: too much lives in it, so it stays
 * @throws lock_not_available (55P03) when somebody holds the tables
 */
export async function dropWeek(pool: Pool, { from, to }: LogWeek): Promise<boolean> {
  const { rows } = await pool.query<{ is_dropped: boolean }>(
    'select inlay_drop_week($1, $2, $3) as is_dropped',
    [from, to, mostMoved],
  );
  return rows[0]!.is_dropped;
}

/** Whose logs hold what is older than they keep. */
export interface OverdueTenant {
  readonly tenant: Tenant;
  readonly before: Date;
}

/**
 * The tenants from whose logs rows are to be deleted one by one: those that keep them shorter than others; and of all
 * others what stands before the oldest week that is kept, which is what was moved out of weeks that were dropped.
 */
export async function overdueTenants(pool: Pool, now: Date, kept: LogRetention): Promise<OverdueTenant[]> {
  const { rows } = await pool.query<{ org_id: string; environment: Environment; before: Date }>(
    `with o as (select id, ${daysOf} as days from organization),
     t as (
       select o.id as org_id, e.environment, case
         when o.days < (select max(days) from o) then least($1::timestamptz, now()) - o.days * interval '1 day'
         else date_trunc('week', least($1::timestamptz, now()) - o.days * interval '1 day', 'UTC') end as before
       from o cross join (values ('test'), ('production')) as e (environment)
     )
     select t.org_id, t.environment, t.before from t
     where exists (select from execution x where x.org_id = t.org_id and x.environment = t.environment
         and x.id < inlay_id_floor(t.before) and x.finished_at is not null)
       or exists (select from inbox i where i.org_id = t.org_id and i.environment = t.environment
         and i.id < inlay_id_floor(t.before))
       or exists (select from blob b where b.org_id = t.org_id and b.environment = t.environment
         and b.used_on < t.before::date - 1)`,
    [now, kept.defaultDays, kept.maximumDays],
  );
  return rows.map(({ org_id: orgId, environment, before }) => ({ tenant: { orgId, environment }, before }));
}

/**
 * Deletes the ended executions of a tenant that are older than `before`, with their journals and all that belongs to
 * them, then what came in, then the large values that nothing refers to any more. What lives stays whole, and so do
 * the ended children of living parents.
 *
 * @returns how many executions are gone
 */
export async function deleteOldLogs(
  pool: Pool,
  { tenant, before }: OverdueTenant,
  isClosing: () => boolean = () => false,
): Promise<number> {
  const of = [tenant.orgId, tenant.environment, before];
  let deleted = 0;
  for (let after = ''; !isClosing();) {
    const { rows } = await pool.query<{ id: string }>(
      `select e.id from execution e
       where e.org_id = $1 and e.environment = $2 and e.id < inlay_id_floor($3) and e.id > $4
         and e.finished_at is not null
         and not exists (select from child_execution c join execution p on p.id = c.parent_execution_id
           where c.child_execution_id = e.id and p.finished_at is null)
       order by e.id limit $5`,
      [...of, after, executionsAtOnce],
    );
    if (rows.length === 0) break;
    const ids = rows.map(({ id }) => id);
    const these = [tenant.orgId, tenant.environment, ids, ids[0], ids.at(-1)];
    await pool.query(deleteFirstRows, these);
    await repeatedly(pool, deleteJournal, these, isClosing);
    if (isClosing()) break;
    await pool.query(deleteExecutions, [tenant.orgId, tenant.environment, ids]);
    deleted += ids.length;
    after = ids.at(-1)!;
  }
  await repeatedly(pool, deleteInbox, of, isClosing);
  await repeatedly(pool, deleteBlobs, of, isClosing, blobsAtOnce);
  return deleted;
}

// They go before the others, so that nobody goes on from a journal of which a part is gone (db/execution-retry).
const deleteFirstRows = `delete from journal where execution_id = any($3::text[])
  and execution_id between $4 and $5 and seq = 0 and org_id = $1 and environment = $2`;

const deleteJournal = `delete from journal where execution_id between $4 and $5 and (execution_id, seq) in (
  select execution_id, seq from journal
  where execution_id = any($3::text[]) and execution_id between $4 and $5 and org_id = $1 and environment = $2
  limit ${rowsAtOnce})`;

// The header goes last: what is left by a process that dies in between is found again.
const deleteExecutions = `with children as (
    delete from child_execution where org_id = $1 and environment = $2 and parent_execution_id = any($3::text[])
  ), retries as (
    delete from execution_retry where org_id = $1 and environment = $2 and execution_id = any($3::text[])
  ), tasks as (
    delete from human_task where org_id = $1 and environment = $2 and execution_id = any($3::text[])
  ), arrivals as (
    delete from wait_arrival where org_id = $1 and environment = $2 and execution_id = any($3::text[])
  )
  delete from execution where org_id = $1 and environment = $2 and id = any($3::text[])`;

const deleteInbox = `delete from inbox where id in (
  select id from inbox where org_id = $1 and environment = $2 and id < inlay_id_floor($3) limit ${rowsAtOnce})`;

// A value was last written on `used_on`, so whatever refers to it began before the day after: a day of room for time
// zones. What is left of that age is what lives. Somebody who writes the value again meanwhile keeps it.
const deleteBlobs = `with kept as materialized (
    select j.input_blob as hash from execution e join journal j on j.execution_id = e.id
    where e.org_id = $1 and e.environment = $2 and e.id < inlay_id_floor($3) and j.input_blob is not null
    union
    select j.output_blob from execution e join journal j on j.execution_id = e.id
    where e.org_id = $1 and e.environment = $2 and e.id < inlay_id_floor($3) and j.output_blob is not null
  )
  delete from blob where org_id = $1 and environment = $2 and used_on < $3::date - 1 and hash = any(array(
    select b.hash from blob b where b.org_id = $1 and b.environment = $2 and b.used_on < $3::date - 1
      and not exists (select from kept where kept.hash = b.hash)
    limit ${blobsAtOnce}))`;

/** Deletes what belonged to executions that went with their week. */
export async function deleteOrphans(
  pool: Pool,
  before: Date,
  isClosing: () => boolean = () => false,
): Promise<void> {
  await repeatedly(
    pool,
    `delete from child_execution where (parent_execution_id, node_id, batch) in (
       select c.parent_execution_id, c.node_id, c.batch from child_execution c
       where c.parent_execution_id < inlay_id_floor($1)
         and not exists (select from execution e where e.id = c.parent_execution_id)
       limit ${rowsAtOnce})`,
    [before],
    isClosing,
  );
  await repeatedly(
    pool,
    `delete from execution_retry where (execution_id, request_id) in (
       select r.execution_id, r.request_id from execution_retry r where r.created_at < $1
         and not exists (select from execution e where e.id = r.execution_id) limit ${rowsAtOnce})`,
    [before],
    isClosing,
  );
  await repeatedly(
    pool,
    `delete from human_task where id in (
       select t.id from human_task t where t.created_at < $1
         and not exists (select from execution e where e.id = t.execution_id) limit ${rowsAtOnce})`,
    [before],
    isClosing,
  );
}

/** Runs a statement that deletes up to `atOnce` rows until it finds no more. */
async function repeatedly(
  pool: Pool,
  text: string,
  values: readonly unknown[],
  isClosing: () => boolean,
  atOnce = rowsAtOnce,
): Promise<void> {
  while (!isClosing()) {
    const { rowCount } = await pool.query(text, [...values]);
    if ((rowCount ?? 0) < atOnce) return;
  }
}

import type { Pool, PoolClient } from 'pg';
import { isTarget } from '#db/trigger-registration';
import type { UserDefinedField } from '#db/schema';
import type { Environment, Tenant } from '#domain/tenant';

/** A schedule with what it starts, as it is at the moment. */
export interface StoredSchedule {
  readonly id: string;
  readonly org_id: string;
  readonly environment: Environment;
  readonly linked_account_id: string;
  readonly account_id: string;
  readonly config_id: string;
  readonly workflow_alias: string | null;
  readonly is_by_api: boolean;
  readonly declared: Readonly<Record<string, unknown>>;
  readonly payload: unknown;
  readonly is_paused: boolean;
  readonly inactive_from: Date | null;
  readonly due_at: Date | null;
  readonly next_at: Date | null;
  readonly last_error: string | null;
  readonly failures: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  /** Null: no workflow has the alias now. */
  readonly workflow: {
    readonly id: string;
    readonly name: string;
    readonly description: string;
    readonly appSlug: string | null;
    readonly ownerId: string | null;
    readonly version: number | null;
    /** Of the published version; of a derived schedule it must be the one that is declared here. */
    readonly trigger: Readonly<Record<string, unknown>> | null;
    readonly accessFilter: unknown;
  } | null;
}

/** One that has come due, with what decides whether it may fire. */
export interface DueSchedule extends StoredSchedule {
  readonly udf: readonly UserDefinedField[];
  /** The account has the workflow switched on; of one made by call nobody asks. */
  readonly is_target: boolean;
}

const columns = `s.id, s.org_id, s.environment, s.linked_account_id, a.account_id, s.config_id, s.workflow_alias,
  s.is_by_api, s.declared, s.payload, s.is_paused, s.inactive_from, s.due_at, s.next_at, s.last_error, s.failures,
  s.created_at, s.updated_at,
  case when w.id is null then null else json_build_object('id', w.id, 'name', w.name, 'description', w.description,
    'appSlug', w.app_slug, 'ownerId', w.linked_account_id, 'version', w.published_version, 'trigger', w.trigger,
    'accessFilter', w.access_filter) end as workflow`;

const joins = `join linked_account a on a.id = s.linked_account_id
  left join workflow w on w.org_id = s.org_id and w.environment = s.environment
    and (w.id = s.workflow_id
      or (w.alias = s.workflow_alias and w.app_slug is not distinct from s.app_slug))`;

/**
 * Takes schedules that want attention and keeps them locked to the end of the transaction; those that another
 * scheduler holds are passed over.
 *
 * @param only - ids to choose from, to take some of them again
 */
export async function takeDueSchedules(
  client: PoolClient,
  now: Date,
  limit: number,
  only?: readonly string[],
): Promise<DueSchedule[]> {
  const { rows } = await client.query<DueSchedule>({
    name: 'inlay-due-schedules',
    text: `with due as materialized (
        select id from schedule
        where next_at <= $1 and not is_paused and ($3::text[] is null or id = any($3))
        order by next_at, id limit $2
        for update skip locked)
      select ${columns}, a.udf, s.is_by_api or ${isTarget('s')} as is_target
      from due join schedule s on s.id = due.id ${joins}
      order by s.next_at, s.id`,
    values: [now, limit, only ?? null],
  });
  return rows;
}

/** When the earliest schedule wants attention; undefined: none does. */
export async function earliestSchedule(pool: Pool): Promise<Date | undefined> {
  const { rows } = await pool.query<{ at: Date | null }>(
    'select min(next_at) as at from schedule where next_at is not null and not is_paused',
  );
  return rows[0]?.at ?? undefined;
}

export interface Tick {
  readonly scheduleId: string;
  readonly tenant: Tenant;
  readonly dueAt: Date;
  /** Either what was started, or why nothing was. */
  readonly executionId?: string;
  readonly reason?: string;
}

/** Which of these occurrences nobody has written yet. */
export async function newTicks(
  client: PoolClient,
  ticks: readonly Pick<Tick, 'scheduleId' | 'dueAt'>[],
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ schedule_id: string; due_at: Date }>(
    `select u.* from unnest($1::text[], $2::timestamptz[]) as u(schedule_id, due_at)
     where not exists (select from schedule_tick t where t.schedule_id = u.schedule_id and t.due_at = u.due_at)`,
    [ticks.map((tick) => tick.scheduleId), ticks.map((tick) => tick.dueAt)],
  );
  return new Set(rows.map((row) => tickKey(row.schedule_id, row.due_at)));
}

export function tickKey(scheduleId: string, dueAt: Date): string {
  return `${scheduleId} ${dueAt.getTime()}`;
}

/** Writes occurrences; one that stands already fails the transaction, and with it whatever it started. */
export async function insertTicks(client: PoolClient, ticks: readonly Tick[], at: Date): Promise<void> {
  if (ticks.length === 0) return;
  await client.query({
    name: 'inlay-ticks',
    text: `insert into schedule_tick (schedule_id, due_at, org_id, environment, execution_id, reason, at)
      select u.*, $7 from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[]) u`,
    values: [
      ticks.map((tick) => tick.scheduleId),
      ticks.map((tick) => tick.dueAt),
      ticks.map((tick) => tick.tenant.orgId),
      ticks.map((tick) => tick.tenant.environment),
      ticks.map((tick) => tick.executionId ?? null),
      ticks.map((tick) => tick.reason ?? null),
      at,
    ],
  });
}

export interface ScheduleProgress {
  readonly id: string;
  readonly dueAt: Date | null;
  readonly nextAt: Date | null;
  /** Why it cannot fire; null clears what went wrong before. */
  readonly error: string | null;
}

/** Writes when schedules come due next. */
export async function advanceSchedules(
  client: Pool | PoolClient,
  progress: readonly ScheduleProgress[],
): Promise<void> {
  await client.query({
    name: 'inlay-advance-schedules',
    text: `update schedule s set due_at = u.due_at, next_at = u.next_at, last_error = u.error,
        failures = case when u.error is null then 0 else s.failures + 1 end
      from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[]) as u(id, due_at, next_at, error)
      where s.id = u.id`,
    values: [
      progress.map((row) => row.id),
      progress.map((row) => row.dueAt),
      progress.map((row) => row.nextAt),
      progress.map((row) => row.error),
    ],
  });
}

/**
 * Puts off a schedule that could not fire; its occurrence stays due. One that was fired, changed or paused since it
 * was looked at is left alone.
 *
 * @param seen - the row as it was when it could not fire
 */
export async function postponeSchedule(
  pool: Pool,
  seen: Pick<StoredSchedule, 'id' | 'due_at' | 'next_at'>,
  { nextAt, error }: { readonly nextAt: Date; readonly error: string },
): Promise<void> {
  await pool.query(
    `update schedule set next_at = $4, last_error = $5, failures = failures + 1
     where id = $1 and due_at is not distinct from $2 and next_at = $3 and not is_paused`,
    [seen.id, seen.due_at, seen.next_at, nextAt, error],
  );
}

export async function deleteOldTicks(pool: Pool, before: Date): Promise<void> {
  await pool.query('delete from schedule_tick where at < $1', [before]);
}

export interface NewSchedule {
  readonly id: string;
  readonly linkedAccountId: string;
  readonly configId: string;
  readonly workflow: { readonly id: string } | { readonly alias: string; readonly appSlug: string | null };
  readonly declared: Readonly<Record<string, unknown>>;
  readonly payload: unknown;
  readonly dueAt: Date;
  readonly now: Date;
}

/** Stores a schedule that was made by call. @returns false when the account has `most` of them already */
export async function insertSchedule(
  client: Pool | PoolClient,
  tenant: Tenant,
  row: NewSchedule,
  most: number,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `insert into schedule (id, org_id, environment, linked_account_id, config_id, workflow_id, workflow_alias, app_slug,
       is_by_api, declared, payload, due_at, next_at, created_at, updated_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, true, $9, $10, $11, $11, $12, $12
     where (select count(*) from schedule s where s.org_id = $2 and s.environment = $3 and s.linked_account_id = $4
       and s.is_by_api) < $13`,
    [
      row.id,
      tenant.orgId,
      tenant.environment,
      row.linkedAccountId,
      row.configId,
      'id' in row.workflow ? row.workflow.id : null,
      'alias' in row.workflow ? row.workflow.alias : null,
      'alias' in row.workflow ? row.workflow.appSlug : null,
      JSON.stringify(row.declared),
      row.payload === undefined ? null : JSON.stringify(row.payload),
      row.dueAt,
      row.now,
      most,
    ],
  );
  return rowCount === 1;
}

/** A schedule of one account that was made by call. */
export async function findSchedule(
  client: Pool | PoolClient,
  tenant: Tenant,
  linkedAccountId: string,
  id: string,
  options: { readonly lock?: boolean } = {},
): Promise<StoredSchedule | undefined> {
  const { rows } = await client.query<StoredSchedule>(
    `select ${columns} from schedule s ${joins}
     where s.org_id = $1 and s.environment = $2 and s.linked_account_id = $3 and s.id = $4 and s.is_by_api
     ${options.lock === true ? 'for update of s' : ''}`,
    [tenant.orgId, tenant.environment, linkedAccountId, id],
  );
  return rows[0];
}

export async function saveSchedule(
  client: PoolClient,
  tenant: Tenant,
  row: {
    readonly id: string;
    readonly declared: Readonly<Record<string, unknown>>;
    readonly payload: unknown;
    readonly isPaused: boolean;
    readonly inactiveFrom: Date | null;
    readonly dueAt: Date | null;
    readonly now: Date;
  },
): Promise<void> {
  await client.query(
    `update schedule set declared = $4, payload = $5, is_paused = $6, inactive_from = $7, due_at = $8, next_at = $8,
       last_error = null, failures = 0, updated_at = $9
     where org_id = $1 and environment = $2 and id = $3`,
    [
      tenant.orgId,
      tenant.environment,
      row.id,
      JSON.stringify(row.declared),
      row.payload === undefined || row.payload === null ? null : JSON.stringify(row.payload),
      row.isPaused,
      row.inactiveFrom,
      row.dueAt,
      row.now,
    ],
  );
}

/** @returns false when there is none */
export async function deleteScheduleRow(
  pool: Pool,
  tenant: Tenant,
  linkedAccountId: string,
  id: string,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `delete from schedule where org_id = $1 and environment = $2 and linked_account_id = $3 and id = $4 and is_by_api`,
    [tenant.orgId, tenant.environment, linkedAccountId, id],
  );
  return rowCount === 1;
}

/** A schedule with its last occurrences, newest first. */
export interface ListedSchedule extends StoredSchedule {
  readonly ticks: readonly {
    readonly due_at: string;
    readonly execution_id: string | null;
    readonly reason: string | null;
  }[];
}

/** A page of schedules, newest first. */
export async function listSchedules(
  pool: Pool,
  tenant: Tenant,
  filter: { readonly linkedAccountId?: string | undefined; readonly isByApi?: boolean },
  page: { readonly page: number; readonly limit: number },
): Promise<{ rows: ListedSchedule[]; total: number }> {
  const where = `s.org_id = $1 and s.environment = $2 and ($3::text is null or s.linked_account_id = $3)
    and ($4::boolean is null or s.is_by_api = $4)`;
  const values = [tenant.orgId, tenant.environment, filter.linkedAccountId ?? null, filter.isByApi ?? null];
  const [{ rows }, { rows: counted }] = await Promise.all([
    pool.query<ListedSchedule>(
      `select ${columns}, coalesce((select json_agg(t) from (
           select due_at, execution_id, reason from schedule_tick t where t.schedule_id = s.id
           order by t.due_at desc limit 10) t), '[]') as ticks
       from schedule s ${joins} where ${where} order by s.id desc limit $5 offset $6`,
      [...values, page.limit, (page.page - 1) * page.limit],
    ),
    pool.query<{ total: number }>(`select count(*) as total from schedule s where ${where}`, values),
  ]);
  return { rows, total: counted[0]!.total };
}

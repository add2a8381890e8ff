import type { Pool, PoolClient } from 'pg';
import type { HumanTaskMail, HumanTaskStatus } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** The node that a task belongs to. */
export interface HumanTaskPlace {
  readonly executionId: string;
  readonly nodeId: string;
  readonly batch: string;
}

export interface HumanTaskRow {
  readonly id: string;
  readonly org_id: string;
  readonly environment: Tenant['environment'];
  readonly execution_id: string;
  readonly node_id: string;
  readonly batch: string;
  readonly title: string;
  readonly receivers: string[];
  readonly status: HumanTaskStatus;
  readonly mail: HumanTaskMail;
  readonly form_sealed: Buffer;
  readonly answer_sealed: Buffer | null;
  readonly mail_sealed: Buffer | null;
  readonly resent_count: number;
  readonly due_at: Date;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const columns = `t.id, t.org_id, t.environment, t.execution_id, t.node_id, t.batch, t.title, t.receivers, t.status,
  t.mail, t.form_sealed, t.answer_sealed, t.mail_sealed, t.resent_count, t.due_at, t.created_at, t.updated_at`;
const isAtPlace = `t.org_id = $1 and t.environment = $2 and t.execution_id = $3 and t.node_id = $4 and t.batch = $5`;
const placeValues = ({ orgId, environment }: Tenant, place: HumanTaskPlace): string[] => [
  orgId,
  environment,
  place.executionId,
  place.nodeId,
  place.batch,
];

export async function findHumanTask(
  pool: Pool,
  tenant: Tenant,
  place: HumanTaskPlace,
): Promise<HumanTaskRow | undefined> {
  const { rows } = await pool.query<HumanTaskRow>(
    `select ${columns} from human_task t where ${isAtPlace}`,
    placeValues(tenant, place),
  );
  return rows[0];
}

/** Writes a task, unless its node has one. */
export async function insertHumanTask(
  pool: Pool,
  tenant: Tenant,
  place: HumanTaskPlace,
  task: {
    readonly id: string;
    readonly tokenHash: Buffer;
    readonly title: string;
    readonly receivers: readonly string[];
    readonly formSealed: Buffer;
    readonly mailSealed: Buffer;
    readonly dueAt: Date;
    readonly at: Date;
  },
): Promise<void> {
  await pool.query(
    `insert into human_task (org_id, environment, execution_id, node_id, batch, id, token_hash, title, receivers,
       form_sealed, mail_sealed, due_at, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
     on conflict (execution_id, node_id, batch) do nothing`,
    [
      ...placeValues(tenant, place),
      task.id,
      task.tokenHash,
      task.title,
      task.receivers,
      task.formSealed,
      task.mailSealed,
      task.dueAt,
      task.at,
    ],
  );
}

/** Moves what is known of a task's mail, if it still is `from`. */
export async function moveHumanTaskMail(
  pool: Pool,
  tenant: Tenant,
  id: string,
  from: HumanTaskMail,
  to: HumanTaskMail,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update human_task set mail = $5 where org_id = $1 and environment = $2 and id = $3 and mail = $4`,
    [tenant.orgId, tenant.environment, id, from, to],
  );
  return rowCount === 1;
}

/** A task by its own id, while its execution lives. */
export async function findLivingHumanTask(
  pool: Pool,
  tenant: Tenant,
  id: string,
): Promise<HumanTaskRow | undefined> {
  const { rows } = await pool.query<HumanTaskRow>(
    `select ${columns} from human_task t
     where t.org_id = $1 and t.environment = $2 and t.id = $3 and exists (
       select from execution e where e.id = t.execution_id and e.finished_at is null and e.stop_requested_at is null)`,
    [tenant.orgId, tenant.environment, id],
  );
  return rows[0];
}

/**
 * Counts that a task is mailed once more. Of two who ask at once one does.
 *
 * @returns the number of this mail; undefined: somebody else was faster
 */
export async function countResentHumanTask(
  pool: Pool,
  tenant: Tenant,
  { id, resent_count: before }: Pick<HumanTaskRow, 'id' | 'resent_count'>,
): Promise<number | undefined> {
  const { rowCount } = await pool.query(
    `update human_task set resent_count = resent_count + 1
     where org_id = $1 and environment = $2 and id = $3 and resent_count = $4`,
    [tenant.orgId, tenant.environment, id, before],
  );
  return rowCount === 1 ? before + 1 : undefined;
}

/** The time of a task is over, unless it was sent in before. */
export async function expireHumanTask(
  pool: Pool,
  tenant: Tenant,
  place: HumanTaskPlace,
  now: Date,
): Promise<void> {
  await pool.query(
    `update human_task t set status = 'TIMEOUT', updated_at = $6 where ${isAtPlace} and t.status = 'WAITING'`,
    [...placeValues(tenant, place), now],
  );
}

/**
 * A task by its token, which is its credential. One of an execution that ends or has ended is not found, unless it
 * was settled before.
 *
 * @param lock - holds it until the end of the transaction
 */
export async function findHumanTaskByToken(
  client: Pool | PoolClient,
  tokenHash: Buffer,
  lock = false,
): Promise<HumanTaskRow | undefined> {
  const { rows } = await client.query<HumanTaskRow>(
    `select ${columns} from human_task t where t.token_hash = $1 and (t.status <> 'WAITING' or exists (
       select from execution e where e.id = t.execution_id and e.finished_at is null and e.stop_requested_at is null))
     ${lock ? 'for update of t' : ''}`,
    [tokenHash],
  );
  return rows[0];
}

/**
 * Stores the answer to a locked task and wakes its node.
 *
 * @returns false when the node goes on already because its time is over
 */
export async function answerHumanTask(
  client: PoolClient,
  task: HumanTaskRow,
  answerSealed: Buffer,
  now: Date,
): Promise<boolean> {
  const { rows } = await client.query<{ is_awake: boolean }>(
    `select exists (select from wait w
       where w.execution_id = $1 and w.node_id = $2 and w.batch = $3 and w.woken_by = 'due') as is_awake`,
    [task.execution_id, task.node_id, task.batch],
  );
  if (rows[0]!.is_awake) return false;
  await client.query(
    `update human_task set status = 'SUBMITTED', answer_sealed = $2, updated_at = $3 where id = $1`,
    [task.id, answerSealed, now],
  );
  // None: the node has not begun to wait, and finds the answer when it does.
  await client.query(
    `update wait set woken_by = 'token', wake_at = '-infinity'
     where execution_id = $1 and node_id = $2 and batch = $3 and reason = 'human_task' and woken_by is null`,
    [task.execution_id, task.node_id, task.batch],
  );
  return true;
}

/** A task as the list shows it; `CANCELLED`: its execution ended, or its mail was refused, before anybody answered. */
export interface HumanTaskListed {
  readonly id: string;
  readonly title: string;
  readonly status: HumanTaskStatus | 'CANCELLED';
  readonly mail: HumanTaskMail;
  readonly receivers: string[];
  readonly execution_id: string;
  readonly node_id: string;
  readonly batch: string;
  readonly workflow_id: string | null;
  readonly workflow_name: string | null;
  readonly due_at: Date;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Tasks of a tenant, newest first. */
export async function listHumanTasks(
  pool: Pool,
  tenant: Tenant,
  filter: {
    readonly status?: HumanTaskListed['status'] | undefined;
    readonly workflowId?: string | undefined;
    readonly before?: string | undefined;
  },
  now: Date,
  limit: number,
): Promise<HumanTaskListed[]> {
  const { rows } = await pool.query<HumanTaskListed>(
    `select * from (
       select t.id, t.title, t.mail, t.receivers, t.execution_id, t.node_id, t.batch, e.workflow_id,
         w.name as workflow_name, t.due_at, t.created_at, t.updated_at,
         case when t.status <> 'WAITING' then t.status
           when e.id is null or e.finished_at is not null or e.stop_requested_at is not null or t.mail = 'failed'
             then 'CANCELLED'
           when t.due_at <= $3 then 'TIMEOUT' else 'WAITING' end as status
       from human_task t
       left join execution e on e.id = t.execution_id
       left join workflow w on w.id = e.workflow_id and w.org_id = t.org_id and w.environment = t.environment
       where t.org_id = $1 and t.environment = $2 and ($4::text is null or t.id < $4)
         and ($5::text is null or e.workflow_id = $5)
     ) listed
     where $6::text is null or status = $6
     order by id desc limit $7`,
    [
      tenant.orgId,
      tenant.environment,
      now,
      filter.before ?? null,
      filter.workflowId ?? null,
      filter.status ?? null,
      limit,
    ],
  );
  return rows;
}

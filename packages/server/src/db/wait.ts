import type { Pool, PoolClient } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import type { WaitReason, WokenBy } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** A node that suspends. */
export interface NewWait {
  readonly id: string;
  readonly tenant: Tenant;
  readonly executionId: string;
  readonly nodeId: string;
  readonly batch: string;
  readonly attempt: number;
  readonly reason: WaitReason;
  readonly dueAt: Date;
  readonly tokenHash: Buffer | undefined;
  readonly childExecutionId: string | undefined;
  readonly state: unknown;
  readonly at: Date;
}

/** A wait as its run takes it up again. */
export interface StoredWait {
  readonly id: string;
  readonly execution_id: string;
  readonly node_id: string;
  readonly batch: string;
  readonly attempt: number;
  readonly reason: WaitReason;
  readonly state: unknown;
  readonly woken_by: WokenBy | null;
  readonly payload_sealed: Buffer | null;
  readonly child_execution_id: string | null;
  readonly created_at: Date;
}

// The share lock holds a child that is about to end until its end can see this row; one that has ended is seen here.
const insert = `with fence as materialized (
    select id from worker where id = $1 and is_alive for key share
  ), child as materialized (
    select id, finished_at from execution where id = any(array_remove($11::text[], null)) order by id for share
  ), written as (
    insert into wait (id, org_id, environment, execution_id, node_id, batch, attempt, reason, due_at, token_hash,
      child_execution_id, state, created_at, woken_by, wake_at)
    select u.id, u.org_id, u.environment, u.execution_id, u.node_id, u.batch, u.attempt, u.reason, u.due_at, u.token_hash,
      u.child_execution_id, u.state, u.created_at, case when child.finished_at is not null then 'child' end,
      case when child.finished_at is not null then '-infinity' else u.due_at end
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::smallint[], $9::text[],
      $10::timestamptz[], $12::bytea[], $11::text[], $13::json[], $14::timestamptz[])
      as u(id, org_id, environment, execution_id, node_id, batch, attempt, reason, due_at, token_hash,
        child_execution_id, state, created_at)
    left join child on child.id = u.child_execution_id
    where exists (select from fence)
    on conflict (execution_id, node_id, batch) do update set id = excluded.id, attempt = excluded.attempt,
      reason = excluded.reason, due_at = excluded.due_at, token_hash = excluded.token_hash,
      child_execution_id = excluded.child_execution_id, state = excluded.state, created_at = excluded.created_at,
      woken_by = excluded.woken_by, payload_sealed = null, wake_at = excluded.wake_at
      -- sent again after a lost connection, it is there already and may have been woken
      where wait.id <> excluded.id
  )
  select count(*) = 1 as is_alive from fence`;

/**
 * Writes waits of one worker's runs, under a key-share lock on the worker's live row. From the commit on each can be
 * woken. Sending the same ones twice is harmless.
 *
 * @returns false when the worker was declared dead: nothing was written
 */
export async function insertWaits(pool: Pool, workerId: string, waits: readonly NewWait[]): Promise<boolean> {
  const { rows } = await pool.query<{ is_alive: boolean }>({
    name: 'inlay-wait',
    text: insert,
    values: [
      workerId,
      waits.map((wait) => wait.id),
      waits.map((wait) => wait.tenant.orgId),
      waits.map((wait) => wait.tenant.environment),
      waits.map((wait) => wait.executionId),
      waits.map((wait) => wait.nodeId),
      waits.map((wait) => wait.batch),
      waits.map((wait) => wait.attempt),
      waits.map((wait) => wait.reason),
      waits.map((wait) => wait.dueAt),
      waits.map((wait) => wait.childExecutionId ?? null),
      waits.map((wait) => wait.tokenHash ?? null),
      waits.map((wait) => JSON.stringify(wait.state ?? null)),
      waits.map((wait) => wait.at),
    ],
  });
  return rows[0]!.is_alive;
}

const columns = `w.id, w.execution_id, w.node_id, w.batch, w.attempt, w.reason, w.state, w.woken_by, w.payload_sealed,
  w.child_execution_id, w.created_at`;

/** The waits of executions, by execution. */
export async function loadWaits(
  pool: Pool,
  executionIds: readonly string[],
): Promise<Map<string, StoredWait[]>> {
  const { rows } = await pool.query<StoredWait>({
    name: 'inlay-waits',
    text: `select ${columns} from wait w where w.execution_id = any($1::text[])`,
    values: [executionIds],
  });
  return Map.groupBy(rows, (row) => row.execution_id);
}

/**
 * Suspends one run: it loses its owner until a wait of it is woken. The waits that it has consumed are forgotten.
 *
 * @returns false when it is to stop, or is not this worker's any longer
 */
export async function suspendExecution(
  client: PoolClient,
  of: { workerId: string; executionId: string; consumed: readonly string[]; at: Date },
): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'inlay-suspend',
    text: `update execution set state = 'waiting', owner = null, suspended_at = $3
      where id = $2 and owner = $1 and stop_requested_at is null`,
    values: [of.workerId, of.executionId, of.at],
  });
  if (rowCount !== 1) return false;
  if (of.consumed.length > 0)
    await client.query('delete from wait where id = any($1::text[])', [of.consumed]);
  return true;
}

/** Forgets the waits of an execution that has ended. */
export async function deleteWaits(client: Pool | PoolClient, executionId: string): Promise<void> {
  await client.query('delete from wait where execution_id = $1', [executionId]);
}

/** Forgets these waits: what they belong to has ended, and whoever has their token finds nobody. */
export async function deleteWaitsById(client: Pool | PoolClient, ids: readonly string[]): Promise<void> {
  await client.query('delete from wait where id = any($1::text[])', [ids]);
}

/** The sub-flows whose end an execution waits for, and nobody else: a retry of it may have taken one over. */
export async function childrenAwaited(client: Pool | PoolClient, executionId: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `select w.child_execution_id as id from wait w
     where w.execution_id = $1 and w.child_execution_id is not null and w.woken_by is distinct from 'child'
       and not exists (select from child_execution c join execution p on p.id = c.parent_execution_id
         where c.child_execution_id = w.child_execution_id and c.parent_execution_id <> $1 and c.is_awaited
           and p.finished_at is null)`,
    [executionId],
  );
  return rows.map(({ id }) => id);
}

/** Ended executions that still wait for a sub-flow: their worker was lost before it could stop that. */
export async function endedParents(pool: Pool, limit: number): Promise<{ id: string; tenant: Tenant }[]> {
  const { rows } = await pool.query<{ id: string; org_id: string; environment: Tenant['environment'] }>(
    `select distinct e.id, e.org_id, e.environment from wait w join execution e on e.id = w.execution_id
     where w.child_execution_id is not null and e.finished_at is not null limit $1`,
    [limit],
  );
  return rows.map((row) => ({ id: row.id, tenant: { orgId: row.org_id, environment: row.environment } }));
}

/**
 * Wakes the wait with a token, unless something else woke it before or its execution has ended.
 *
 * @param seal - what came with the token, sealed for the wait
 * @returns whose it was; undefined: nobody waits for this token (any longer)
 */
export async function wakeByToken(
  pool: Pool | PoolClient,
  tokenHash: Buffer,
  seal: (waitId: string) => Buffer,
  now: Date,
): Promise<{ executionId: string; tenant: Tenant } | undefined> {
  const { rows: found } = await pool.query<{ id: string }>(
    'select id from wait where token_hash = $1 and woken_by is null',
    [tokenHash],
  );
  if (found[0] === undefined) return undefined;
  const { rows } = await pool.query<{
    execution_id: string;
    org_id: string;
    environment: Tenant['environment'];
  }>(
    `update wait w set woken_by = 'token', payload_sealed = $2, wake_at = '-infinity'
     from execution e
     where w.id = $4 and w.token_hash = $1 and w.woken_by is null and w.due_at > $3
       and e.id = w.execution_id and e.finished_at is null and e.stop_requested_at is null
     returning w.execution_id, w.org_id, w.environment`,
    [tokenHash, seal(found[0].id), now, found[0].id],
  );
  const row = rows[0];
  return (
    row && { executionId: row.execution_id, tenant: { orgId: row.org_id, environment: row.environment } }
  );
}

/** Says of the waits whose time has come that it has. Skips what others hold, so it waits for nobody. */
export async function wakeDue(pool: Pool, now: Date, limit: number): Promise<number> {
  const { rowCount } = await pool.query({
    name: 'inlay-wake-due',
    text: `update wait set woken_by = 'due'
      where id in (select id from wait where wake_at <= $1 and woken_by is null
        order by wake_at limit $2 for update skip locked)`,
    values: [now, limit],
  });
  return rowCount ?? 0;
}

/**
 * Queues suspended executions that have a woken wait; the caller adds their jobs in the same transaction. What they
 * were suspended for is added to their deadline.
 */
export async function queueWoken(
  client: PoolClient,
  now: Date,
  limit: number,
): Promise<{ id: string; linked_account_id: string }[]> {
  const { rows } = await client.query<{ id: string; linked_account_id: string }>({
    name: 'inlay-queue-woken',
    text: `with woken as materialized (
        select e.id from wait w join execution e on e.id = w.execution_id and e.state = 'waiting'
        where w.wake_at <= $1 and w.woken_by is not null
        order by w.wake_at limit $2 for update of e skip locked
      )
      update execution e set state = 'queued', suspended_at = null,
        deadline_at = deadline_at + greatest($1 - suspended_at, interval '0')
      from woken where e.id = woken.id
      returning e.id, e.linked_account_id`,
    values: [now, limit],
  });
  if (rows.length === 0) return rows;
  await client.query(
    'update wait set wake_at = null where woken_by is not null and execution_id = any($1::text[])',
    [rows.map((row) => row.id)],
  );
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Woken waits of runs that a worker has in memory, because other branches of them go on. */
export async function wokenOf(pool: Pool, workerId: string, now: Date): Promise<StoredWait[]> {
  const { rows } = await pool.query<StoredWait>({
    name: 'inlay-woken-of',
    text: `select ${columns} from wait w join execution e on e.id = w.execution_id
      where e.owner = $1 and w.wake_at <= $2 and w.woken_by is not null`,
    values: [workerId, now],
  });
  return rows;
}

/** Notes that runs in memory have been told of these. */
export async function markTold(pool: Pool, ids: readonly string[]): Promise<void> {
  await pool.query('update wait set wake_at = null where id = any($1::text[])', [ids]);
}

/** Whether the waker has anything to look at: one probe of the index, most of the time an empty one. */
export async function hasWoken(pool: Pool, now: Date): Promise<boolean> {
  const { rows } = await pool.query<{ is_any: boolean }>({
    name: 'inlay-has-woken',
    text: 'select exists (select from wait where wake_at <= $1) as is_any',
    values: [now],
  });
  return rows[0]!.is_any;
}

/** A call that came before its node waited, and a wait that it may be for. */
export interface MetArrival {
  readonly id: string;
  readonly waitId: string;
  /** What the node keeps: the headers that a call must bring. */
  readonly state: unknown;
  readonly sealed: Buffer;
}

const metBy = `wait w where w.execution_id = a.execution_id and w.node_id = a.node_id and w.reason = 'webhook'
  and w.woken_by is null and (a.batch is null or a.batch = w.batch)`;

/**
 * Brings calls that came too early to the nodes that have begun to wait for them: to each the first that is valid.
 *
 * @param reseal - the payload, sealed for the wait; undefined: the call is not valid there, and is dropped
 */
export async function applyArrivals(
  pool: Pool,
  reseal: (arrival: MetArrival) => Buffer | undefined,
): Promise<void> {
  const { rows } = await pool.query<{ is_any: boolean }>({
    name: 'inlay-arrivals',
    text: `select exists (select from wait_arrival a where exists (select from ${metBy})) as is_any`,
  });
  if (!rows[0]!.is_any) return;
  await clientTransaction(pool, async (client) => {
    const { rows: met } = await client.query<MetArrival>(
      `select a.id, w.id as "waitId", w.state, a.payload_sealed as sealed
       from wait_arrival a, ${metBy} order by a.id for update of a skip locked`,
    );
    const woken = new Map<string, Buffer>();
    const over = new Set<string>();
    for (const arrival of met) {
      if (over.has(arrival.id) || woken.has(arrival.waitId)) continue;
      const sealed = reseal(arrival);
      if (sealed !== undefined) woken.set(arrival.waitId, sealed);
      over.add(arrival.id);
    }
    await client.query('delete from wait_arrival where id = any($1::text[])', [[...over]]);
    await client.query(
      `update wait w set woken_by = 'token', payload_sealed = u.sealed, wake_at = '-infinity'
       from unnest($1::text[], $2::bytea[]) as u(id, sealed) where w.id = u.id and w.woken_by is null`,
      [[...woken.keys()], [...woken.values()]],
    );
  });
}

/** Forgets woken waits, and calls that came early, whose execution has ended or is gone. */
export async function deleteWaitsOfEnded(pool: Pool, now: Date): Promise<void> {
  await pool.query(
    `delete from wait_arrival a where not exists (
       select from execution e where e.id = a.execution_id and e.finished_at is null)`,
  );
  await pool.query(
    `delete from wait w where w.wake_at <= $1 and (w.child_execution_id is null or w.woken_by = 'child')
       and not exists (select from execution e where e.id = w.execution_id and e.finished_at is null)`,
    [now],
  );
}

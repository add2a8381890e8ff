import type { Pool, PoolClient } from 'pg';

// The queue's rows are made from the executions themselves, so the two cannot tell different stories. One that kept
// its place in its workflow's limit while it was suspended comes back through the account's own line: it needs no
// place, and whoever waits for one must not stand before it.
const enqueue = `insert into queue (line, execution_id, org_id, environment, linked_account_id, concurrency_key,
    concurrency_limit, concurrency_overflow, bytes)
  select linked_account_id || coalesce('/' || key, ''), id, org_id, environment, linked_account_id, key,
    case when key is not null then concurrency_limit end, case when key is not null then concurrency_overflow end,
    payload_bytes
  from (
    select *, case when not (holds_while_waiting and started_at is not null) then concurrency_key end as key
    from execution where id = any($1::text[]) and id between $2 and $3 and finished_at is null
  ) e
  on conflict do nothing`;

/** Queues executions in the caller's transaction; one that is queued already stays where it stands. */
export async function insertQueued(
  client: Pool | PoolClient,
  executionIds: readonly string[],
): Promise<void> {
  if (executionIds.length === 0) return;
  const ordered = [...executionIds].sort();
  await client.query({
    name: 'inlay-enqueue',
    text: enqueue,
    values: [ordered, ordered[0], ordered.at(-1)],
  });
}

/** Queues an execution that nobody gets before `dueAt`. */
export async function insertDelayed(client: PoolClient, executionId: string, dueAt: Date): Promise<void> {
  await client.query(
    `insert into queue_delayed (execution_id, org_id, environment, due_at)
     select id, org_id, environment, $2 from execution where id = $1
     on conflict (execution_id) do update set due_at = excluded.due_at`,
    [executionId, dueAt],
  );
}

/** Moves up to `limit` delayed executions whose time has come, by the database's clock, into the queue. */
export async function queueDue(client: PoolClient, limit: number): Promise<number> {
  const { rows } = await client.query<{ execution_id: string }>({
    name: 'inlay-due',
    text: `delete from queue_delayed where execution_id in (
        select execution_id from queue_delayed where due_at <= clock_timestamp()
        order by due_at limit $1 for update skip locked)
      returning execution_id`,
    values: [limit],
  });
  await insertQueued(
    client,
    rows.map((row) => row.execution_id),
  );
  return rows.length;
}

/**
 * For the rest of the transaction lines are read along the key and in no other way. The queue swings between nothing
 * and a million rows faster than statistics follow: left to itself the planner takes a line of 40,000 for a short one,
 * reads it whole and sorts it, for each claim (350 ms instead of 3).
 */
export async function readAlongTheKey(client: PoolClient): Promise<void> {
  await client.query(
    'set local enable_bitmapscan = off; set local enable_seqscan = off; set local enable_sort = off',
  );
}

/** A line with somebody in it, and what bounds it. */
export interface QueueLine {
  readonly line: string;
  readonly linked_account_id: string;
  readonly concurrency_key: string | null;
  readonly concurrency_limit: number | null;
  readonly concurrency_overflow: 'queue' | 'drop' | 'replace' | null;
  /** Executions of the account that may run at the same time. */
  readonly running_limit: number | null;
  /** False: another worker is counting for the same limit in this very moment. */
  readonly is_ours: boolean;
}

// A loose index scan: each step leaps to the first row of the next line, at the end once more from the front up to
// where it began. `limit` takes the second half only where the first found nothing.
const lines = `with recursive line as (
    (select q.*, case when q.line > $1 then 0 else 1 end as lap, 1 as n from (
       (select * from queue where line > $1 order by line, execution_id limit 1)
       union all
       (select * from queue where line <= $1 order by line, execution_id limit 1)
       limit 1) q)
    union all
    select next.* from line cross join lateral (
      (select q.*, line.lap, line.n + 1 from queue q
       where q.line > line.line and (line.lap = 0 or q.line <= $1) order by q.line, q.execution_id limit 1)
      union all
      (select q.*, 1, line.n + 1 from queue q
       where line.lap = 0 and q.line <= $1 order by q.line, q.execution_id limit 1)
      limit 1) next
    where line.n < $2
  )
  select l.line, l.linked_account_id, l.concurrency_key, l.concurrency_limit, l.concurrency_overflow,
    coalesce(a.running_limit, e.running_limit) as running_limit,
    (coalesce(a.running_limit, e.running_limit) is null
      or pg_try_advisory_xact_lock($3, hashtext('account ' || l.linked_account_id)))
    and (l.concurrency_key is null or pg_try_advisory_xact_lock($3, hashtext(l.concurrency_key))) as is_ours
  from line l
  left join linked_account a on a.id = l.linked_account_id
  left join environment_limit e on e.org_id = l.org_id and e.environment = l.environment
  order by l.n`;

/** Any number that nothing else uses as the class of an advisory lock. */
const limitLocks = 734_881_222;

/**
 * Up to `most` lines in the order of their turns, beginning after the line `after`. Whoever may count for a limit
 * holds its lock until the transaction ends: nobody waits for it, the others pass the line by.
 */
export async function readLines(client: PoolClient, after: string, most: number): Promise<QueueLine[]> {
  const { rows } = await client.query<QueueLine>({
    name: 'inlay-lines',
    text: lines,
    values: [after, most, limitLocks],
  });
  return rows;
}

/** How many executions run for each of these accounts and concurrency keys, counted from the executions themselves. */
export async function countRunning(
  client: PoolClient,
  accountIds: readonly string[],
  keys: readonly string[],
): Promise<{ accounts: ReadonlyMap<string, number>; keys: ReadonlyMap<string, number> }> {
  const { rows } = await client.query<{ is_account: boolean; name: string; running: number }>({
    name: 'inlay-running',
    text: `select true as is_account, a.id as name, (
          select count(*)::int from execution e where e.org_id = a.org_id and e.environment = a.environment
            and e.linked_account_id = a.id and e.state = 'running') as running
        from linked_account a where a.id = any($1::text[])
      union all
      select false, k.name, (
          select count(*)::int from execution e
          where e.concurrency_key = k.name and e.finished_at is null
            and (e.state = 'running' or (e.holds_while_waiting and e.started_at is not null)))
        from unnest($2::text[]) as k(name)`,
    values: [accountIds, keys],
  });
  const of = (isAccount: boolean) =>
    new Map(rows.filter((row) => row.is_account === isAccount).map((row) => [row.name, row.running]));
  return { accounts: of(true), keys: of(false) };
}

/** From each line its oldest: the first of every line before the second of any. */
const take = `with pick as (
    select q.line, q.execution_id, q.bytes, w.turn,
      row_number() over (partition by q.line order by q.execution_id) as nth
    from unnest($1::text[], $2::int[]) with ordinality as w(line, room, turn)
    cross join lateral (
      select * from queue q where q.line = w.line order by q.execution_id limit w.room for update skip locked) q
  ), chosen as (
    select *, sum(bytes) over (order by nth, turn) - bytes as bytes_before from pick order by nth, turn limit $3
  )
  delete from queue q using chosen c
  where q.line = c.line and q.execution_id = c.execution_id and (c.bytes_before < $4 or c.bytes_before = 0)
  returning q.execution_id, q.line, q.bytes, c.turn::int`;

export interface TakenJob {
  readonly execution_id: string;
  readonly line: string;
  readonly bytes: number;
  readonly turn: number;
}

/** Takes up to `most` executions, and no more than about `mostBytes` of payload, from lines with room for them. */
export async function takeQueued(
  client: PoolClient,
  lines: readonly { readonly line: string; readonly room: number }[],
  most: number,
  mostBytes: number,
): Promise<TakenJob[]> {
  const { rows } = await client.query<TakenJob>({
    name: 'inlay-take',
    text: take,
    values: [lines.map(({ line }) => line), lines.map(({ room }) => room), most, mostBytes],
  });
  return rows;
}

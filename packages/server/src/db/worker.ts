import type { Pool, PoolClient } from 'pg';

/** Who a worker is, for its operator. */
export interface WorkerFacts {
  readonly role: string;
  readonly host: string;
  readonly pid: number;
  /** Executions that it runs at the same time; 0: it claims none. */
  readonly slots: number;
}

/** Enters a worker as alive. */
export async function insertWorker(pool: Pool, id: string, facts?: WorkerFacts): Promise<void> {
  await pool.query('insert into worker (id, role, host, pid, slots) values ($1, $2, $3, $4, $5)', [
    id,
    facts?.role ?? 'all',
    facts?.host ?? '',
    facts?.pid ?? 0,
    facts?.slots ?? 0,
  ]);
}

/**
 * Declares workers dead whose heartbeat is older than `silentMs`, by the database's clock. `for update` waits for
 * the flushes that hold their row, and a heartbeat that came meanwhile saves them. A server that has just started
 * was the silent one itself: for twice that time it declares nobody dead.
 */
export async function declareSilentWorkersDead(client: PoolClient, silentMs: number): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `with silent as (
       select id from worker
       where is_alive and heartbeat_at < clock_timestamp() - $1 * interval '1 millisecond'
         and pg_postmaster_start_time() < clock_timestamp() - 2 * $1 * interval '1 millisecond'
       order by id for update
     )
     update worker w set is_alive = false from silent where w.id = silent.id returning w.id`,
    [silentMs],
  );
  return rows.map(({ id }) => id);
}

/** The same for one worker, by its own wish: it is shutting down. */
export async function retireWorker(client: PoolClient, id: string): Promise<void> {
  await client.query('select from worker where id = $1 for update', [id]);
  await client.query('update worker set is_alive = false, is_retired = true where id = $1', [id]);
}

export interface FreedRun {
  readonly id: string;
  readonly linked_account_id: string;
  /** How many workers were lost while they ran it. */
  readonly lost_count: number;
  /** False: it was lost too often and has ended as errored. */
  readonly is_queued: boolean;
}

/**
 * Takes every run from dead workers and queues it again, in the order they were made. What was lost `mostLosses`
 * times ends as errored instead: it may be what kills its workers. A worker that retired by its own wish is no loss.
 */
export async function freeRunsOfDeadWorkers(
  client: PoolClient,
  limit: number,
  mostLosses: number,
): Promise<FreedRun[]> {
  const { rows } = await client.query<FreedRun>(
    // From the few dead workers to their runs: the other way round reads every execution where there are no statistics.
    `with orphan as (
       select e.id, e.lost_count + (not w.is_retired)::int as losses
       from (select id, is_retired from worker where not is_alive order by id) w
       cross join lateral (
         select id, lost_count from execution where owner = w.id limit $1 for update skip locked) e
       limit $1
     )
     update execution e set owner = null, lost_count = losses,
       state = case when losses < $2 then 'queued' else 'errored' end,
       finished_at = case when losses < $2 then null else now() end,
       error_text = case when losses < $2 then error_text else
         'The process that ran this execution was lost ' || losses || ' times, so it is not tried again. ' ||
         'If nothing else killed those processes, the execution did: look at the memory that its nodes need.' end
     from orphan where e.id = orphan.id
     returning e.id, e.linked_account_id, e.lost_count, e.state = 'queued' as is_queued`,
    [limit, mostLosses],
  );
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Holds the worker's row for the rest of the transaction. False: it was declared dead. */
export async function lockLiveWorker(client: PoolClient, id: string): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'inlay-fence',
    text: 'select from worker where id = $1 and is_alive for key share',
    values: [id],
  });
  return rowCount === 1;
}

/** What the database says a worker runs, which of it somebody asked to stop, and whose time is up by its clock. */
export async function runsOf(
  pool: Pool,
  workerId: string,
): Promise<{ id: string; is_stop_asked: boolean; is_overdue: boolean }[]> {
  const { rows } = await pool.query<{ id: string; is_stop_asked: boolean; is_overdue: boolean }>({
    name: 'inlay-runs-of',
    text: `select id, stop_requested_at is not null as is_stop_asked, deadline_at <= clock_timestamp() as is_overdue
      from execution where owner = $1`,
    values: [workerId],
  });
  return rows;
}

/** Forgets workers that died long ago. */
export async function deleteOldWorkers(pool: Pool): Promise<void> {
  await pool.query(
    `delete from worker w where not is_alive and heartbeat_at < now() - interval '1 day'
       and not exists (select from execution e where e.owner = w.id)`,
  );
}

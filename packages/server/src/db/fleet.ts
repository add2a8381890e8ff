import type { Pool } from 'pg';

/** Everything that runs and waits, for the operator: over all tenants, without any of their data. */
export interface Fleet {
  readonly workers: readonly {
    readonly id: string;
    readonly role: string;
    readonly host: string;
    readonly pid: number;
    /** Executions that it runs at the same time at most; 0: it claims none. */
    readonly slots: number;
    readonly running: number;
    readonly age_s: number;
    /** Since its last heartbeat; above 3 its runs are about to be taken over. */
    readonly silent_s: number;
  }[];
  readonly queue: {
    readonly depth: number;
    /** How long the one that waits longest has waited. */
    readonly oldest_s: number | null;
    /** Held until a time: retries of what was lost with its worker. */
    readonly delayed: number;
    /** The accounts with most in the queue. */
    readonly accounts: readonly {
      readonly account_id: string | null;
      readonly org_id: string;
      readonly environment: string;
      readonly depth: number;
      readonly oldest_s: number;
    }[];
  };
}

const mostAccounts = 10;

export async function readFleet(pool: Pool): Promise<Fleet> {
  const [workers, queue, delayed, accounts] = await Promise.all([
    pool.query<Fleet['workers'][number]>(
      `select w.id, w.role, w.host, w.pid, w.slots,
         (select count(*)::int from execution e where e.owner = w.id) as running,
         extract(epoch from clock_timestamp() - w.started_at)::int as age_s,
         round(extract(epoch from clock_timestamp() - w.heartbeat_at), 1)::float as silent_s
       from worker w where w.is_alive order by w.started_at`,
    ),
    pool.query<{ depth: number; oldest_s: number | null }>(
      `select count(*)::int as depth, extract(epoch from clock_timestamp() - min(queued_at))::int as oldest_s from queue`,
    ),
    pool.query<{ delayed: number }>('select count(*)::int as delayed from queue_delayed'),
    pool.query<Fleet['queue']['accounts'][number]>(
      `select a.account_id, q.org_id, q.environment, q.depth, q.oldest_s from (
         select linked_account_id, org_id, environment, count(*)::int as depth,
           extract(epoch from clock_timestamp() - min(queued_at))::int as oldest_s
         from queue group by 1, 2, 3 order by depth desc limit $1) q
       left join linked_account a on a.id = q.linked_account_id
       order by q.depth desc`,
      [mostAccounts],
    ),
  ]);
  return {
    workers: workers.rows,
    queue: { ...queue.rows[0]!, ...delayed.rows[0]!, accounts: accounts.rows },
  };
}

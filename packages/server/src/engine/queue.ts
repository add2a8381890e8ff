import type { Pool, PoolClient } from 'pg';
import { PgBoss } from 'pg-boss';

/**
 * The queue of executions that wait for a worker: pg-boss behind the few functions that the engine needs.
 *
 * A job is only the token of a waiting execution. It is taken, the execution gets its owner, and the job is deleted
 * in one transaction; from then on the lease on the execution says who runs it. So no job is ever left half done,
 * pg-boss needs no supervision, and nothing but queued work is in its tables.
 */
export interface Queue {
  /** Adds jobs in the caller's transaction. */
  enqueue(client: PoolClient, jobs: readonly QueuedJob[]): Promise<void>;
  /** Adds a job that nobody gets before `due`. */
  delay(client: PoolClient, job: QueuedJob, due: Date): Promise<void>;
  /** Takes up to `limit` jobs that no other transaction holds, oldest first. */
  claim(client: PoolClient, limit: number): Promise<ClaimedJob[]>;
  /** Removes claimed jobs; in the transaction that claimed them. */
  complete(client: PoolClient, jobs: readonly ClaimedJob[]): Promise<void>;
  close(): Promise<void>;
}

export interface QueuedJob {
  readonly executionId: string;
  /** The linked account: the unit of fairness. */
  readonly group: string;
}

export interface ClaimedJob {
  readonly jobId: string;
  readonly executionId: string;
}

const queueName = 'executions';

/** Opens the queue and makes its tables when they are missing. */
export async function openQueue(pool: Pool, onError: (error: Error) => void): Promise<Queue> {
  const boss = new PgBoss({
    db: { executeSql: (text, values) => pool.query(text, values as unknown[]) },
    schema: 'inlay_queue',
    supervise: false,
    schedule: false,
  });
  boss.on('error', onError);
  await boss.start();
  await boss.createQueue(queueName, { retryLimit: 0 });
  // pg-boss reads a queue's settings at its first use and keeps them. It would read them on a second connection
  // while the caller's transaction holds one, which never comes once all of the pool do so.
  await boss.findJobs(queueName, { id: '00000000-0000-0000-0000-000000000000' });

  const on = (client: PoolClient) => ({
    db: { executeSql: (text: string, values?: unknown[]) => client.query(text, values) },
  });
  const jobOf = ({ executionId, group }: QueuedJob) => ({ data: { executionId }, group: { id: group } });

  return {
    async enqueue(client, jobs) {
      if (jobs.length > 0) await boss.insert(queueName, jobs.map(jobOf), on(client));
    },
    async delay(client, job, due) {
      await boss.insert(queueName, [{ ...jobOf(job), startAfter: due }], on(client));
    },
    async claim(client, limit) {
      const jobs = await boss.fetch<{ executionId: string }>(queueName, { batchSize: limit, ...on(client) });
      return jobs.map(({ id, data }) => ({ jobId: id, executionId: data.executionId }));
    },
    async complete(client, jobs) {
      if (jobs.length === 0) return;
      await boss.deleteJob(
        queueName,
        jobs.map(({ jobId }) => jobId),
        on(client),
      );
    },
    async close() {
      await boss.stop({ graceful: false, close: false });
    },
  };
}

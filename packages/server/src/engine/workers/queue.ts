import type { PoolClient } from 'pg';
import { dropQueued, expireQueued, replaceRunning } from '#db/queue-overflow';
import {
  countRunning,
  insertDelayed,
  insertQueued,
  queueDue,
  readAlongTheKey,
  readLines,
  takeQueued,
  type QueueLine,
} from '#db/queue';
import { claimRooms, type ClaimRoom } from '#engine/workers/claim-room';

/**
 * The queue of executions that wait for a worker. Linked accounts take turns, and each is served in the order in
 * which its executions began.
 *
 * A row is only the token of a waiting execution. It is taken and the execution gets its owner in one transaction;
 * from then on the lease on the execution says who runs it. So nothing is ever left half done, and nothing but
 * waiting work is in the table.
 */
export interface Queue {
  /** Adds executions in the caller's transaction, after the statement that made them wait. */
  enqueue(client: PoolClient, jobs: readonly QueuedJob[]): Promise<void>;
  /** Adds one that nobody gets before `due`. */
  delay(client: PoolClient, job: QueuedJob, due: Date): Promise<void>;
  /** Makes those available whose time has come. Returns how many. */
  wakeDue(client: PoolClient): Promise<number>;
  /** Takes executions that no other transaction holds, as far as there is room and no limit is reached. */
  claim(client: PoolClient, room: ClaimRoom): Promise<Claim>;
  /** Ends executions that have waited longer than `hours`. Returns how many. */
  reap(client: PoolClient, hours: number): Promise<number>;
}

export interface QueuedJob {
  readonly executionId: string;
}

export interface ClaimedJob {
  readonly executionId: string;
  /** Bytes of JSON that triggered it. */
  readonly bytes: number;
}

export interface Claim {
  readonly jobs: readonly ClaimedJob[];
  /** Somebody waits who may not run yet: for a limit, or because another worker was just looking at it. */
  readonly isHeldBack: boolean;
}

const dueAtOnce = 1_000;

/** Opens the queue for one process. It remembers whose turn it was last and nothing else. */
export function openQueue(): Queue {
  let lastLine = '';

  async function claim(client: PoolClient, room: ClaimRoom): Promise<Claim> {
    await readAlongTheKey(client);
    // Twice as many as there is room for: some may be full.
    const found = await readLines(client, lastLine, Math.max(50, 2 * room.limit));
    if (found.length === 0) return { jobs: [], isHeldBack: false };
    const limited = found.filter((line) => line.is_ours && isLimited(line));
    const running =
      limited.length === 0
        ? { accounts: new Map<string, number>(), keys: new Map<string, number>() }
        : await countRunning(
            client,
            unique(limited.map((line) => line.linked_account_id)),
            unique(limited.flatMap((line) => line.concurrency_key ?? [])),
          );
    const rooms = claimRooms(found, running, room);
    const open = rooms.filter((line) => line.room > 0);
    const taken = open.length === 0 ? [] : await takeQueued(client, open, room.limit, room.bytes);
    for (const line of found) {
      if (line.is_ours && rooms.some((r) => r.line === line.line && r.isFull)) await overflow(client, line);
    }
    const lastTurn = taken.reduce((last, job) => Math.max(last, job.turn), 0);
    // Nobody could take anything of all that was looked at: the next look begins behind it.
    lastLine = (lastTurn === 0 ? found.at(-1) : open[lastTurn - 1])!.line;
    return {
      jobs: taken.map(({ execution_id, bytes }) => ({ executionId: execution_id, bytes })),
      isHeldBack: open.length < found.length || taken.length === 0,
    };
  }

  return {
    enqueue: (client, jobs) =>
      insertQueued(
        client,
        jobs.map((job) => job.executionId),
      ),
    delay: (client, job, due) => insertDelayed(client, job.executionId, due),
    wakeDue: (client) => queueDue(client, dueAtOnce),
    claim,
    async reap(client, hours) {
      await readAlongTheKey(client);
      return expireQueued(client, hours);
    },
  };
}

function isLimited(line: QueueLine): boolean {
  return line.running_limit !== null || line.concurrency_key !== null;
}

/** The limit of a workflow is reached, and its policy is not to wait. */
async function overflow(client: PoolClient, line: QueueLine): Promise<void> {
  const { concurrency_key: key, concurrency_limit: limit } = line;
  if (key === null || limit === null) return;
  if (line.concurrency_overflow === 'drop') await dropQueued(client, line.line, limit);
  if (line.concurrency_overflow === 'replace') await replaceRunning(client, line.line, key, limit);
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

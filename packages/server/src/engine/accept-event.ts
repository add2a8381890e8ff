import type { Pool } from 'pg';
import { insertExecutions, type NewExecution } from '#db/execution-start';
import { inboxKeyText, insertInbox, takeInboxKeys, type InboxKey, type InboxRow } from '#db/inbox';
import { storeLargeValues } from '#db/journal-flush';
import { clientTransaction } from '#db/client-transaction';
import type { CrashHook } from '#engine/crash-points';
import { groupCommit, type GroupCommit } from '#db/group-commit';
import { jobOf } from '#engine/start-executions';
import type { Queue } from '#engine/queue';

/** An event that came in, with the executions it is to start. */
export interface AcceptedEvent {
  readonly inbox: Omit<InboxRow, 'isDuplicate' | 'executionCount'>;
  /** Repeats of this key inside the window start nothing. */
  readonly dedup: InboxKey | undefined;
  readonly executions: readonly NewExecution[];
}

export interface Acceptance {
  readonly isDuplicate: boolean;
  readonly executionIds: readonly string[];
}

const largestBatch = 500;
/** Spec/workflows §14: five minutes unless the trigger says otherwise. */
const dedupWindowS = 300;

/**
 * Writes events, the executions they start and their jobs in one transaction, many events at once. When it
 * resolves the event is durable, and the caller may be told so.
 */
export function eventWriter(deps: {
  readonly pool: Pool;
  readonly queue: Queue;
  readonly crash?: CrashHook | undefined;
  readonly workerId: () => string;
}): GroupCommit<AcceptedEvent, Acceptance> {
  return groupCommit((events) => write(deps, events), largestBatch);
}

async function write(
  deps: Parameters<typeof eventWriter>[0],
  events: readonly AcceptedEvent[],
): Promise<Acceptance[]> {
  await storeLargeValues(
    deps.pool,
    events.flatMap(({ inbox, executions }) => [
      { tenant: inbox.tenant, value: inbox.payload },
      ...executions.map(({ tenant, headers }) => ({ tenant, value: headers })),
    ]),
  );
  deps.crash?.('start.before-commit');
  const results = await clientTransaction(deps.pool, async (client) => {
    const keys = new Map(
      events.flatMap(({ dedup }) => (dedup === undefined ? [] : [[inboxKeyText(dedup), dedup]])),
    );
    const taken = await takeInboxKeys(client, [...keys.values()], dedupWindowS);
    const accepted = events.map((event) => {
      const text = event.dedup === undefined ? undefined : inboxKeyText(event.dedup);
      // The first of several in this batch has the key; deleting it makes the others duplicates.
      return { event, isDuplicate: text !== undefined && !taken.delete(text) };
    });
    await insertInbox(
      client,
      accepted.map(({ event, isDuplicate }) => ({
        ...event.inbox,
        isDuplicate,
        executionCount: isDuplicate ? 0 : event.executions.length,
      })),
    );
    const executions = accepted.flatMap(({ event, isDuplicate }) => (isDuplicate ? [] : event.executions));
    if (executions.length > 0) {
      await insertExecutions(client, deps.workerId(), executions);
      await deps.queue.enqueue(client, executions.map(jobOf));
    }
    return accepted.map(({ event, isDuplicate }) => ({
      isDuplicate,
      executionIds: isDuplicate ? [] : event.executions.map((execution) => execution.id),
    }));
  });
  deps.crash?.('start.after-commit');
  return results;
}

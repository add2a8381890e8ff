import type { Pool } from 'pg';
import { insertExecutions, type NewExecution } from '#db/execution-start';
import { inboxKeyText, insertInbox, takeInboxKeys, type InboxKey, type InboxRow } from '#db/inbox';
import type { InboxResult } from '#db/schema';
import { storeLargeValues } from '#db/journal-flush';
import { clientTransaction } from '#db/client-transaction';
import type { CrashHook } from '#engine/crash-points';
import { groupCommit, type GroupCommit } from '#db/group-commit';
import { jobOf } from '#engine/start/start-executions';
import type { Queue } from '#engine/workers/queue';

/** Something that came in, with the executions it is to start. */
export interface AcceptedEvent {
  readonly inbox: Omit<InboxRow, 'isDuplicate' | 'executionCount' | 'results'>;
  /** Repeats of this key inside its window start nothing at all. */
  readonly dedup: InboxKey | undefined;
  readonly starts: readonly WantedStart[];
  /** Workflows whose conditions did not hold. */
  readonly passedOver: readonly string[];
}

/** One execution, unless its own workflow has seen this key. */
export interface WantedStart {
  readonly execution: NewExecution;
  readonly dedup: InboxKey | undefined;
}

export interface Acceptance {
  /** It is a repeat for everybody who listens. */
  readonly isDuplicate: boolean;
  readonly executionIds: readonly string[];
}

const largestBatch = 500;

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
    events.flatMap(({ inbox, starts }) => [
      { tenant: inbox.tenant, value: inbox.payload },
      // Mostly the same as the arrival's, and then stored once.
      ...starts.flatMap(({ execution: { tenant, payload, headers } }) => [
        { tenant, value: payload },
        { tenant, value: headers },
      ]),
    ]),
  );
  deps.crash?.('start.before-commit');
  const results = await clientTransaction(deps.pool, async (client) => {
    const keys = new Map(
      events
        .flatMap(({ dedup, starts }) => [dedup, ...starts.map((start) => start.dedup)])
        .flatMap((key) => (key === undefined ? [] : [[inboxKeyText(key), key] as const])),
    );
    const taken = await takeInboxKeys(client, [...keys.values()]);
    // The first of several in this batch has the key; deleting it makes the others duplicates.
    const isRepeat = (key: InboxKey | undefined): boolean =>
      key !== undefined && !taken.delete(inboxKeyText(key));
    const accepted = events.map((event) => outcomesOf(event, isRepeat));
    await insertInbox(
      client,
      accepted.map(({ event, isDuplicate, results: of, executions }) => ({
        ...event.inbox,
        isDuplicate,
        executionCount: executions.length,
        results: of,
      })),
    );
    const executions = accepted.flatMap((one) => one.executions);
    if (executions.length > 0) {
      await insertExecutions(client, deps.workerId(), executions);
      await deps.queue.enqueue(client, executions.map(jobOf));
    }
    return accepted.map((one) => ({
      isDuplicate: one.isDuplicate,
      executionIds: one.executions.map((execution) => execution.id),
    }));
  });
  deps.crash?.('start.after-commit');
  return results;
}

function outcomesOf(
  event: AcceptedEvent,
  isRepeat: (key: InboxKey | undefined) => boolean,
): {
  event: AcceptedEvent;
  isDuplicate: boolean;
  results: InboxResult[];
  executions: readonly NewExecution[];
} {
  const isWholeRepeat = isRepeat(event.dedup);
  const judged = event.starts.map((start) => ({
    ...start,
    isDuplicate: isWholeRepeat || isRepeat(start.dedup),
  }));
  return {
    event,
    isDuplicate: isWholeRepeat || (judged.length > 0 && judged.every((start) => start.isDuplicate)),
    results: [
      ...judged.map(({ execution, isDuplicate }): InboxResult =>
        isDuplicate
          ? { workflow_id: execution.workflowId, outcome: 'duplicate' }
          : { workflow_id: execution.workflowId, outcome: 'started', execution_id: execution.id },
      ),
      ...event.passedOver.map((id): InboxResult => ({ workflow_id: id, outcome: 'conditions' })),
    ],
    executions: judged.flatMap((start) => (start.isDuplicate ? [] : [start.execution])),
  };
}

import type { Pool } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import { insertExecutions, type NewExecution } from '#db/execution-start';
import { insertInbox, takeInboxKeys, type InboxKey } from '#db/inbox';
import { storeLargeValues } from '#db/journal-flush';
import { newId } from '#domain/ids';
import { LeaseLostError } from '#engine/journal';
import type { Queue } from '#engine/workers/queue';
import { writeExecutions } from '#engine/start/start-executions';

/**
 * Writes an execution that a call starts, unless its workflow was started with this key inside the window. Key and
 * execution commit together; the row of the key is the lock that makes two calls at once one. A repeat is written
 * to the log of what came in.
 *
 * @returns false for a repeat
 */
export async function startOnce(
  deps: { readonly pool: Pool; readonly queue: Queue; readonly workerId: string },
  row: NewExecution,
  key: InboxKey,
): Promise<boolean> {
  return clientTransaction(deps.pool, async (client) => {
    const isFirst = (await takeInboxKeys(client, [key])).size > 0;
    if (!isFirst) {
      await storeLargeValues(client, [{ tenant: row.tenant, value: row.payload }]);
      await insertInbox(client, [duplicateOf(row)]);
    } else if (row.owner === null) {
      await writeExecutions(client, deps, [row]);
    } else {
      await storeLargeValues(
        client,
        [row.payload, row.headers].map((value) => ({ tenant: row.tenant, value })),
      );
      if (!(await insertExecutions(client, deps.workerId, [row]))) throw new LeaseLostError();
    }
    return isFirst;
  });
}

function duplicateOf(row: NewExecution): Parameters<typeof insertInbox>[1][number] {
  return {
    id: newId(row.createdAt.getTime()),
    tenant: row.tenant,
    source: 'api_call',
    event: null,
    linkedAccountId: row.linkedAccountId,
    configId: row.configId,
    appSlug: row.appSlug,
    payload: row.payload,
    isDuplicate: true,
    executionCount: 0,
    results: [{ workflow_id: row.workflowId, outcome: 'duplicate' }],
    receivedAt: row.createdAt,
  };
}

import { stringify } from 'csv-stringify/sync';
import type { Pool } from 'pg';
import { listRecoveryRecords, readPayloads, type RecoveryRecord } from '#db/recovery-list';
import type { Tenant } from '#domain/tenant';
import { listQueues } from '#recovery/queues';
import { filterOf, type Selection } from '#recovery/records';

const pageSize = 500;
/** What fits into a cell of a spreadsheet. */
const mostCharacters = 32_000;

const columns: readonly (readonly [string, (record: RecoveryRecord) => string | number | null])[] = [
  ['id', (r) => r.id],
  ['queue', (r) => r.queueName],
  ['status', (r) => r.status],
  ['resolution', (r) => r.resolution],
  ['type', (r) => r.errorClass],
  ['error', (r) => r.errorMessage],
  ['count', (r) => r.seen],
  ['first_seen_at', (r) => r.firstSeenAt.toISOString()],
  ['last_seen_at', (r) => r.lastSeenAt.toISOString()],
  ['ended_at', (r) => r.endedAt?.toISOString() ?? null],
  ['linked_account_id', (r) => r.accountId],
  ['workflow_id', (r) => r.workflowId],
  ['workflow', (r) => r.workflowName],
  ['version', (r) => r.workflowVersion],
  ['failed_node_id', (r) => r.failedNodeId],
  ['failed_node', (r) => r.failedNodeName],
  ['batch', (r) => r.batch],
  ['execution_id', (r) => r.executionId],
  ['root_execution_id', (r) => r.rootExecutionId],
  ['attempts', (r) => r.attempts],
  ['last_error', (r) => r.lastError],
  ['resolving_execution_id', (r) => r.resolvingExecutionId],
  ['dedup_key', (r) => r.dedupKey],
  ['context', (r) => JSON.stringify(r.context)],
];

/**
 * Records as CSV (RFC 4180), newest first, page after page: a million rows take the memory of five hundred. Own
 * columns of the queues stand at the end; nothing is a formula to a spreadsheet.
 *
 * @throws AppError `not_found` for a queue that is not there, before the first line
 */
export async function recordsCsv(
  deps: { readonly pool: Pool },
  tenant: Tenant,
  selection: Selection,
): Promise<AsyncGenerator<string>> {
  const filter = await filterOf(deps, tenant, selection);
  const queues = await listQueues(deps, tenant);
  const chosen = queues.filter(({ id }) => filter.queueId === undefined || filter.queueId === id);
  const own = [...new Set(chosen.flatMap((queue) => queue.columns.map(({ name }) => name)))];

  async function* lines(): AsyncGenerator<string> {
    yield csv([[...columns.map(([name]) => name), 'payload', ...own.map((name) => `column.${name}`)]]);
    for (let before: string | undefined; ;) {
      const page = { before, limit: pageSize };
      const records = await listRecoveryRecords(deps.pool, tenant, filter, page);
      const ids = records.map(({ id }) => id);
      const payloads = await readPayloads(deps.pool, tenant, ids, mostCharacters);
      if (records.length > 0) {
        yield csv(
          records.map((record) => [
            ...columns.map(([, read]) => read(record)),
            payloads.get(record.id) ?? null,
            ...own.map((name) => cell(record.columnValues[name])),
          ]),
        );
      }
      if (records.length < pageSize) return;
      before = ids.at(-1);
    }
  }

  return lines();
}

function csv(rows: readonly (string | number | null)[][]): string {
  return stringify([...rows], { escape_formulas: true, record_delimiter: 'windows' });
}

function cell(value: unknown): string | number | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
}

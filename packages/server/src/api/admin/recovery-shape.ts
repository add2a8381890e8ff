import { z } from 'zod';
import { wireTime } from '#api/wire';
import type { getRecord, listRecords, Selection } from '#recovery/index';

const statuses = ['open', 'resolving', 'resolved', 'discarded'] as const;

/** Nothing given is no filter: forms send their empty fields too. */
const given = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

const shared = {
  queue: given(z.string().max(100)).describe('Its id or name'),
  workflow: given(z.string().max(100)).describe('Its id: records of all its versions'),
  execution: given(z.string().max(100)).describe(
    'The execution in which it failed, or the one that the line of sub-flows began with',
  ),
  type: given(z.string().max(64)).describe('Class of the error, such as `timeout` or `unknown_outcome`'),
  account: given(z.string().max(500)).describe('The id that the SaaS company chose'),
  search: given(z.string().trim().min(1).max(200)).describe(
    'Stands in the error, the name of the node, the key, a column or the context, whatever the case.',
  ),
};

/** What a list of records may be narrowed to, in a query. */
export const recordSearch = z.object({
  ...shared,
  status: given(
    z.preprocess((text) => (typeof text === 'string' ? text.toLowerCase() : text), z.enum(statuses)),
  ),
  from: given(z.coerce.date()).describe('When the failure last came in'),
  to: given(z.coerce.date()),
});

const time = z.iso
  .datetime({ offset: true, error: 'is no time; write one such as 2026-01-31T08:00:00Z' })
  .transform((text) => new Date(text))
  .optional();

/** The same in a body, for what is done with open records. */
export const openRecordSearch = z.strictObject({ ...shared, from: time, to: time });

/** Reads either of the two. */
export function selectionOf(
  search: z.output<typeof openRecordSearch> & Pick<z.output<typeof recordSearch>, 'status'>,
): Selection {
  return {
    queue: search.queue,
    workflowId: search.workflow,
    executionId: search.execution,
    type: search.type,
    status: search.status,
    accountId: search.account,
    from: search.from,
    to: search.to,
    text: search.search,
  };
}

export const recordShape = z.object({
  id: z.string(),
  queue: z.object({ id: z.string(), name: z.string() }),
  status: z.enum(statuses),
  type: z.string(),
  error: z.string(),
  count: z.int().describe('How often the same failure came in while the record was open'),
  dedup_key: z.string(),
  columns: z.record(z.string(), z.unknown()),
  context: z.record(z.string(), z.unknown()).describe('Written by people, read by the resolution workflow'),
  linked_account_id: z.string(),
  config_id: z.string(),
  app: z.string().nullable(),
  workflow: z.object({ id: z.string(), name: z.string(), version: z.int().nullable() }),
  failed_node: z.object({ id: z.string(), name: z.string(), batch: z.string() }),
  execution: z.object({
    id: z.string(),
    root_id: z.string().describe('The execution that the line of sub-flows began with'),
    url: z.string().nullable().describe('Where the dashboard shows it; null when its log has been deleted'),
  }),
  attempts: z.int(),
  last_error: z.string().nullable().describe('Why the last attempt to resolve it failed'),
  resolving_execution_id: z.string().nullable(),
  resolution: z.enum(['workflow', 'by_hand', 'arrived', 'sent_again']).nullable(),
  first_seen_at: z.string(),
  last_seen_at: z.string(),
  ended_at: z.string().nullable(),
});

export const wholeRecordShape = recordShape.extend({ payload: z.unknown() });

type Listed = Awaited<ReturnType<typeof listRecords>>[number];

/** Where the dashboard of an environment shows an execution. */
export type ExecutionPageOf = (executionId: string) => string;

export function shapeRecord(record: Listed, pageOf: ExecutionPageOf): z.output<typeof recordShape> {
  return {
    id: record.id,
    queue: { id: record.queueId, name: record.queueName },
    status: record.status,
    type: record.errorClass,
    error: record.errorMessage,
    count: record.seen,
    dedup_key: record.dedupKey,
    columns: { ...record.columnValues },
    context: { ...record.context },
    linked_account_id: record.accountId,
    config_id: record.configId,
    app: record.appSlug,
    workflow: {
      id: record.workflowId,
      name: record.workflowName ?? 'Deleted workflow',
      version: record.workflowVersion,
    },
    failed_node: { id: record.failedNodeId, name: record.failedNodeName, batch: record.batch },
    execution: {
      id: record.executionId,
      root_id: record.rootExecutionId,
      url: record.hasExecution ? pageOf(record.executionId) : null,
    },
    attempts: record.attempts,
    last_error: record.lastError,
    resolving_execution_id: record.resolvingExecutionId,
    resolution: record.resolution,
    first_seen_at: wireTime(record.firstSeenAt),
    last_seen_at: wireTime(record.lastSeenAt),
    ended_at: record.endedAt && wireTime(record.endedAt),
  };
}

export function shapeWholeRecord(
  record: Awaited<ReturnType<typeof getRecord>>,
  pageOf: ExecutionPageOf,
): z.output<typeof wholeRecordShape> {
  return { ...shapeRecord(record, pageOf), payload: record.payload };
}

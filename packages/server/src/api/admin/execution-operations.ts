import { Readable } from 'node:stream';
import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import { executionSearch, searchFilter } from '#api/admin/execution-search';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { bulkRetryFields, bulkRetryShape, exactlyOne, newRequestId, shapeRetried } from '#api/retry-body';
import { wireTime } from '#api/wire';
import { listErrorGroups } from '#db/error-groups';
import { idFloor } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { ExecutionFilter, ExecutionHeader } from '#engine/index';

const tags = ['Dashboard: executions'];
const dayMs = 86_400_000;

const groupShape = z.object({
  error_hash: z.string(),
  count: z.int(),
  first_at: z.string(),
  last_at: z.string(),
  sample: z.object({ execution_id: z.string(), message: z.string() }),
  workflow: z.object({ id: z.string(), name: z.string() }),
  workflows: z.int().describe('How many workflows have it'),
  app: z.string().nullable(),
});

const bulkBody = z
  .object({
    ...bulkRetryFields,
    filter: z
      .strictObject(executionSearch.shape)
      .optional()
      .describe('As the list takes it; of those that it finds, the failed ones that nobody has retried.'),
  })
  .superRefine((body, ctx) => exactlyOne(body, ['error_hash', 'ids', 'filter'], ctx));

/** What is done with many executions at once. */
export function adminExecutionOperationRoutes(app: ApiApp, deps: ApiDeps): void {
  const { engine } = deps;

  app.get(
    '/api/admin/executions/errors',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List errors, those that differ in names and numbers only as one',
        querystring: z.object({
          from: z.coerce.date().optional().describe('Seven days ago without it.'),
          workflow: z.string().max(100).optional(),
          limit: z.coerce.number().int().min(1).max(200).default(50),
        }),
        response: { 200: z.object({ errors: z.array(groupShape) }) },
      },
    },
    async (request) => {
      const { from, workflow, limit } = request.query;
      const since = from ?? new Date(deps.clock.now().getTime() - 7 * dayMs);
      const of = { idFrom: idFloor(since), workflowId: workflow, limit };
      const groups = await listErrorGroups(deps.db, consoleOf(request).tenant, of);
      return {
        errors: groups.map((group) => ({
          error_hash: group.errorHash,
          count: group.count,
          first_at: wireTime(group.firstAt),
          last_at: wireTime(group.lastAt),
          sample: { execution_id: group.executionId, message: group.errorText },
          workflow: { id: group.workflowId, name: group.workflowName ?? 'Deleted workflow' },
          workflows: group.workflowCount,
          app: group.appSlug,
        })),
      };
    },
  );

  app.post(
    '/api/admin/executions/retry',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Retry many executions from where they failed',
        description:
          'Sent again with the same `request_id`, it makes none twice and no more than `limit` in all.',
        body: bulkBody,
        response: { 200: bulkRetryShape },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const {
        error_hash,
        ids,
        filter: search,
        limit,
        request_id: requestId = newRequestId(deps),
      } = request.body;
      const filter =
        error_hash === undefined
          ? await searchFilter(deps.db, tenant, search ?? {})
          : { errorHash: error_hash };
      if (ids === undefined && filter === undefined) return shapeRetried(requestId, []);
      const which = { limit, requestId, ...(ids === undefined ? { filter: filter ?? {} } : { ids }) };
      return shapeRetried(requestId, await engine.retryMany(tenant, which));
    },
  );

  app.get(
    '/api/admin/executions.csv',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Download the list of executions as CSV',
        querystring: executionSearch,
      },
    },
    async (request, reply) => {
      const { tenant } = consoleOf(request);
      const filter = await searchFilter(deps.db, tenant, request.query);
      reply
        .header('content-type', 'text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="executions.csv"')
        .header('cache-control', 'no-store');
      return reply.send(Readable.from(csvOf(tenant, filter)));
    },
  );

  /** Page after page, so that a million rows take the memory of five hundred. */
  async function* csvOf(tenant: Tenant, filter: ExecutionFilter | undefined): AsyncGenerator<string> {
    yield stringify([columns.map(([name]) => name)]);
    if (filter === undefined) return;
    for (let { idTo } = filter; ;) {
      const { executions } = await engine.list(
        tenant,
        { ...filter, idTo },
        { offset: 0, limit: 500, isUncounted: true },
      );
      if (executions.length > 0) yield stringify(executions.map(csvRow), { escape_formulas: true });
      if (executions.length < 500) return;
      idTo = executions.at(-1)?.id;
    }
  }
}

const columns: readonly (readonly [string, (header: ExecutionHeader) => string | number | null])[] = [
  ['id', (e) => e.id],
  ['workflow_id', (e) => e.workflowId],
  ['workflow', (e) => e.workflowName],
  ['version', (e) => e.workflowVersion],
  ['linked_account_id', (e) => e.accountId],
  ['config_id', (e) => e.configId],
  ['app', (e) => e.appSlug],
  ['status', (e) => e.state.toUpperCase()],
  ['source', (e) => e.source],
  ['event', (e) => e.triggerEvent],
  ['instance_tag', (e) => e.instanceTag],
  ['created_at', (e) => wireTime(e.createdAt)],
  ['completed_at', (e) => e.finishedAt && wireTime(e.finishedAt)],
  ['duration_ms', (e) => e.finishedAt && e.finishedAt.getTime() - (e.startedAt ?? e.createdAt).getTime()],
  ['failed_node_id', (e) => e.failedNodeId],
  ['error', (e) => e.errorText],
  ['error_hash', (e) => e.errorHash],
  ['retry_of', (e) => e.retryOf ?? e.rerunOf],
  ['custom_fields', (e) => e.customFieldValues && JSON.stringify(e.customFieldValues)],
];

function csvRow(header: ExecutionHeader): (string | number | null)[] {
  return columns.map(([, read]) => read(header));
}

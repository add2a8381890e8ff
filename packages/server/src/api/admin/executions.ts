import { z } from 'zod';
import { executionSearchPage, searchFilter } from '#api/admin/execution-search';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { rerunQuery, retryBody, retryOf } from '#api/retry-body';
import { page, pageOf, pageQuery, wireTime } from '#api/wire';
import type { BatchRun, ExecutionDetail, ExecutionHeader, NodeRun } from '#engine/index';

const tags = ['Dashboard: executions'];
const idPath = z.object({ execution_id: z.string() });

const executionShape = z.object({
  id: z.string(),
  workflow: z.object({ id: z.string(), name: z.string() }),
  linked_account_id: z.string(),
  status: z.string(),
  source: z.string(),
  event: z.string().nullable(),
  created_at: z.string(),
  completed_at: z.string().nullable(),
  duration_ms: z.int().nullable(),
  error: z.string().nullable(),
  error_hash: z.string().nullable(),
  instance_tag: z.string().nullable(),
  custom_fields: z.record(z.string(), z.string()),
});

/** What one node did, as the dashboard shows it. */
export const nodeShape = z.object({
  node_id: z.string(),
  name: z.string(),
  node_type: z.string(),
  status: z.string(),
  attempts: z.int(),
  started_at: z.string(),
  duration_ms: z.int(),
  input: z.unknown(),
  output: z.unknown(),
  error: z.object({ message: z.string() }).nullable(),
  console: z.array(z.object({ level: z.string(), text: z.string() })),
  curl: z.array(z.string()),
  is_batch: z.boolean(),
  is_truncated: z.boolean(),
  is_pinned: z.boolean().describe('It did not run: the test run was given its output'),
});

const batchStates = ['success', 'errored', 'stopped', 'timed_out', 'terminated', 'retrying'] as const;
const batchesQuery = pageQuery.extend({
  status: z
    .preprocess((text) => (typeof text === 'string' ? text.toLowerCase() : text), z.enum(batchStates))
    .optional(),
  within: z.string().optional().describe('For a loop inside a loop: the iteration that it stands in.'),
});

const batchShape = z.object({
  index: z.int(),
  batch: z.string(),
  status: z.string(),
  output: z.unknown(),
  error: z.object({ message: z.string() }).nullable(),
  duration_ms: z.number().nullable(),
});

const detailShape = executionShape.extend({
  version: z.int().nullable(),
  is_stopping: z.boolean(),
  rerun_of: z.string().nullable(),
  retry_of: z.string().nullable(),
  nodes: z.array(nodeShape),
  store_variables: z.record(z.string(), z.unknown()),
});

const sourceWords = {
  event: 'Event',
  app_event: 'App event',
  polling: 'Polling',
  webhook: 'Webhook',
  schedule: 'Schedule',
  api_call: 'API call',
  sub_flow: 'Sub-flow',
} as const;

/** The log of executions over all linked accounts, and what can be done with one. */
export function adminExecutionRoutes(app: ApiApp, deps: ApiDeps): void {
  const { engine } = deps;

  app.get(
    '/api/admin/executions',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List executions, newest first',
        querystring: executionSearchPage,
        response: { 200: pageOf(executionShape).extend({ next_cursor: z.string().nullable() }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { page: number, limit, cursor } = request.query;
      const filter = await searchFilter(deps.db, tenant, request.query);
      const at = { page: cursor === undefined ? number : 1, limit };
      if (filter === undefined) return { ...page([], 0, at), next_cursor: null };
      const { executions, total } = await engine.list(tenant, filter, {
        offset: (at.page - 1) * limit,
        limit,
      });
      const next = executions.length === limit ? (executions.at(-1)?.id ?? null) : null;
      return { ...page(executions.map(shapeHeader), total, at), next_cursor: next };
    },
  );

  app.get(
    '/api/admin/executions/:execution_id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read an execution with what its nodes did',
        params: idPath,
        querystring: z.object({ full_values: z.enum(['true', 'false']).optional() }),
        response: { 200: detailShape },
      },
    },
    async (request) => {
      const isWhole = request.query.full_values === 'true';
      const { tenant } = consoleOf(request);
      return shapeDetail(await engine.read(tenant, request.params.execution_id, undefined, { isWhole }));
    },
  );

  app.post(
    '/api/admin/executions/:execution_id/stop',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Stop an execution after the step that runs',
        params: idPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await engine.stop(consoleOf(request).tenant, request.params.execution_id);
      return { ok: true as const };
    },
  );

  app.post(
    '/api/admin/executions/:execution_id/rerun',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Start a new execution with the same payload',
        params: idPath,
        querystring: rerunQuery,
        response: { 200: z.object({ id: z.string() }) },
      },
    },
    async (request) => {
      const isLatestVersion = request.query.version === 'latest';
      const { tenant } = consoleOf(request);
      const { executionId } = await engine.rerun(tenant, request.params.execution_id, { isLatestVersion });
      return { id: executionId };
    },
  );

  app.post(
    '/api/admin/executions/:execution_id/retry',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Go on from where an execution failed, or from one of its nodes, in a new execution',
        params: idPath,
        body: retryBody,
        response: { 200: z.object({ id: z.string(), is_new: z.boolean() }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const how = retryOf(request.body);
      const { executionId, isNew } = await engine.retry(tenant, request.params.execution_id, how);
      return { id: executionId, is_new: isNew };
    },
  );

  app.get(
    '/api/admin/executions/:execution_id/nodes/:node_id/batches',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the iterations of a container, or the pages of a node',
        params: idPath.extend({ node_id: z.string() }),
        querystring: batchesQuery,
        response: { 200: pageOf(batchShape) },
      },
    },
    async (request) => {
      const { execution_id: executionId, node_id: nodeId } = request.params;
      const { page: number, limit, status, within } = request.query;
      const { batches, total } = await engine.listBatches(
        consoleOf(request).tenant,
        { executionId, nodeId, within },
        { offset: (number - 1) * limit, limit, status },
      );
      return page(batches.map(shapeBatch), total, { page: number, limit });
    },
  );

  app.get(
    '/api/admin/executions/:execution_id/batches',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read what the nodes inside one iteration did',
        params: idPath,
        querystring: z.object({
          batch: z.string().min(1).describe('Path of the iteration, such as `5:12/9:0`'),
        }),
        response: { 200: z.object({ batch: z.string(), nodes: z.array(nodeShape) }) },
      },
    },
    async (request) => {
      const { batch } = request.query;
      const of = { executionId: request.params.execution_id };
      const nodes = await engine.readBatch(consoleOf(request).tenant, of, batch);
      return { batch, nodes: nodes.map(shapeNode) };
    },
  );
}

function shapeHeader(header: ExecutionHeader): z.output<typeof executionShape> {
  const { createdAt, startedAt, finishedAt } = header;
  return {
    id: header.id,
    workflow: { id: header.workflowId, name: header.workflowName ?? 'Deleted workflow' },
    linked_account_id: header.accountId,
    status: header.state.toUpperCase(),
    source: sourceWords[header.source],
    event: header.triggerEvent,
    created_at: wireTime(createdAt),
    completed_at: finishedAt && wireTime(finishedAt),
    duration_ms: finishedAt && finishedAt.getTime() - (startedAt ?? createdAt).getTime(),
    error: header.errorText,
    error_hash: header.errorHash,
    instance_tag: header.instanceTag,
    custom_fields: header.customFieldValues ?? {},
  };
}

function shapeDetail({ header, nodes, variables }: ExecutionDetail): z.output<typeof detailShape> {
  return {
    ...shapeHeader(header),
    version: header.workflowVersion,
    is_stopping: header.stopRequestedAt !== null,
    rerun_of: header.rerunOf,
    retry_of: header.retryOf,
    store_variables: variables,
    nodes: nodes.map(shapeNode),
  };
}

export function shapeNode(node: NodeRun): z.output<typeof nodeShape> {
  return {
    node_id: node.nodeId,
    name: node.name,
    node_type: node.type,
    status: node.status.toUpperCase(),
    attempts: Math.max(0, ...node.attempts.map(({ attempt }) => attempt)),
    started_at: wireTime(node.enteredAt),
    duration_ms: node.durationMs,
    input: node.input,
    output: node.output,
    error: node.error && { message: node.error.message },
    console: [...node.console],
    curl: [...node.curl],
    is_batch: node.isBatch,
    is_truncated: node.isCut,
    is_pinned: node.isPinned,
  };
}

function shapeBatch({
  index,
  batch,
  status,
  output,
  error,
  durationMs,
}: BatchRun): z.output<typeof batchShape> {
  return {
    index,
    batch,
    status: status.toUpperCase(),
    output,
    error: error && { message: error.message },
    duration_ms: durationMs,
  };
}

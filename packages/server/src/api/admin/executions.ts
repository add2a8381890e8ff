import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { page, pageOf, pageQuery, wireTime } from '#api/wire';
import { findLinkedAccountRef } from '#db/linked-account';
import { idFloor } from '#domain/ids';
import type { ExecutionDetail, ExecutionFilter, ExecutionHeader } from '#engine/index';

const tags = ['Dashboard: executions'];
const idPath = z.object({ execution_id: z.string() });

const states = ['queued', 'running', 'waiting', 'completed', 'errored', 'stopped', 'timed_out', 'terminated'];
const state = z.enum(states).transform((text) => text as ExecutionHeader['state']);

const query = pageQuery.extend({
  status: z.preprocess((text) => (typeof text === 'string' ? text.toLowerCase() : text), state).optional(),
  workflow: z.string().max(100).optional(),
  account: z.string().max(500).optional().describe('The id that the SaaS company chose'),
  from: z.coerce.date().optional(),
  to: z.coerce.date().optional(),
});

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
});

const nodeShape = z.object({
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
  is_truncated: z.boolean(),
});

const detailShape = executionShape.extend({
  version: z.int().nullable(),
  error: z.string().nullable(),
  is_stopping: z.boolean(),
  rerun_of: z.string().nullable(),
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
        querystring: query,
        response: { 200: pageOf(executionShape) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { page: number, limit, status, workflow, account, from, to } = request.query;
      const linkedAccount =
        account === undefined ? undefined : await findLinkedAccountRef(deps.db, tenant, account);
      if (account !== undefined && linkedAccount === undefined) return page([], 0, { page: number, limit });
      const filter: ExecutionFilter = {
        linkedAccountId: linkedAccount?.id,
        workflowId: workflow,
        states: status === undefined ? undefined : [status],
        idFrom: from && idFloor(from),
        idTo: to && idFloor(to),
      };
      const { executions, total } = await engine.list(tenant, filter, {
        offset: (number - 1) * limit,
        limit,
      });
      return page(executions.map(shapeHeader), total, { page: number, limit });
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
        summary: 'Start a new execution with the same payload and version',
        params: idPath,
        response: { 200: z.object({ id: z.string() }) },
      },
    },
    async (request) => {
      const { executionId } = await engine.rerun(consoleOf(request).tenant, request.params.execution_id);
      return { id: executionId };
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
  };
}

function shapeDetail({ header, nodes, variables }: ExecutionDetail): z.output<typeof detailShape> {
  return {
    ...shapeHeader(header),
    version: header.workflowVersion,
    error: header.errorText,
    is_stopping: header.stopRequestedAt !== null,
    rerun_of: header.rerunOf,
    store_variables: variables,
    nodes: nodes.map((node) => ({
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
      is_truncated: node.isCut,
    })),
  };
}

import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { executionFilter, executionQuery } from '#api/v2/execution-filter';
import {
  executionDetailShape,
  executionShape,
  executionStatus,
  shapeExecution,
  shapeExecutionDetail,
  statusOf,
  type ShapeContext,
} from '#api/v2/execution-shape';
import {
  bulkRetryFields,
  bulkRetryShape,
  exactlyOne,
  newRequestId,
  rerunQuery,
  retryBody,
  retryOf,
  shapeRetried,
} from '#api/retry-body';
import { page, pageOf } from '#api/wire';
import { eventIdsByName } from '#db/org-event-ids';
import type { Tenant } from '#domain/tenant';
import type { ExecutionHeader } from '#engine/index';

const tags = ['Executions'];
const base = '/api/v2/public/execution';
const idPath = z.object({ execution_id: z.string() });

/** The log of executions and what can be done with one: spec/api §4.9. Batches: `execution-batches.ts`. */
export function executionRoutes(app: ApiApp, deps: ApiDeps): void {
  const { engine } = deps;

  async function shapeContext(tenant: Tenant, headers: readonly ExecutionHeader[]): Promise<ShapeContext> {
    const names = headers.flatMap(({ triggerEvent }) => (triggerEvent === null ? [] : [triggerEvent]));
    return {
      publicUrl: deps.config.publicUrl,
      appName: (slug) => deps.connectors.get(slug)?.name ?? slug,
      eventIds: await eventIdsByName(deps.db, tenant, names),
    };
  }

  // The plural is what 1.0.x of Cobalt's Node SDK calls.
  for (const url of [base, `${base}s`]) {
    app.get(
      url,
      {
        config: { auth: 'account' },
        schema: {
          tags,
          summary: 'List executions, newest first',
          operationId: url === base ? 'listExecutions' : 'listExecutionsOldPath',
          querystring: executionQuery,
          response: { 200: pageOf(executionShape) },
        },
      },
      async (request) => {
        const { tenant, linkedAccount } = accountCallerOf(request);
        const { page: number, limit, sortAsc } = request.query;
        const { executions, total } = await engine.list(
          tenant,
          { ...executionFilter(request.query), linkedAccountId: linkedAccount.id },
          { offset: (number - 1) * limit, limit, isOldestFirst: sortAsc === 'true' },
        );
        const context = await shapeContext(tenant, executions);
        const docs = executions.map((header) => shapeExecution(header, context));
        return page(docs, total, { page: number, limit });
      },
    );
  }

  app.get(
    `${base}/:execution_id`,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Read an execution with what its nodes did',
        operationId: 'getExecutionById',
        params: idPath,
        querystring: z.object({
          full_values: z.enum(['true', 'false']).optional().describe('Values however large they are'),
        }),
        response: { 200: executionDetailShape },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { execution_id: executionId } = request.params;
      const isWhole = request.query.full_values === 'true';
      const detail = await engine.read(tenant, executionId, linkedAccount.id, { isWhole });
      return shapeExecutionDetail(detail, await shapeContext(tenant, [detail.header]));
    },
  );

  app.post(
    `${base}/:execution_id/stop`,
    {
      config: { auth: 'account', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Stop an execution',
        operationId: 'stopExecution',
        params: idPath,
        response: { 200: z.object({ message: z.string() }) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { execution_id: executionId } = request.params;
      await engine.read(tenant, executionId, linkedAccount.id);
      await engine.stop(tenant, executionId);
      return { message: 'Stopping instance' };
    },
  );

  app.post(
    `${base}/:execution_id/rerun`,
    {
      config: { auth: 'account', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Start a new execution from the payload of one that failed',
        operationId: 'rerunExecution',
        params: idPath,
        querystring: rerunQuery,
        response: {
          200: z.object({ status: z.string(), id: z.string(), message: z.string(), instanceId: z.string() }),
        },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { execution_id: executionId } = request.params;
      await engine.read(tenant, executionId, linkedAccount.id);
      const isLatestVersion = request.query.version === 'latest';
      const { executionId: id } = await engine.rerun(tenant, executionId, { isLatestVersion });
      return { status: 'success', id, message: 'Execution queued', instanceId: id };
    },
  );

  app.post(
    `${base}/:execution_id/retry`,
    {
      config: { auth: 'account', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Go on from where an execution failed, or from one of its nodes, in a new execution',
        operationId: 'retryExecution',
        params: idPath,
        body: retryBody,
        response: {
          200: z.object({ status: z.string(), id: z.string(), message: z.string(), instanceId: z.string() }),
        },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { execution_id: executionId } = request.params;
      await engine.read(tenant, executionId, linkedAccount.id);
      const { executionId: id } = await engine.retry(tenant, executionId, retryOf(request.body));
      return { status: 'success', id, message: 'Execution queued', instanceId: id };
    },
  );

  app.post(
    `${base}s/retry`,
    {
      config: { auth: 'account', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Retry many executions of the linked account from where they failed',
        operationId: 'retryExecutions',
        body: z
          .object(bulkRetryFields)
          .superRefine((body, ctx) => exactlyOne(body, ['error_hash', 'ids'], ctx)),
        response: { 200: bulkRetryShape },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { error_hash: errorHash, ids, limit, request_id: requestId = newRequestId(deps) } = request.body;
      const which = { limit, requestId, linkedAccountId: linkedAccount.id };
      const retried = await engine.retryMany(
        tenant,
        ids === undefined ? { ...which, filter: { errorHash } } : { ...which, ids },
      );
      return shapeRetried(requestId, retried);
    },
  );

  app.get(
    '/api/v1/execution/:execution_id/response',
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Read what an execution answered',
        operationId: 'getExecutionResponse',
        params: idPath,
        response: { 200: z.object({ response: z.unknown(), status: executionStatus }) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { header, answer } = await engine.readAnswer(
        tenant,
        request.params.execution_id,
        linkedAccount.id,
      );
      return { response: answer, status: statusOf(header) };
    },
  );
}

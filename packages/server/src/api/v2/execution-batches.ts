import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf, callerOf } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { executionNode, shapeNode, wireNodeStatus } from '#api/v2/execution-shape';
import { page, pageOf, pageQuery } from '#api/wire';
import { findLinkedAccountRef } from '#db/linked-account';
import type { JournalStatus } from '#db/schema';
import { findWorkflow } from '#db/workflow';
import { AppError } from '#domain/errors';
import type { BatchRun } from '#engine/index';

const tags = ['Executions'];
const path = '/api/v2/public/execution/:execution_id/nodes/:node_id/batches';
const params = z.object({ execution_id: z.string(), node_id: z.string() });
const within = z
  .string()
  .optional()
  .describe('For a loop inside a loop: the `batch` of the iteration that it stands in, such as `5:12`.');

const statuses: Readonly<Record<string, string>> = { ...wireNodeStatus, retrying: 'Errored' };

const batchShape = z.object({
  batch_index: z.int(),
  batch: z.string().describe('Its path; it is the `within` of what is inside.'),
  status: z.string(),
  output: z.unknown(),
  error: z.unknown().optional(),
  execution_time: z.number().optional(),
});

/** The iterations of loops and try blocks, and the pages of nodes: spec/api §4.9. */
export function executionBatchRoutes(app: ApiApp, deps: ApiDeps): void {
  const { engine } = deps;
  batchesOfWorkflowRoute(app, deps);
  app.get(
    path,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'List the batches of a node that runs once an item',
        operationId: 'listExecutionNodeBatches',
        params,
        querystring: pageQuery.extend({
          status: z.string().optional().describe('Success, Errored, Stopped, Timed_Out or Terminated.'),
          within,
        }),
        response: { 200: pageOf(batchShape) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { execution_id: executionId, node_id: nodeId } = request.params;
      const { page: number, limit, status, within } = request.query;
      const { batches, total } = await engine.listBatches(
        tenant,
        { executionId, nodeId, within, linkedAccountId: linkedAccount.id },
        { offset: (number - 1) * limit, limit, status: readStatus(status) },
      );
      return page(batches.map(shapeBatch), total, { page: number, limit });
    },
  );

  app.get(
    `${path}/:batch_index`,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Read what the nodes inside one batch did',
        operationId: 'getExecutionNodeBatch',
        params: params.extend({
          batch_index: z.coerce.number('write a whole number, 0 or more').int().min(0),
        }),
        querystring: z.object({ within }),
        response: { 200: z.object({ batch: z.string(), nodes: z.array(executionNode) }) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { execution_id: executionId, node_id: nodeId, batch_index: index } = request.params;
      const { within } = request.query;
      const batch = `${within === undefined || within === '' ? '' : `${within}/`}${nodeId}:${index}`;
      const nodes = await engine.readBatch(tenant, { executionId, linkedAccountId: linkedAccount.id }, batch);
      return { batch, nodes: nodes.map(shapeNode) };
    },
  );
}

/** The door by the workflow. Its sources name no shape, so it answers as the door by the execution does. */
function batchesOfWorkflowRoute(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/v2/public/workflow/:workflowId/linked-account/:linkedAccountId/execution-node-batches',
    {
      config: { auth: 'key|session' },
      schema: {
        tags,
        summary: 'List the batches of a node in one execution of a workflow',
        operationId: 'listWorkflowExecutionNodeBatches',
        params: z.object({ workflowId: z.string(), linkedAccountId: z.string() }),
        querystring: pageQuery.extend({
          execution_id: z.string({ error: 'is missing: of which execution?' }),
          node_id: z.string({ error: 'is missing: of which node?' }),
          status: z.string().optional().describe('Success, Errored, Stopped, Timed_Out or Terminated.'),
          within,
        }),
        response: { 200: pageOf(batchShape) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount: own } = callerOf(request);
      const { workflowId, linkedAccountId: id } = request.params;
      const account = own ?? (await findLinkedAccountRef(deps.db, tenant, id));
      if (account === undefined || (id !== account.accountId && id !== account.id)) {
        throw new AppError('linked_account_not_found', { id, ...tenant });
      }
      const {
        execution_id: executionId,
        node_id: nodeId,
        page: number,
        limit,
        status,
        within,
      } = request.query;
      const { header } = await deps.engine.read(tenant, executionId, account.id);
      const workflow = await findWorkflow(deps.db, tenant, workflowId);
      if (header.workflowId !== (workflow?.id ?? workflowId)) {
        throw new AppError('execution_not_found', { id: executionId });
      }
      const { batches, total } = await deps.engine.listBatches(
        tenant,
        { executionId, nodeId, within, linkedAccountId: account.id },
        { offset: (number - 1) * limit, limit, status: readStatus(status) },
      );
      return page(batches.map(shapeBatch), total, { page: number, limit });
    },
  );
}

function readStatus(written: string | undefined): JournalStatus | undefined {
  if (written === undefined || written === '' || written.toLowerCase() === 'all') return undefined;
  const known = Object.entries(wireNodeStatus).find(
    ([, name]) => name.toLowerCase() === written.toLowerCase(),
  )?.[0];
  if (known !== undefined && known !== 'running') return known as JournalStatus;
  throw new AppError('invalid_request', {
    problems: [
      { path: 'status', message: `"${written}" is none of ${Object.values(wireNodeStatus).join(', ')}` },
    ],
  });
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
    batch_index: index,
    batch,
    status: statuses[status] ?? status,
    output,
    ...(error !== null && { error }),
    ...(durationMs !== null && { execution_time: durationMs }),
  };
}

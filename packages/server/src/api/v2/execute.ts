import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type ApiApp, payloadBodyLimit } from '#api/app';
import { accountCallerOf } from '#api/caller';
import { flagOfHeaderOrQuery, harmlessHeaders, headerOrQuery } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { type ExecutableWorkflow, executableWorkflows } from '#db/executable-workflow';
import { AppError } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import { createPayloadChecker, type SyncAnswer } from '#engine/index';

/** Statuses that HTTP gives no body (RFC 9110 §15); clients parse one, so these stand in `status_code` alone. */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

const asyncAnswer = z.object({ execution_id: z.string(), message: z.string() });
const syncAnswer = z.object({
  execution_id: z.string(),
  return_value: z.unknown(),
  errored: z.boolean().optional(),
  execution_error: z
    .object({
      node_id: z.string(),
      node_name: z.string(),
      message: z.string(),
      status: z.number().optional(),
      body: z.unknown().optional(),
    })
    .optional(),
  status_code: z.int().optional(),
});

/** Starting a workflow by call: spec/api §4.8, both doors. */
export function executeRoutes(app: ApiApp, deps: ApiDeps): void {
  const checker = createPayloadChecker();
  const workflows = executableWorkflows(deps.pool);

  for (const [operationId, url] of [
    ['executeWorkflow', '/api/v2/public/workflow/:workflow_id/execute'],
    ['executeWorkflowV1', '/api/v1/workflow/:workflow_id/execute'],
  ] as const) {
    app.post(
      url,
      {
        config: { auth: 'account', changesWorkflows: true },
        bodyLimit: payloadBodyLimit,
        schema: {
          tags: ['Workflows'],
          summary: 'Execute a workflow for a linked account',
          description:
            'The body is the payload. `sync_execution: true` waits for the end; the Response node then decides the HTTP status. 202: it takes longer, read it later by its id.',
          operationId,
          params: z.object({ workflow_id: z.string() }),
          body: z.unknown(),
          response: { '2xx': z.union([syncAnswer, asyncAnswer]) },
        },
      },
      async (request, reply) => {
        const { tenant, linkedAccount } = accountCallerOf(request);
        const isSync = flagOfHeaderOrQuery(request, 'sync_execution');
        const workflow = await executable(request);
        const { version, payload } = readPayload(workflow, request.body);
        const input = {
          workflowId: workflow.id,
          version,
          linkedAccount,
          configId: headerOrQuery(request, 'config_id') ?? linkedAccount.accountId,
          slug: workflow.slug ?? undefined,
          source: 'api_call' as const,
          payload,
          headers: flagOfHeaderOrQuery(request, 'include-headers') ? harmlessHeaders(request) : undefined,
          requestHeaders: request.headers,
          instanceTag: headerOrQuery(request, 'instance_tag'),
        };
        if (!isSync) {
          const { executionId } = await deps.engine.startExecution(tenant, input);
          return { execution_id: executionId, message: 'Workflow execution started' };
        }
        const answer = await deps.engine.runSync(tenant, { ...input, timeoutMs: deps.config.syncTimeoutMs });
        if (!answer.isFinished) {
          reply.code(202);
          return {
            execution_id: answer.executionId,
            message: 'The workflow takes longer; it runs on. Read the execution by its id.',
          };
        }
        const status = answer.statusCode ?? 200;
        reply.code(bodiless.has(status) ? 200 : status);
        return shapeSync(answer);
      },
    );
  }

  async function executable(request: FastifyRequest): Promise<ExecutableWorkflow> {
    const { tenant, linkedAccount } = accountCallerOf(request);
    const { workflow_id: id } = request.params as { workflow_id: string };
    const slug = headerOrQuery(request, 'slug');
    const workflow = await workflows.commit({ tenant, idOrAlias: id, slug });
    if (workflow === undefined) throw new AppError('workflow_not_found', { id });
    if (workflow.isByAlias && slug === undefined) {
      throw new AppError('workflow_alias_without_slug', { alias: id });
    }
    if (workflow.linkedAccountId !== null && workflow.linkedAccountId !== linkedAccount.id) {
      throw new AppError('workflow_forbidden', { id });
    }
    return workflow;
  }

  /** @throws AppError `workflow_not_published`, `invalid_request` naming the fields that the schema refuses */
  function readPayload(workflow: ExecutableWorkflow, body: unknown): { version: number; payload: unknown } {
    if (workflow.version === null) throw new AppError('workflow_not_published', { id: workflow.id });
    const { jsonSchema: schema } = workflow;
    const payload = unwrapped(body ?? {}, schema);
    const problems = schema === undefined ? [] : checker.problems(schema, payload);
    if (problems.length > 0) throw new AppError('invalid_request', { problems });
    return { version: workflow.version, payload };
  }
}

/** One published sample wraps the payload; both SDKs send it bare. A schema that declares `payload` means it. */
function unwrapped(body: unknown, schema: Readonly<Record<string, unknown>> | undefined): unknown {
  const declared = schema?.['properties'];
  if (!isRecord(body) || !isRecord(body['payload']) || Object.keys(body).length !== 1) return body;
  return isRecord(declared) && 'payload' in declared ? body : body['payload'];
}

function shapeSync(answer: SyncAnswer): z.output<typeof syncAnswer> {
  return {
    execution_id: answer.executionId,
    return_value: answer.returnValue ?? null,
    ...(answer.isErrored === true && { errored: true }),
    ...(answer.error !== undefined && {
      execution_error: {
        node_id: answer.error.nodeId,
        node_name: answer.error.nodeName,
        message: answer.error.message,
        ...(answer.error.status !== undefined && { status: answer.error.status }),
        ...(answer.error.body !== undefined && { body: answer.error.body }),
      },
    }),
    ...(answer.statusCode !== undefined && { status_code: answer.statusCode }),
  };
}

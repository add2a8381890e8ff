import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import { consoleWorkflowCaller } from '#api/admin/workflow-caller';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import { listVersions, listWorkflows } from '#db/workflow';
import type { StoredWorkflow } from '#db/workflow';
import { isRecord } from '#domain/exact-json';
import type { Tenant } from '#domain/tenant';
import { validateWorkflow } from '#domain/workflow-checks';
import { readWorkflowDocument, triggerOf } from '#domain/workflow-document';
import {
  changeWorkflow,
  createWorkflow,
  deleteWorkflow,
  getWorkflow,
  publishWorkflow,
  unpublishWorkflow,
} from '#workflows/index';

const tags = ['Dashboard: workflows'];
const idPath = z.object({ id: z.string() });

const summaryShape = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  app_slug: z.string().nullable(),
  published_version: z.int().nullable(),
  trigger: z.looseObject({ kind: z.string(), event: z.string().optional() }).nullable(),
  updated_at: z.string(),
});

const workflowShape = summaryShape.extend({
  draft: z.looseObject({}),
  draft_revision: z.int(),
  problems: z.array(z.object({ path: z.string(), message: z.string() })),
  versions: z.array(
    z.object({
      version: z.int(),
      description: z.string().nullable(),
      author: z.string().nullable().describe('Who published it'),
      created_at: z.string(),
    }),
  ),
});

const workflowBody = z.object({
  name: z.string().optional(),
  description: z.string().max(5_000).optional(),
  app_slug: z.string().nullish(),
  alias: z.string().nullish(),
  draft: z.looseObject({ nodes: z.array(z.unknown()), edges: z.array(z.unknown()).default([]) }).optional(),
  draft_revision: z.int().optional(),
});

/** The organisation's workflows, as the dashboard edits and publishes them. */
export function adminWorkflowRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/workflows',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the workflows of the organisation',
        response: { 200: z.object({ workflows: z.array(summaryShape) }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { rows } = await listWorkflows(deps.db, tenant, { ownerId: null }, { page: 1, limit: 1_000 });
      return { workflows: rows.map(summarize) };
    },
  );

  app.get(
    '/api/admin/workflows/:id',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Read a workflow', params: idPath, response: { 200: workflowShape } },
    },
    async (request) => {
      const caller = consoleWorkflowCaller(request);
      return shape(deps, await getWorkflow(deps, caller, request.params.id));
    },
  );

  app.post(
    '/api/admin/workflows',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Create a workflow', body: workflowBody, response: { 200: workflowShape } },
    },
    async (request) => {
      const caller = consoleWorkflowCaller(request);
      const slug = request.body.app_slug ?? undefined;
      return shape(deps, await createWorkflow(deps, caller, { ...inputOf(request.body), slug }));
    },
  );

  app.patch(
    '/api/admin/workflows/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change a workflow or its draft',
        params: idPath,
        body: workflowBody,
        response: { 200: workflowShape },
      },
    },
    async (request) => {
      const caller = consoleWorkflowCaller(request);
      const { draft_revision: revision } = request.body;
      return shape(
        deps,
        await changeWorkflow(deps, caller, request.params.id, inputOf(request.body), revision),
      );
    },
  );

  for (const [verb, work] of [
    ['publish', publishWorkflow],
    ['unpublish', unpublishWorkflow],
  ] as const) {
    app.post(
      `/api/admin/workflows/:id/${verb}`,
      {
        config: { auth: 'console' },
        schema: {
          tags,
          summary: verb === 'publish' ? 'Publish the draft' : 'Take the workflow out of service',
          params: idPath,
          response: { 200: workflowShape },
        },
      },
      async (request) => {
        const caller = consoleWorkflowCaller(request);
        return shape(deps, await work(deps, caller, request.params.id));
      },
    );
  }

  app.delete(
    '/api/admin/workflows/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete a workflow',
        params: idPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await deleteWorkflow(deps, consoleWorkflowCaller(request), request.params.id);
      return { ok: true as const };
    },
  );
}

function inputOf(body: z.output<typeof workflowBody>) {
  const draft = body.draft;
  return {
    name: body.name,
    description: body.description,
    alias: body.alias,
    ...(draft === undefined
      ? {}
      : {
          nodes: draft.nodes,
          edges: draft.edges,
          ...(isRecord(draft['settings']) ? { settings: draft['settings'] } : {}),
          ...('json_schema' in draft ? { jsonSchema: draft['json_schema'] } : {}),
          ...('manual_execution_payload' in draft
            ? { samplePayload: draft['manual_execution_payload'] }
            : {}),
        }),
  };
}

/** The trigger shown is the one that runs, or what the draft would be started by. */
function summarize(row: StoredWorkflow): z.output<typeof summaryShape> {
  const running =
    row.trigger_kind === null
      ? undefined
      : { kind: row.trigger_kind, ...(row.trigger_event === null ? {} : { event: row.trigger_event }) };
  const { kind, event } = triggerOf(readWorkflowDocument(row.draft));
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    app_slug: row.app_slug,
    published_version: row.published_version,
    trigger: running ?? { kind, ...(event === undefined ? {} : { event }) },
    updated_at: wireTime(row.updated_at),
  };
}

async function shape(deps: ApiDeps, row: StoredWorkflow): Promise<z.output<typeof workflowShape>> {
  const tenant: Tenant = { orgId: row.org_id, environment: row.environment };
  const document = readWorkflowDocument(row.draft);
  const { rows: versions } = await listVersions(deps.db, tenant, row.id, { page: 1, limit: 100 });
  return {
    ...summarize(row),
    draft: { ...document },
    draft_revision: row.draft_revision,
    problems: validateWorkflow(document, deps.nodeTypes, 'publish').map(({ path, message }) => ({
      path,
      message,
    })),
    versions: versions.map(({ version, description, author, created_at }) => ({
      version,
      description,
      author: author?.name ?? null,
      created_at: wireTime(created_at),
    })),
  };
}

import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf, callerOf } from '#api/caller';
import { headerOrQuery } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { page, pageOf, pageQuery, wireTime } from '#api/wire';
import { workflowApp } from '#api/v2/workflow-app';
import { workflowCaller } from '#api/v2/workflow-caller';
import { workflowFileRoutes } from '#api/v2/workflow-files';
import {
  shapeDocument,
  shapeWorkflow,
  workflowBody,
  workflowInput,
  workflowShape,
} from '#api/v2/workflow-shape';
import { listEnabledWorkflows } from '#db/enabled-workflow';
import { findVersion, listVersions, listWorkflows } from '#db/workflow';
import type { StoredWorkflow } from '#db/workflow';
import { isRecord } from '#domain/exact-json';
import { readWorkflowDocument } from '#domain/workflow-document';
import type { WorkflowDocument } from '#domain/workflow-document';
import {
  changeWorkflow,
  createWorkflow,
  deleteWorkflow,
  getWorkflow,
  publishWorkflow,
  unpublishWorkflow,
} from '#workflows/index';

const tags = ['Workflows'];
const base = '/api/v2/public/workflow';
const workflowPath = z.object({ workflowId: z.string() });

/** Workflows without their execution: spec/api §4.8. Every operation takes the workflow's id or its draft's. */
export function workflowRoutes(app: ApiApp, deps: ApiDeps): void {
  listRoutes(app, deps);
  editRoutes(app, deps);
  readRoutes(app, deps);
  workflowFileRoutes(app, deps);
}

function listRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: "List workflows: the account's own, or the organisation's without an account",
        operationId: 'listWorkflows',
        querystring: pageQuery.extend({
          slug: z.string().optional(),
          application_id: z.string().optional(),
          name: z.string().max(200).optional(),
          published: z.enum(['true', 'false']).optional().catch(undefined),
          start_date: z.string().optional(),
          end_date: z.string().optional(),
          scope: z.string().optional(),
        }),
        response: { 200: pageOf(workflowShape).extend({ schema: z.null() }) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = callerOf(request);
      const { query } = request;
      const slugs = query.slug
        ?.split(',')
        .map((slug) => slug.trim())
        .filter((slug) => slug !== '');
      const isPrivate = query.scope === 'private' && linkedAccount === undefined;
      const { rows, total } = await listWorkflows(
        deps.db,
        tenant,
        {
          ownerId: isPrivate ? undefined : (linkedAccount?.id ?? null),
          isPrivate,
          slugs: slugs === undefined || slugs.length === 0 ? undefined : slugs,
          name: query.name,
          isPublished: query.published === undefined ? undefined : query.published === 'true',
          from: readDate(query.start_date),
          until: readDate(query.end_date, true),
        },
        query,
      );
      const docs = rows.map((row) => shapeWorkflow(deps, row, 'list', linkedAccount?.accountId));
      return { ...page(docs, total, query), schema: null };
    },
  );

  app.get(
    `${base}/enabled`,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'List the workflows that are switched on for an account',
        operationId: 'listEnabledWorkflows',
        response: {
          200: z.array(z.looseObject({ id: z.string(), name: z.string(), config_id: z.string() })),
        },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const rows = await listEnabledWorkflows(deps.db, tenant, linkedAccount.id);
      return rows.map((row) => ({
        id: row.id,
        name: row.name,
        description: row.description,
        createdAt: wireTime(row.created_at),
        updatedAt: wireTime(row.updated_at),
        config_id: row.config_id,
        application: workflowApp(deps, { app_slug: row.app_slug, org_id: tenant.orgId }),
      }));
    },
  );
}

function editRoutes(app: ApiApp, deps: ApiDeps): void {
  app.post(
    base,
    {
      config: { auth: 'account?', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Create a workflow: a draft with its start node',
        operationId: 'createWorkflow',
        body: workflowBody,
        response: { 200: z.object({ workflow: workflowShape }) },
      },
    },
    async (request) => {
      const slug = slugOf(request.body) ?? headerOrQuery(request, 'slug');
      const input = { ...workflowInput(request.body), slug };
      const row = await createWorkflow(deps, workflowCaller(request), input);
      return { workflow: shapeWorkflow(deps, row, 'draft', callerOf(request).linkedAccount?.accountId) };
    },
  );

  app.put(
    `${base}/:workflowId`,
    {
      config: { auth: 'account?', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Change a workflow: its name and settings, or the nodes and edges of its draft (wholesale)',
        operationId: 'updateWorkflow',
        params: workflowPath,
        body: workflowBody,
        response: { 200: workflowShape },
      },
    },
    async (request) => {
      const { workflowId } = request.params;
      const { draft_revision: revision } = request.body;
      const input = workflowInput(request.body);
      const row = await changeWorkflow(deps, workflowCaller(request), workflowId, input, revision);
      return shapeWorkflow(deps, row, 'draft');
    },
  );

  app.put(
    `${base}/:workflowId/publish`,
    {
      config: { auth: 'account?', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Publish the draft as a version, restore a version, or unpublish',
        operationId: 'publishWorkflow',
        params: workflowPath,
        body: z.looseObject({
          published: z.boolean().default(true),
          version: z.int().min(1).max(1_000_000).nullish(),
          description: z.string().max(5_000).nullish(),
        }),
        response: { 200: workflowShape },
      },
    },
    async (request) => {
      const { published, version, description } = request.body;
      const { workflowId } = request.params;
      const caller = workflowCaller(request);
      const row = published
        ? await publishWorkflow(deps, caller, workflowId, {
            version: version ?? undefined,
            description: description ?? undefined,
          })
        : await unpublishWorkflow(deps, caller, workflowId);
      return shapeWorkflow(deps, row, 'parent');
    },
  );

  app.delete(
    `${base}/:workflowId`,
    {
      config: { auth: 'account?', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Delete a workflow with its draft and versions',
        operationId: 'deleteWorkflow',
        params: workflowPath,
        response: {
          200: z.object({
            message: z.string(),
            success: z.literal(true),
            successfullyDeletedTriggers: z.literal(true),
            triggers_deregistered: z.literal(true),
          }),
        },
      },
    },
    async (request) => {
      await deleteWorkflow(deps, workflowCaller(request), request.params.workflowId);
      // Triggers are columns of the workflow's row, so they are always gone with it.
      return {
        message: 'Workflow deleted successfully',
        success: true as const,
        successfullyDeletedTriggers: true as const,
        triggers_deregistered: true as const,
      };
    },
  );
}

function readRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    `${base}/:workflowId`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'Read a workflow: what is published, or the draft before that',
        description:
          "A session token reads nodes and edges of the account's own workflows only: those of the organisation may hold its code and its keys.",
        operationId: 'getWorkflowById',
        params: workflowPath,
        response: { 200: workflowShape },
      },
    },
    async (request) => {
      const caller = workflowCaller(request);
      const row = await getWorkflow(deps, caller, request.params.workflowId);
      if (caller.isCustomer && row.linked_account_id === null) return shapeWorkflow(deps, row, 'list');
      const document = await currentDocument(deps, row);
      return { ...shapeWorkflow(deps, row, 'parent'), ...shapeDocument(document) };
    },
  );

  app.get(
    `${base}/:workflowId/edit`,
    {
      config: { auth: 'account?', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Read the draft of a workflow',
        operationId: 'getDraftWorkflow',
        params: workflowPath,
        response: { 200: workflowShape },
      },
    },
    async (request) => {
      const row = await getWorkflow(deps, workflowCaller(request), request.params.workflowId, 'change');
      return shapeWorkflow(deps, row, 'draft');
    },
  );

  app.get(
    `${base}/request-structure/:workflowId`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'Read what an execution of a workflow takes',
        operationId: 'getWorkflowRequestStructure',
        params: workflowPath,
        response: {
          200: z.object({ payload: z.unknown(), schema: z.unknown(), schema_interpreted: z.unknown() }),
        },
      },
    },
    async (request) => {
      const row = await getWorkflow(deps, workflowCaller(request), request.params.workflowId);
      const document = await currentDocument(deps, row);
      const payload = document.manual_execution_payload ?? null;
      const schema = document.json_schema ?? null;
      return {
        payload,
        schema,
        schema_interpreted: schema ?? (isRecord(payload) ? interpret(payload) : null),
      };
    },
  );

  app.get(
    `${base}/versions/:workflowId`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'List the versions of a workflow, newest first',
        operationId: 'listWorkflowVersions',
        params: workflowPath,
        querystring: pageQuery,
        response: {
          200: pageOf(
            z.object({
              _id: z.string(),
              version: z.int(),
              createdAt: z.string(),
              description: z.string().optional(),
              author: z
                .object({
                  kind: z.enum(['user', 'api_key', 'linked_account']),
                  id: z.string(),
                  name: z.string(),
                })
                .optional()
                .describe('Who published it'),
            }),
          ),
        },
      },
    },
    async (request) => {
      const caller = workflowCaller(request);
      const row = await getWorkflow(deps, caller, request.params.workflowId);
      const { rows, total } = await listVersions(deps.db, caller.tenant, row.id, request.query);
      const docs = rows.map(({ id, version, created_at, description, author }) => ({
        _id: id,
        version,
        createdAt: wireTime(created_at),
        ...(description === null ? {} : { description }),
        // Who of the organisation it was is nothing that its customers are told.
        ...(author === null || (caller.isCustomer && row.linked_account_id === null) ? {} : { author }),
      }));
      return page(docs, total, request.query);
    },
  );
}

/** What runs: the published document, or the draft while nothing is published. */
async function currentDocument(deps: ApiDeps, row: StoredWorkflow): Promise<WorkflowDocument> {
  const tenant = { orgId: row.org_id, environment: row.environment };
  const version =
    row.published_version === null
      ? undefined
      : await findVersion(deps.db, tenant, row.id, row.published_version);
  return readWorkflowDocument(version?.document ?? row.draft);
}

/** The JSON Schema that a sample suggests. */
function interpret(sample: unknown): Record<string, unknown> {
  if (Array.isArray(sample))
    return { type: 'array', ...(sample.length > 0 && { items: interpret(sample[0]) }) };
  if (isRecord(sample)) {
    const properties = Object.entries(sample).map(([key, value]) => [key, interpret(value)] as const);
    return { type: 'object', properties: Object.fromEntries(properties) };
  }
  return { type: sample === null ? 'null' : typeof sample };
}

/** The slug of the body, or of an application object in it. Empty counts as absent. */
function slugOf(body: z.output<typeof workflowBody>): string | undefined {
  const app = body.associated_application;
  const slug = body.slug ?? (isRecord(app) && typeof app['slug'] === 'string' ? app['slug'] : undefined);
  return slug === undefined || slug === '' || slug === 'custom' ? undefined : slug;
}

/** A day or a time; a bare end day includes that day. Anything else is no bound. */
function readDate(text: string | undefined, isEnd = false): Date | undefined {
  if (text === undefined) return undefined;
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const at = new Date(isDay && isEnd ? `${text}T23:59:59.999Z` : text);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

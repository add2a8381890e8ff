import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import { consoleWorkflowCaller } from '#api/admin/workflow-caller';
import { type ApiApp, payloadBodyLimit } from '#api/app';
import type { ApiDeps } from '#api/deps';
import {
  exportQuery,
  importQuery,
  importedShape,
  newNameOf,
  sendAsFile,
  shapeImported,
} from '#api/workflow-files';
import { workflowFile } from '#domain/workflow-file';
import { aliasAvailability, exportWorkflow, importWorkflow } from '#workflows/index';

const tags = ['Dashboard: workflows'];
const idPath = z.object({ id: z.string() });

/** Workflows as files, copies of them, and whether an alias is free. */
export function adminWorkflowFileRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/workflows/:id/export',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read a workflow as a file, without secrets',
        params: idPath,
        querystring: exportQuery,
        response: { 200: workflowFile },
      },
    },
    async (request, reply) => {
      const isDraft = request.query.draft === 'true';
      const caller = consoleWorkflowCaller(request);
      return sendAsFile(reply, await exportWorkflow(deps, caller, request.params.id, { isDraft }));
    },
  );

  app.post(
    '/api/admin/workflows/import',
    {
      config: { auth: 'console' },
      bodyLimit: payloadBodyLimit,
      schema: {
        tags,
        summary: 'Make a draft of a file',
        querystring: importQuery,
        body: workflowFile,
        response: { 200: importedShape },
      },
    },
    async (request) => {
      const asNew = newNameOf(request.query, request.body);
      return shapeImported(
        await importWorkflow(deps, consoleWorkflowCaller(request), request.body, { asNew }),
      );
    },
  );

  app.post(
    '/api/admin/workflows/:id/copy',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Copy a workflow, in its environment or into the other one',
        description:
          'In its own environment the copy is a workflow of its own. In the other one it is the draft of the workflow that was copied there before, if there is one.',
        params: idPath,
        body: z.object({
          environment: z.enum(['test', 'production'], { error: 'is neither test nor production' }).optional(),
          name: z.string().max(200).optional(),
          draft: z.boolean().default(false).describe('Its draft, although something else is published'),
        }),
        response: { 200: importedShape },
      },
    },
    async (request) => {
      const { environment, name, draft: isDraft } = request.body;
      const caller = consoleWorkflowCaller(request);
      const file = await exportWorkflow(deps, caller, request.params.id, { isDraft });
      const target = { ...caller.tenant, environment: environment ?? caller.tenant.environment };
      const isHere = target.environment === caller.tenant.environment;
      const asNew = isHere ? (name ?? newNameOf({ as_new: 'true' }, file)) : undefined;
      const copy = name === undefined ? file : { ...file, workflow: { ...file.workflow, name } };
      return shapeImported(await importWorkflow(deps, { ...caller, tenant: target }, copy, { asNew }));
    },
  );

  app.get(
    '/api/admin/workflows/alias-availability',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Ask whether an alias is free in an app',
        querystring: z.object({
          alias: z.string({ error: 'is missing: which alias?' }),
          app_slug: z.string().optional(),
          workflow_id: z.string().optional(),
        }),
        response: {
          200: z.object({ alias: z.string(), available: z.boolean(), reason: z.string().optional() }),
        },
      },
    },
    async (request) => {
      const { alias, app_slug: slug, workflow_id: workflowId } = request.query;
      return aliasAvailability(deps, consoleOf(request).tenant, { alias, slug, workflowId });
    },
  );
}

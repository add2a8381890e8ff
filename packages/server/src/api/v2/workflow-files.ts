import { z } from 'zod';
import { type ApiApp, payloadBodyLimit } from '#api/app';
import { callerOf } from '#api/caller';
import { headerOrQuery } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { workflowCaller } from '#api/v2/workflow-caller';
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

const tags = ['Workflows'];
const base = '/api/v2/public/workflow';

/** Workflows as files, which go from one environment to another, and whether an alias is free. */
export function workflowFileRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    `${base}/:workflowId/export`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'Read a workflow as a file, without secrets',
        operationId: 'exportWorkflow',
        params: z.object({ workflowId: z.string() }),
        querystring: exportQuery,
        response: { 200: workflowFile },
      },
    },
    async (request, reply) => {
      const isDraft = request.query.draft === 'true';
      const { workflowId } = request.params;
      return sendAsFile(reply, await exportWorkflow(deps, workflowCaller(request), workflowId, { isDraft }));
    },
  );

  app.post(
    `${base}/import`,
    {
      config: { auth: 'account?', changesWorkflows: true },
      bodyLimit: payloadBodyLimit,
      schema: {
        tags,
        summary: 'Make a draft of a file',
        description:
          'A workflow that came from the same place, or is that place, gets a new draft; otherwise a workflow is made. Publish it when nothing is missing.',
        operationId: 'importWorkflow',
        querystring: importQuery,
        body: workflowFile,
        response: { 200: importedShape },
      },
    },
    async (request) => {
      const { body, query } = request;
      const asNew = newNameOf(query, body);
      return shapeImported(await importWorkflow(deps, workflowCaller(request), body, { asNew }));
    },
  );

  app.get(
    `${base}/alias-availability`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'Ask whether an alias is free in an app',
        operationId: 'getWorkflowAliasAvailability',
        querystring: z.object({
          alias: z.string({ error: 'is missing: which alias?' }),
          slug: z.string().optional().describe('The app; without it, workflows of no app. A header too.'),
          workflow_id: z.string().optional().describe('A workflow that may have it already'),
        }),
        response: {
          200: z.object({ alias: z.string(), available: z.boolean(), reason: z.string().optional() }),
        },
      },
    },
    async (request) => {
      const { alias, workflow_id: workflowId } = request.query;
      const of = { alias, slug: headerOrQuery(request, 'slug'), workflowId };
      return aliasAvailability(deps, callerOf(request).tenant, of);
    },
  );
}

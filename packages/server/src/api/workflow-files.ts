import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { workflowNeeds } from '#domain/workflow-file';
import type { WorkflowFile } from '#domain/workflow-file';
import type { ImportedWorkflow } from '#workflows/index';

/** What the doors of the wire and of the dashboard say alike about files of workflows. */

export const exportQuery = z.object({
  draft: z
    .enum(['true', 'false'], { error: 'is neither true nor false' })
    .optional()
    .describe('The draft, although something else is published'),
});

export const importQuery = z.object({
  as_new: z
    .enum(['true', 'false'], { error: 'is neither true nor false' })
    .optional()
    .describe('Never a new draft of a workflow that is here'),
  name: z.string().max(200).optional().describe('With `as_new`: how to call it'),
});

export const importedShape = z.object({
  workflow_id: z.string(),
  draft_id: z.string(),
  created: z.boolean().describe('false: the workflow was here and has a new draft'),
  missing: workflowNeeds.describe('What it needs and is not here; publishing says the same'),
  connect: z.array(z.string()).describe('Apps that linked accounts must connect'),
});

export function shapeImported({
  workflow,
  isCreated,
  missing,
  connects,
}: ImportedWorkflow): z.output<typeof importedShape> {
  return {
    workflow_id: workflow.id,
    draft_id: workflow.draft_id,
    created: isCreated,
    missing,
    connect: [...connects],
  };
}

/** How a new workflow is called that is made of a file. */
export function newNameOf(query: z.output<typeof importQuery>, file: WorkflowFile): string | undefined {
  if (query.as_new !== 'true') return undefined;
  return query.name ?? `Copy of ${file.workflow.name}`.slice(0, 200);
}

/** Browsers save it under the workflow's name. */
export function sendAsFile(reply: FastifyReply, file: WorkflowFile): WorkflowFile {
  const name = file.workflow.name.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(0, 80);
  reply.header('content-disposition', `attachment; filename="${name === '' ? 'workflow' : name}.json"`);
  return file;
}

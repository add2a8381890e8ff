import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import { changeQueue, createQueue, deleteQueue, getQueue, listQueues } from '#recovery/index';

const tags = ['Dashboard: recovery'];
const base = '/api/admin/recovery-queues';
const idPath = z.object({ id: z.string() });

const column = z.object({
  name: z.string().regex(/^\w{1,64}$/, 'is 1 to 64 letters, digits or _'),
  label: z.string().trim().max(100, 'may have 100 characters').optional(),
});

const fields = {
  name: z.string().trim().min(1, 'must not be empty').max(100, 'may have 100 characters'),
  app_slug: z.string().min(1).max(100).nullable().describe('Null: workflows of any app may use it.'),
  columns: z
    .array(column)
    .max(20, 'may have 20 columns')
    .superRefine((list, ctx) => {
      const at = list.findIndex(({ name }, index) => list.findIndex((one) => one.name === name) < index);
      if (at === -1) return;
      const message = `there is another column "${list[at]!.name}"`;
      ctx.addIssue({ code: 'custom', path: [at, 'name'], message });
    })
    .describe('Values that records carry beside their payload; nodes fill them in by name.'),
  resolution_workflow_id: z
    .string()
    .min(1)
    .max(100)
    .nullable()
    .describe('Resolves the records: null, and what failed is retried instead.'),
};

const createBody = z.strictObject({
  name: fields.name,
  app_slug: fields.app_slug.default(null),
  columns: fields.columns.default([]),
  resolution_workflow_id: fields.resolution_workflow_id.default(null),
});
const changeBody = z.strictObject(fields).partial();

const queueShape = z.object({
  id: z.string(),
  name: z.string(),
  app_slug: z.string().nullable(),
  columns: z.array(z.object({ name: z.string(), label: z.string().optional() })),
  resolution_workflow_id: z.string().nullable(),
  is_built_in: z.boolean().describe('The engine keeps calls of unknown outcome in it.'),
  waiting: z.int().describe('Records that are open or being resolved'),
  created_at: z.string(),
  updated_at: z.string(),
});

/** Queues in which failures wait for repair; their records are in `recovery-records.ts`. */
export function adminRecoveryQueueRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the recovery queues of this environment',
        response: { 200: z.object({ queues: z.array(queueShape) }) },
      },
    },
    async (request) => ({ queues: (await listQueues(deps, consoleOf(request).tenant)).map(shape) }),
  );

  app.post(
    base,
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Create a recovery queue', body: createBody, response: { 200: queueShape } },
    },
    async (request) => {
      const { name, app_slug: appSlug, columns, resolution_workflow_id: resolutionWorkflowId } = request.body;
      const values = { name, appSlug, columns, resolutionWorkflowId };
      return shape(await createQueue(deps, requireAdmin(request).tenant, values));
    },
  );

  app.get(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Read a recovery queue', params: idPath, response: { 200: queueShape } },
    },
    async (request) => shape(await getQueue(deps, consoleOf(request).tenant, request.params.id)),
  );

  app.patch(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change a recovery queue: records keep the values of columns that go',
        params: idPath,
        body: changeBody,
        response: { 200: queueShape },
      },
    },
    async (request) => {
      const { tenant } = requireAdmin(request);
      const { app_slug: appSlug, resolution_workflow_id: resolutionWorkflowId, ...rest } = request.body;
      const change = { ...rest, appSlug, resolutionWorkflowId };
      return shape(await changeQueue(deps, tenant, request.params.id, change));
    },
  );

  app.delete(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete a recovery queue in which no record waits',
        params: idPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await deleteQueue(deps, requireAdmin(request).tenant, request.params.id);
      return { ok: true as const };
    },
  );
}

function shape(queue: Awaited<ReturnType<typeof getQueue>>): z.output<typeof queueShape> {
  return {
    id: queue.id,
    name: queue.name,
    app_slug: queue.appSlug,
    columns: [...queue.columns],
    resolution_workflow_id: queue.resolutionWorkflowId,
    is_built_in: queue.isBuiltIn,
    waiting: queue.waiting,
    created_at: wireTime(queue.createdAt),
    updated_at: wireTime(queue.updatedAt),
  };
}

import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import { type HumanTaskListed, listHumanTasks } from '#db/human-task';

const status = z.enum(['WAITING', 'SUBMITTED', 'TIMEOUT', 'CANCELLED']);

const taskShape = z.object({
  id: z.string(),
  title: z.string(),
  status: status.describe('CANCELLED: its execution ended, or its mail was refused, before anybody answered'),
  mail: z
    .enum(['due', 'sending', 'sent', 'unknown', 'failed'])
    .describe('unknown: nobody can tell whether it arrived, so it was not sent again'),
  receivers: z.array(z.string()),
  execution_id: z.string(),
  node_id: z.string(),
  batch: z.string(),
  workflow_id: z.string().nullable(),
  workflow_name: z.string().nullable(),
  due_at: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});

/** Which forms wait for people, and what became of those that did. Never the link, nor what was filled in. */
export function adminHumanTaskRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/human-tasks',
    {
      config: { auth: 'console' },
      schema: {
        tags: ['Dashboard: human tasks'],
        summary: 'List human tasks, newest first',
        querystring: z.object({
          status: status.optional(),
          workflow_id: z.string().optional(),
          before: z.string().optional().describe('`next` of the page before'),
          limit: z.coerce.number().int().min(1).max(100).default(25),
        }),
        response: { 200: z.object({ tasks: z.array(taskShape), next: z.string().nullable() }) },
      },
    },
    async (request) => {
      const { status, workflow_id: workflowId, before, limit } = request.query;
      const { tenant } = consoleOf(request);
      const filter = { status, workflowId, before };
      // One more than is shown says whether there is another page.
      const rows = await listHumanTasks(deps.pool, tenant, filter, deps.clock.now(), limit + 1);
      const shown = rows.slice(0, limit);
      return { tasks: shown.map(shape), next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null };
    },
  );

  app.post(
    '/api/admin/human-tasks/:id/resend',
    {
      config: { auth: 'console' },
      schema: {
        tags: ['Dashboard: human tasks'],
        summary: 'Mail the link of a task that waits once more, to the same people',
        params: z.object({ id: z.string().max(200) }),
        response: {
          200: z.object({ rejected: z.array(z.string()).describe('Receivers that were refused') }),
        },
      },
    },
    async (request) => {
      const { rejected } = await deps.humanTasks.resend(requireAdmin(request).tenant, request.params.id);
      return { rejected: [...rejected] };
    },
  );
}

function shape({ due_at, created_at, updated_at, ...task }: HumanTaskListed): z.output<typeof taskShape> {
  return {
    ...task,
    due_at: wireTime(due_at),
    created_at: wireTime(created_at),
    updated_at: wireTime(updated_at),
  };
}

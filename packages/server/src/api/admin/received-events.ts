import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import { findInboxEntry, listInbox, type InboxEntry } from '#db/inbox-log';
import { AppError } from '#domain/errors';

const tags = ['Dashboard: events'];
const source = z.enum(['event', 'app_event', 'webhook', 'api_call']);

const entryShape = z.object({
  id: z.string(),
  source,
  event: z.string().nullable().describe('Name of the event; of an app’s event `app/trigger`'),
  account_id: z.string().nullable(),
  config_id: z.string(),
  app: z.string().nullable(),
  status: z.enum(['RECEIVED', 'DUPLICATE']),
  executions: z.int(),
  workflows: z.array(
    z.object({
      workflow_id: z.string(),
      outcome: z.enum(['started', 'duplicate', 'conditions']),
      execution_id: z.string().optional(),
    }),
  ),
  received_at: z.string(),
});

const query = z.object({
  source: source.optional(),
  event: z.string().optional(),
  account_id: z.string().optional(),
  status: z.enum(['RECEIVED', 'DUPLICATE']).optional(),
  before: z.string().optional().describe('`next` of the page before'),
  limit: z.coerce.number().int().min(1).max(100).default(25),
});

/** The log of what came in: events, webhooks, apps' events, and calls that were repeats. */
export function adminReceivedEventRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/received-events',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List what came in, newest first, without payloads',
        querystring: query,
        response: { 200: z.object({ entries: z.array(entryShape), next: z.string().nullable() }) },
      },
    },
    async (request) => {
      const { status, account_id: accountId, limit, ...filter } = request.query;
      const isDuplicate = status === undefined ? undefined : status === 'DUPLICATE';
      // One more than is shown says whether there is another page.
      const rows = await listInbox(
        deps.pool,
        consoleOf(request).tenant,
        { ...filter, accountId, isDuplicate },
        limit + 1,
      );
      const shown = rows.slice(0, limit);
      return { entries: shown.map(shape), next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null };
    },
  );

  app.get(
    '/api/admin/received-events/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read one with its payload',
        params: z.object({ id: z.string() }),
        response: { 200: entryShape.extend({ payload: z.unknown() }) },
      },
    },
    async (request) => {
      const { id } = request.params;
      const entry = await findInboxEntry(deps.pool, consoleOf(request).tenant, id);
      if (entry === undefined) throw new AppError('not_found', { what: 'Event', id });
      return { ...shape(entry), payload: entry.payload };
    },
  );
}

function shape(entry: InboxEntry): z.output<typeof entryShape> {
  return {
    id: entry.id,
    source: entry.source,
    event: entry.event,
    account_id: entry.account_id,
    config_id: entry.config_id,
    app: entry.app_slug,
    status: entry.is_duplicate ? 'DUPLICATE' : 'RECEIVED',
    executions: entry.execution_count,
    workflows: [...(entry.results ?? [])],
    received_at: wireTime(entry.received_at),
  };
}

import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import { deliveriesOf, deliveryOf, sendAgain } from '#webhooks/index';

const tags = ['Dashboard: alerts'];
const base = '/api/admin/alert-deliveries';
const idPath = z.object({ id: z.string() });
const status = z.enum(['pending', 'sent', 'failed']);

const listedShape = z.object({
  id: z.string().describe('The `webhook-id` of its requests, unless it repeats another delivery'),
  rule_id: z.string(),
  rule_name: z.string(),
  channel: z.enum(['webhook', 'email']),
  event: z.string(),
  execution_id: z.string().nullable(),
  count: z.number().describe('Events in it; a mail gathers those of a minute'),
  is_test: z.boolean(),
  repeat_of: z.string().nullable(),
  status,
  attempts: z.number(),
  response_status: z.number().nullable(),
  error: z.string().nullable(),
  next_at: z.string().nullable(),
  created_at: z.string(),
  ended_at: z.string().nullable(),
});

export const deliveryShape = listedShape.extend({
  content: z.string().describe('What is told: JSON, or the lines of a mail'),
  request: z.unknown().describe('The last request, without the values of its own headers'),
  response: z.unknown().describe('What it was answered, the beginning of it'),
});

/** What alert rules sent, and what came of it. */
export function adminAlertDeliveryRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List deliveries, newest first',
        querystring: z.object({
          rule_id: z.string().optional(),
          status: status.optional(),
          cursor: z.string().max(64).optional().describe('`next_cursor` of the page before'),
          limit: z.coerce.number().int().min(1).max(200).default(50),
        }),
        response: { 200: z.object({ deliveries: z.array(listedShape), next_cursor: z.string().nullable() }) },
      },
    },
    async (request) => {
      const { rule_id: ruleId, status: wanted, cursor: before, limit } = request.query;
      const { tenant } = consoleOf(request);
      // One more than is shown says whether there is another page.
      const rows = await deliveriesOf(deps, tenant, { ruleId, status: wanted, before, limit: limit + 1 });
      const shown = rows.slice(0, limit);
      return {
        deliveries: shown.map(shapeListed),
        next_cursor: rows.length > limit ? (shown.at(-1)?.id ?? null) : null,
      };
    },
  );

  app.get(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read a delivery with its request and response',
        params: idPath,
        response: { 200: deliveryShape },
      },
    },
    async (request) => shapeDelivery(await deliveryOf(deps, requireAdmin(request).tenant, request.params.id)),
  );

  app.post(
    `${base}/:id/send-again`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Send a delivery that ended again',
        params: idPath,
        response: { 200: deliveryShape },
      },
    },
    async (request) => shapeDelivery(await sendAgain(deps, requireAdmin(request).tenant, request.params.id)),
  );
}

type Listed = Awaited<ReturnType<typeof deliveriesOf>>[number];

function shapeListed(row: Listed): z.output<typeof listedShape> {
  return {
    id: row.id,
    rule_id: row.ruleId,
    rule_name: row.ruleName,
    channel: row.channel,
    event: row.event,
    execution_id: row.executionId,
    count: row.count,
    is_test: row.isTest,
    repeat_of: row.repeatOf,
    status: row.status,
    attempts: row.attempts,
    response_status: row.responseStatus,
    error: row.lastError,
    next_at: row.nextAt && wireTime(row.nextAt),
    created_at: wireTime(row.createdAt),
    ended_at: row.endedAt && wireTime(row.endedAt),
  };
}

export function shapeDelivery(row: Awaited<ReturnType<typeof deliveryOf>>): z.output<typeof deliveryShape> {
  return { ...shapeListed(row), content: row.content, request: row.request, response: row.response };
}

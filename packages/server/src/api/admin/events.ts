import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import { getLinkedAccount } from '#connections/index';
import type { StoredEvent } from '#db/org-event';
import {
  allEvents,
  createEvent,
  createFiringCheck,
  deleteEvent,
  getEvent,
  updateEvent,
} from '#workflows/index';

const tags = ['Dashboard: events'];
const idPath = z.object({ id: z.string() });

const eventShape = z.object({
  id: z.string(),
  name: z.string(),
  sample: z.record(z.string(), z.unknown()),
  json_schema: z.record(z.string(), z.unknown()).optional(),
  created_at: z.string(),
  updated_at: z.string(),
});

/** The sample is a JSON object, or its text: what is wrong with a text is told with line and column. */
const eventBody = z.object({
  name: z.string().default(''),
  sample: z.unknown(),
  json_schema: z.unknown().optional(),
});

/** The organisation's events: what its backend may send. */
export function adminEventRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/events',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List events',
        response: { 200: z.object({ events: z.array(eventShape) }) },
      },
    },
    async (request) => ({ events: (await allEvents(deps, consoleOf(request).tenant)).map(shape) }),
  );

  app.post(
    '/api/admin/events',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Create an event', body: eventBody, response: { 200: eventShape } },
    },
    async (request) => {
      const { name, sample, json_schema: jsonSchema } = request.body;
      return shape(await createEvent(deps, consoleOf(request).tenant, { name, sample, jsonSchema }));
    },
  );

  app.patch(
    '/api/admin/events/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change an event',
        params: idPath,
        body: z.object({
          name: z.string().optional(),
          sample: z.unknown().optional(),
          json_schema: z.unknown().optional(),
        }),
        response: { 200: eventShape },
      },
    },
    async (request) => {
      const { name, sample, json_schema: jsonSchema } = request.body;
      return shape(
        await updateEvent(deps, consoleOf(request).tenant, request.params.id, {
          ...(name === undefined ? {} : { name }),
          ...(sample === undefined ? {} : { sample }),
          ...(jsonSchema === undefined ? {} : { jsonSchema }),
        }),
      );
    },
  );

  app.delete(
    '/api/admin/events/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete an event',
        params: idPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await deleteEvent(deps, consoleOf(request).tenant, request.params.id);
      return { ok: true as const };
    },
  );

  const firing = createFiringCheck(deps);
  app.post(
    '/api/admin/events/:id/send',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Send an event for a linked account, as its backend would',
        params: idPath,
        body: z.object({ linked_account_id: z.string().min(1), payload: z.unknown().optional() }),
        response: { 200: z.object({ executions: z.int() }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const event = await getEvent(deps, tenant, request.params.id);
      const account = await getLinkedAccount(deps, tenant, request.body.linked_account_id);
      const payload = request.body.payload ?? {};
      await firing.check(tenant, event.name, payload);
      const { executions } = await deps.engine.acceptEvent(tenant, {
        event: event.name,
        payload,
        linkedAccount: { id: account.id, accountId: account.account_id },
        configId: account.account_id,
      });
      return { executions };
    },
  );
}

function shape(event: StoredEvent): z.output<typeof eventShape> {
  return {
    id: event.id,
    name: event.name,
    sample: event.sample,
    ...(event.json_schema === null ? {} : { json_schema: event.json_schema }),
    created_at: wireTime(event.created_at),
    updated_at: wireTime(event.updated_at),
  };
}

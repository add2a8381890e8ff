import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { payloadBodyLimit, type ApiApp } from '#api/app';
import { accountCallerOf, callerOf } from '#api/caller';
import { contextFlag, contextValue, harmlessHeaders } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { parseMultipartEvent } from '#api/v2/multipart-event';
import { isAppEnabled } from '#db/enabled-app';
import type { StoredEvent } from '#db/org-event';
import { AppError } from '#domain/errors';
import {
  allEvents,
  createEvent,
  createFiringCheck,
  deleteEvent,
  type FiringCheck,
  flattenSample,
  getEvent,
  updateEvent,
} from '#workflows/index';

const tags = ['Events'];
const eventPath = z.object({ event_id: z.string() });

export const eventShape = z.object({
  _id: z.string(),
  name: z.string(),
  response: z.array(z.object({ key: z.string(), type: z.string() })),
  raw_response: z.string(),
  json_schema: z.record(z.string(), z.unknown()).optional(),
});

const eventBody = z.looseObject({
  name: z.string().optional(),
  response: z.unknown().describe('A sample of the payload: a JSON object, or its text.').optional(),
  json_schema: z.unknown().optional(),
});

/** An event as the wire shows it: the sample flattened, and as text. */
export function shapeEvent(event: StoredEvent): z.output<typeof eventShape> {
  return {
    _id: event.id,
    name: event.name,
    response: flattenSample(event.sample),
    raw_response: JSON.stringify(event.sample),
    ...(event.json_schema === null ? {} : { json_schema: event.json_schema }),
  };
}

/** Events of the SaaS company and their firing: spec/api §4.7. */
export function eventRoutes(app: ApiApp, deps: ApiDeps): void {
  readRoutes(app, deps);
  changeRoutes(app, deps);
  // Forms are taken at these doors only, hence a scope with a parser of its own.
  void app.register(async (scope) => {
    scope.addContentTypeParser(
      'multipart/form-data',
      { parseAs: 'buffer', bodyLimit: payloadBodyLimit },
      async (request: FastifyRequest, bytes: Buffer) =>
        parseMultipartEvent(request.headers['content-type'] ?? '', bytes),
    );
    fireRoutes(scope, deps);
  });
}

function readRoutes(app: ApiApp, deps: ApiDeps): void {
  for (const url of ['/api/v2/public/application/event', '/api/v2/public/event']) {
    const isAlias = url.endsWith('public/event');
    app.get(
      url,
      {
        config: { auth: 'key' },
        schema: {
          tags,
          summary: 'List events',
          operationId: isAlias ? 'listEventsAlias' : 'listEvents',
          response: { 200: z.array(eventShape) },
        },
      },
      (request) => listShaped(deps, request),
    );
    app.get(
      `${url}/:event_id`,
      {
        config: { auth: 'key' },
        schema: {
          tags,
          summary: 'Read an event',
          operationId: isAlias ? 'getEventAlias' : 'getEvent',
          params: eventPath,
          response: { 200: eventShape },
        },
      },
      async (request) => shapeEvent(await getEvent(deps, callerOf(request).tenant, request.params.event_id)),
    );
  }
}

function changeRoutes(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/api/v2/public/application/event',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Create an event; answers with all of them',
        operationId: 'createEvent',
        body: eventBody,
        response: { 200: z.array(eventShape) },
      },
    },
    async (request) => {
      const { name, response, json_schema: jsonSchema } = request.body;
      if (name === undefined || response === undefined) throw new AppError('event_incomplete', undefined);
      await createEvent(deps, callerOf(request).tenant, { name, sample: response, jsonSchema });
      return listShaped(deps, request);
    },
  );

  app.put(
    '/api/v2/public/application/event/:event_id',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Change an event; answers with all of them',
        operationId: 'updateEvent',
        params: eventPath,
        body: eventBody,
        response: { 200: z.array(eventShape) },
      },
    },
    async (request) => {
      await change(deps, request, request.params.event_id, request.body);
      return listShaped(deps, request);
    },
  );
  app.put(
    '/api/v2/public/event/:event_id',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Change an event (Node SDK); answers with that event',
        operationId: 'updateEventAlias',
        params: eventPath,
        body: eventBody,
        response: { 200: eventShape },
      },
    },
    async (request) => shapeEvent(await change(deps, request, request.params.event_id, request.body)),
  );

  app.delete(
    '/api/v2/public/application/event/:event_id',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Delete an event; answers with the remaining ones',
        operationId: 'deleteEvent',
        params: eventPath,
        response: { 200: z.array(eventShape) },
      },
    },
    async (request) => {
      await deleteEvent(deps, callerOf(request).tenant, request.params.event_id);
      return listShaped(deps, request);
    },
  );
  app.delete(
    '/api/v2/public/event/:event_id',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Delete an event (Node SDK); answers with that event',
        operationId: 'deleteEventAlias',
        params: eventPath,
        response: { 200: eventShape },
      },
    },
    async (request) => shapeEvent(await deleteEvent(deps, callerOf(request).tenant, request.params.event_id)),
  );
}

const fireBody = z.looseObject({
  event: z.string().optional(),
  trigger: z.string().optional(),
  payload: z.unknown().optional(),
});

/** Every door by which an event comes in; `slug` stands in the path of one of them. */
function fireRoutes(app: ApiApp, deps: ApiDeps): void {
  const firing = createFiringCheck(deps);
  const doors = [
    { url: '/api/v2/public/event/trigger', operationId: 'triggerEvent' },
    { url: '/api/v2/public/event', operationId: 'triggerEventBare' },
    { url: '/api/v1/event/trigger', operationId: 'triggerEventV1' },
    { url: '/api/v2/public/event/:slug', operationId: 'triggerEventBySlug' },
    { url: '/api/v1/webhook/:org_id', operationId: 'triggerEventByOrganization' },
  ];
  for (const { url, operationId } of doors) {
    app.post(
      url,
      {
        bodyLimit: payloadBodyLimit,
        // It starts whatever listens.
        config: { auth: 'account', changesWorkflows: true },
        schema: {
          tags,
          summary: 'Send an event for a linked account',
          operationId,
          body: fireBody,
          response: { 200: z.object({ message: z.string() }) },
        },
      },
      async (request) => {
        const { slug, org_id: orgId } = request.params as { slug?: string; org_id?: string };
        if (orgId !== undefined && orgId !== accountCallerOf(request).tenant.orgId) {
          throw new AppError('not_found', { what: 'Organization', id: orgId });
        }
        await fire({ ...deps, firing }, request, request.body, slug ?? contextValue(request, 'slug'));
        return { message: 'Webhook Fired Success' };
      },
    );
  }
}

/** Stores the event durably with the executions that it starts; nobody listening is a success too. */
async function fire(
  deps: ApiDeps & { readonly firing: FiringCheck },
  request: FastifyRequest,
  body: z.output<typeof fireBody>,
  slug: string | undefined,
): Promise<void> {
  const { tenant, linkedAccount } = accountCallerOf(request);
  const name = body.event ?? body.trigger;
  if (name === undefined || name === '') throw new AppError('missing_field', { field: 'event' });
  if (slug !== undefined && !(await isAppEnabled(deps.db, tenant, slug))) {
    throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
  }
  const payload = body.payload ?? {};
  const event = await deps.firing.check(tenant, name, payload);
  await deps.engine.acceptEvent(tenant, {
    event: event.name,
    payload,
    headers: contextFlag(request, 'include-headers') ? harmlessHeaders(request) : undefined,
    requestHeaders: request.headers,
    linkedAccount: { id: linkedAccount.id, accountId: linkedAccount.accountId },
    configId: contextValue(request, 'config_id') ?? linkedAccount.accountId,
    slug,
    instanceTag: contextValue(request, 'instance_tag'),
  });
}

async function listShaped(deps: ApiDeps, request: FastifyRequest) {
  return (await allEvents(deps, callerOf(request).tenant)).map(shapeEvent);
}

function change(deps: ApiDeps, request: FastifyRequest, id: string, body: z.output<typeof eventBody>) {
  const { name, response, json_schema: jsonSchema } = body;
  return updateEvent(deps, callerOf(request).tenant, id, {
    ...(name === undefined ? {} : { name }),
    ...(response === undefined ? {} : { sample: response }),
    ...(jsonSchema === undefined ? {} : { jsonSchema }),
  });
}

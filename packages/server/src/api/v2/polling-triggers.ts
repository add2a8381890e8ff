import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf, callerOf } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import type { StoredCustomPoll } from '#db/custom-poll';
import {
  customPollBody,
  customPollsOf,
  getCustomPoll,
  putCustomPoll,
  removeCustomPoll,
  tryCustomPoll,
} from '#triggers/index';

const tags = ['Polling triggers'];
const base = '/api/v1/public/connector/:slug/polling-trigger';
const appPath = z.object({ slug: z.string() });
const idPath = appPath.extend({ polling_trigger_id: z.string() });

const shape = z.looseObject({
  _id: z.string(),
  slug: z.string(),
  name: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
});

/** Custom polling triggers of an app: spec/api §4.16. */
export function pollingTriggerRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'List the polling triggers that you made for an app',
        operationId: 'listPollingTriggers',
        params: appPath,
        response: { 200: z.object({ docs: z.array(shape) }) },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request);
      return { docs: (await customPollsOf(deps, { tenant, slug: request.params.slug })).map(shapeTrigger) };
    },
  );

  app.post(
    base,
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Make a polling trigger of any endpoint of an app that lists records',
        operationId: 'createPollingTrigger',
        params: appPath,
        body: customPollBody,
        response: { 200: shape },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request);
      return shapeTrigger(await putCustomPoll(deps, { tenant, slug: request.params.slug }, request.body));
    },
  );

  app.post(
    `${base}/test`,
    {
      config: { auth: 'key+account' },
      schema: {
        tags,
        summary: 'Ask the app once, as the trigger would, with the connection of a linked account',
        description: 'Nothing is stored and nothing starts. The window is the last 24 hours.',
        operationId: 'testPollingTrigger',
        params: appPath,
        body: customPollBody,
        response: {
          200: z.object({
            total: z.int(),
            is_truncated: z.boolean(),
            records: z.array(z.object({ id: z.string(), data: z.unknown() })),
          }),
        },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const of = { tenant, linkedAccount, slug: request.params.slug };
      const { items, isTruncated } = await tryCustomPoll(deps, of, request.body);
      const records = items.slice(0, 10).map(({ id, data }) => ({ id, data }));
      return { total: items.length, is_truncated: isTruncated, records };
    },
  );

  app.get(
    `${base}/:polling_trigger_id`,
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Read a polling trigger',
        operationId: 'getPollingTrigger',
        params: idPath,
        response: { 200: shape },
      },
    },
    async (request) => {
      const { slug, polling_trigger_id: id } = request.params;
      return shapeTrigger(await getCustomPoll(deps, { tenant: callerOf(request).tenant, slug }, id));
    },
  );

  app.put(
    `${base}/:polling_trigger_id`,
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Replace a polling trigger',
        operationId: 'updatePollingTrigger',
        params: idPath,
        body: customPollBody,
        response: { 200: shape },
      },
    },
    async (request) => {
      const { slug, polling_trigger_id: id } = request.params;
      const owner = { tenant: callerOf(request).tenant, slug };
      return shapeTrigger(await putCustomPoll(deps, owner, request.body, id));
    },
  );

  app.delete(
    `${base}/:polling_trigger_id`,
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Delete a polling trigger that no published workflow uses',
        operationId: 'deletePollingTrigger',
        params: idPath,
        response: { 200: z.object({ message: z.string() }) },
      },
    },
    async (request) => {
      const { slug, polling_trigger_id: id } = request.params;
      await removeCustomPoll(deps, { tenant: callerOf(request).tenant, slug }, id);
      return { message: 'Polling trigger deleted successfully' };
    },
  );
}

function shapeTrigger(row: StoredCustomPoll): z.input<typeof shape> {
  return {
    _id: row.id,
    slug: row.app_slug,
    name: row.name,
    ...row.definition,
    createdAt: wireTime(row.created_at),
    updatedAt: wireTime(row.updated_at),
  };
}

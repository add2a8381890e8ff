import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import { type ApiApp, payloadBodyLimit } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import {
  customActionInput,
  customActionsOf,
  executeAction,
  getCustomAction,
  getLinkedAccount,
  putCustomAction,
  removeCustomAction,
} from '#connections/index';
import type { StoredCustomAction } from '#db/custom-action';

const tags = ['Dashboard: custom actions'];
const base = '/api/admin/apps/:slug/custom-actions';
const appPath = z.object({ slug: z.string() });
const idPath = appPath.extend({ id: z.string() });

const shape = z.looseObject({
  id: z.string(),
  slug: z.string(),
  action_id: z.string(),
  name: z.string(),
  description: z.string(),
  has_mtls: z.boolean(),
  created_at: z.string(),
  updated_at: z.string(),
});

/** Actions that the organisation adds to an app. */
export function adminCustomActionRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the actions that you added to an app',
        params: appPath,
        response: { 200: z.object({ custom_actions: z.array(shape) }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      return { custom_actions: (await customActionsOf(deps, { tenant, ...request.params })).map(shown) };
    },
  );

  app.post(
    base,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Add an action to an app: any endpoint of it',
        params: appPath,
        body: customActionInput,
        response: { 200: shape },
      },
    },
    async (request) => {
      const { tenant } = requireAdmin(request);
      return shown(await putCustomAction(deps, { tenant, ...request.params }, request.body));
    },
  );

  app.get(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Read a custom action', params: idPath, response: { 200: shape } },
    },
    async (request) => {
      const { slug, id } = request.params;
      return shown(await getCustomAction(deps, { tenant: consoleOf(request).tenant, slug }, id));
    },
  );

  app.put(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Replace a custom action: it counts from the next call on',
        params: idPath,
        body: customActionInput,
        response: { 200: shape },
      },
    },
    async (request) => {
      const { slug, id } = request.params;
      const owner = { tenant: requireAdmin(request).tenant, slug };
      return shown(await putCustomAction(deps, owner, request.body, id));
    },
  );

  app.delete(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete a custom action: nodes that use it fail from then on',
        params: idPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      const { slug, id } = request.params;
      await removeCustomAction(deps, { tenant: requireAdmin(request).tenant, slug }, id);
      return { ok: true as const };
    },
  );

  app.post(
    `${base}/:id/test`,
    {
      config: { auth: 'console' },
      bodyLimit: payloadBodyLimit,
      schema: {
        tags,
        summary: 'Call a custom action once, with the connection of a linked account',
        params: idPath,
        body: z.object({
          linked_account_id: z.string().min(1).max(500),
          parameters: z.record(z.string(), z.unknown()).default({}),
        }),
        response: {
          200: z.object({
            node_status: z.enum(['Success', 'Errored']),
            data: z.unknown(),
            http_status: z.int(),
          }),
        },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { slug, id } = request.params;
      const { action_id: actionId } = await getCustomAction(deps, { tenant, slug }, id);
      const account = await getLinkedAccount(deps, tenant, request.body.linked_account_id);
      const result = await executeAction(deps, {
        tenant,
        linkedAccountId: account.id,
        slug,
        actionId,
        input: request.body.parameters,
      });
      return {
        node_status: result.ok ? ('Success' as const) : ('Errored' as const),
        data: result.data,
        http_status: result.status,
      };
    },
  );
}

function shown(row: StoredCustomAction): z.output<typeof shape> {
  return {
    id: row.id,
    slug: row.app_slug,
    action_id: row.action_id,
    name: row.name,
    description: row.description,
    ...row.definition,
    has_mtls: row.tls_sealed !== null,
    created_at: wireTime(row.created_at),
    updated_at: wireTime(row.updated_at),
  };
}

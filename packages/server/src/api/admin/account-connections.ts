import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import { getLinkedAccount } from '#connections/index';
import { listAccountConfigs } from '#db/account-configs';
import { listConnectionLog } from '#db/connection-log';
import { summarizeConnections } from '#db/connection-summary';

const authType = z.enum(['oauth2', 'keybased']);
const appName = z.object({ slug: z.string(), name: z.string(), icon: z.string() });
const shownLogEntries = 100;

const shape = z.object({
  connections: z.array(
    z.object({
      id: z.string(),
      app: appName,
      auth_type: authType,
      status: z.enum(['active', 'expired']),
      status_reason: z.string().nullable(),
      identifier: z.string().nullable().describe('Who is behind it at the provider'),
      granted_scopes: z.array(z.string()).nullable(),
      connected_at: z.string(),
    }),
  ),
  log: z.array(
    z.object({
      id: z.string(),
      app: appName,
      event: z.string(),
      auth_type: authType.nullable(),
      detail: z.record(z.string(), z.unknown()),
      created_at: z.string(),
    }),
  ),
  configs: z.array(
    z.object({
      app: appName,
      config_id: z.string(),
      values: z.array(z.object({ name: z.string(), value: z.unknown() })),
      workflows: z.array(z.object({ id: z.string(), name: z.string(), is_enabled: z.boolean() })),
      updated_at: z.string(),
    }),
  ),
});

/** What a linked account connected and chose, and what happened to it. */
export function adminAccountConnectionRoutes(app: ApiApp, deps: ApiDeps): void {
  const named = (slug: string) => ({
    slug,
    name: deps.connectors.get(slug)?.name ?? slug,
    icon: `/icons/${slug}.svg`,
  });

  app.get(
    '/api/admin/linked-accounts/:account_id/connections',
    {
      config: { auth: 'console' },
      schema: {
        tags: ['Dashboard: linked accounts'],
        summary: 'Read what a linked account connected and chose, and the log of its connections',
        params: z.object({ account_id: z.string() }),
        response: { 200: shape },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { id } = await getLinkedAccount(deps, tenant, request.params.account_id);
      const [connections, log, configs] = await Promise.all([
        summarizeConnections(deps.db, tenant, [id]),
        listConnectionLog(deps.db, tenant, id, shownLogEntries),
        listAccountConfigs(deps.db, tenant, id),
      ]);
      return {
        connections: connections.map((row) => ({
          id: row.id,
          app: named(row.app_slug),
          auth_type: row.auth_type,
          status: row.status,
          status_reason: row.status_reason,
          identifier: words(row.identifier),
          granted_scopes: row.granted_scopes,
          connected_at: wireTime(row.connected_at),
        })),
        log: log.map((row) => ({
          id: row.id,
          app: named(row.app_slug),
          event: row.event,
          auth_type: authType.nullable().catch(null).parse(row.auth_type),
          detail: row.detail,
          created_at: wireTime(row.created_at),
        })),
        configs: configs.map((row) => ({
          app: named(row.app_slug),
          config_id: row.config_id,
          values: [...row.values],
          workflows: [...row.workflows],
          updated_at: wireTime(new Date(row.updated_at)),
        })),
      };
    },
  );
}

function words(identifier: unknown): string | null {
  if (identifier === null || identifier === undefined) return null;
  return typeof identifier === 'string' ? identifier : JSON.stringify(identifier);
}

import { z } from 'zod';
import { appDetailShape, appSummaryShape, shapeAppDetail, shapeAppSummary } from '#api/admin/app-shape';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import {
  type App,
  findCatalogueApp,
  listCatalogue,
  revealClientSecret,
  saveAppSettings,
} from '#connections/index';
import { countConnections } from '#db/connection-summary';
import type { Tenant } from '#domain/tenant';

const tags = ['Dashboard: apps'];
const appPath = z.object({ slug: z.string() });
const scopes = z.array(z.string().min(1).max(500)).max(500);

/** The catalogue, and what this environment chose for an app. */
export function adminAppRoutes(app: ApiApp, deps: ApiDeps): void {
  const detail = async (tenant: Tenant, found: App) =>
    shapeAppDetail(found, await countConnections(deps.db, tenant, found.connector.slug));

  app.get(
    '/api/admin/apps',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the catalogue',
        response: { 200: z.object({ apps: z.array(appSummaryShape) }) },
      },
    },
    async (request) => ({
      apps: (await listCatalogue(deps, consoleOf(request).tenant)).map(shapeAppSummary),
    }),
  );

  app.get(
    '/api/admin/apps/:slug',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Read an app', params: appPath, response: { 200: appDetailShape } },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      return detail(tenant, await findCatalogueApp(deps, tenant, request.params.slug));
    },
  );

  app.patch(
    '/api/admin/apps/:slug',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Enable, disable or configure an app; absent members stay as they are',
        params: appPath,
        body: z.object({
          is_enabled: z.boolean().optional(),
          credential_source: z.enum(['ours', 'own']).optional(),
          client_id: z.string().trim().min(1).max(2000).optional(),
          client_secret: z.string().trim().min(1).max(10_000).optional(),
          optional_scopes: scopes.optional(),
          custom_scopes: scopes.optional(),
          variables: z.record(z.string(), z.string().max(2000)).optional(),
        }),
        response: { 200: appDetailShape },
      },
    },
    async (request) => {
      const { tenant } = requireAdmin(request);
      const { body } = request;
      const saved = await saveAppSettings(deps, tenant, request.params.slug, {
        isEnabled: body.is_enabled,
        credentialSource: body.credential_source,
        clientId: body.client_id,
        clientSecret: body.client_secret,
        optionalScopes: body.optional_scopes,
        customScopes: body.custom_scopes,
        variables: body.variables,
      });
      return detail(tenant, saved);
    },
  );

  app.post(
    '/api/admin/apps/:slug/client-secret/reveal',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Show the stored client secret',
        params: appPath,
        response: { 200: z.object({ client_secret: z.string() }) },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      const { tenant } = requireAdmin(request);
      return { client_secret: await revealClientSecret(deps, tenant, request.params.slug) };
    },
  );
}

import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { getOwnApi, ownApiDefinition, removeOwnApi, saveOwnApi } from '#connections/index';

const tags = ['Dashboard: your API'];
const shape = z.looseObject({ base_url: z.string() });

/** How workflows call the organisation's own API. */
export function adminOwnApiRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/own-api',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read how your own API is called',
        response: { 200: z.object({ own_api: shape.nullable() }) },
      },
    },
    async (request) => ({ own_api: (await getOwnApi(deps, consoleOf(request).tenant)) ?? null }),
  );

  app.put(
    '/api/admin/own-api',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Set how your own API is called: its address, a token exchange, and where the token goes',
        body: ownApiDefinition,
        response: { 200: z.object({ own_api: shape }) },
      },
    },
    async (request) => ({ own_api: await saveOwnApi(deps, requireAdmin(request).tenant, request.body) }),
  );

  app.delete(
    '/api/admin/own-api',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Forget how your own API is called: nodes that call it fail from then on',
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await removeOwnApi(deps, requireAdmin(request).tenant);
      return { ok: true as const };
    },
  );
}

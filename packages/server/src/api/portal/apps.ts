import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { findLastFailure } from '#db/connection-log';

const params = z.object({ slug: z.string().min(1).max(200) });

/** Why the last attempt to connect an app failed: the portal tells it where the provider's window cannot. */
export function portalAppRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/portal/apps/:slug/last-failure',
    {
      // The portal polls it while the provider's window is open.
      config: { auth: 'session', rateLimit: false },
      schema: {
        hide: true,
        params,
        response: {
          200: z.object({
            id: z.string().optional(),
            is_denial: z.boolean().optional(),
            message: z.string().optional(),
          }),
        },
      },
    },
    async (request, reply) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      void reply.header('cache-control', 'no-store');
      const failure = await findLastFailure(deps.db, tenant, linkedAccount.id, request.params.slug);
      if (failure === undefined) return {};
      const { id, detail } = failure;
      return {
        id,
        // RFC 6749 §4.1.2.1: the resource owner said no.
        is_denial: detail['error'] === 'access_denied',
        ...(typeof detail['message'] === 'string' && { message: detail['message'] }),
      };
    },
  );
}

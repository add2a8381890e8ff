import { describeFields } from '@inlay/connectors/kit';
import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { applicationShape, shapeApplication } from '#api/v2/application-shape';
import { findApp, listApps } from '#connections/index';
import { AppError } from '#domain/errors';

const tags = ['Applications'];
const slugPath = z.object({ slug: z.string() });

const filters = z.object({
  slug: z.string().optional(),
  tags: z.string().optional().describe('Separated by commas; any of them.'),
  ecosystem: z.string().optional(),
  auth_type: z.string().optional(),
});

/** The apps a linked account can connect: spec/api §4.3. The `f-sdk` paths are the browser SDK's. */
export function applicationRoutes(app: ApiApp, deps: ApiDeps): void {
  const { publicUrl } = deps.config;

  for (const [path, auth, operationId] of [
    ['/api/v2/public/application', 'account', 'listApplicationsForLinkedAccount'],
    ['/api/v2/f-sdk/application', 'session', undefined],
  ] as const) {
    app.get(
      path,
      {
        config: { auth, rateLimit: false },
        schema: {
          tags,
          summary: 'List the enabled apps, and what the account has connected',
          ...(operationId !== undefined && { operationId }),
          querystring: filters,
          response: { 200: z.array(applicationShape) },
        },
      },
      async (request) => {
        const { tenant, linkedAccount } = accountCallerOf(request);
        const { slug, auth_type: authType, tags: wanted } = request.query;
        const anyTag = wanted?.split(',').map((tag) => tag.trim().toLowerCase());
        const apps = await listApps(deps, tenant, linkedAccount.id);
        return apps
          .map((one) => shapeApplication(publicUrl, one))
          .filter((one) => slug === undefined || one.slug === slug)
          .filter((one) => authType === undefined || Object.hasOwn(one.auth_type_options, authType))
          .filter(
            (one) => anyTag === undefined || one.tags.some((tag) => anyTag.includes(tag.toLowerCase())),
          );
      },
    );
  }

  for (const [path, auth, operationId] of [
    ['/api/v2/public/application/:slug', 'account', 'getApplicationBySlug'],
    ['/api/v2/f-sdk/application/:slug', 'session', undefined],
  ] as const) {
    app.get(
      path,
      {
        // The browser SDK polls this every 3 s while a person authorizes, and gives up on the first error.
        config: { auth, rateLimit: false },
        schema: {
          tags,
          summary: 'Read an app, and what the account has connected',
          ...(operationId !== undefined && { operationId }),
          params: slugPath,
          response: { 200: applicationShape },
        },
      },
      async (request, reply) => {
        const { tenant, linkedAccount } = accountCallerOf(request);
        reply.header('cache-control', 'no-store');
        return shapeApplication(
          publicUrl,
          await findApp(deps, tenant, linkedAccount.id, request.params.slug),
        );
      },
    );
  }

  app.get(
    '/api/v2/public/auth-structure/:slug',
    {
      config: { auth: 'none' },
      schema: {
        tags,
        summary: 'Read which credential fields an app takes',
        operationId: 'getAuthStructureForApp',
        params: slugPath,
        response: { 200: z.record(z.string(), z.record(z.string(), z.unknown())) },
      },
    },
    (request) => {
      const connector = deps.connectors.get(request.params.slug);
      if (connector === undefined) {
        throw new AppError('not_found', { what: 'Application', id: request.params.slug });
      }
      const { oauth2, keybased } = connector.auth;
      return {
        ...(oauth2 !== undefined && {
          oauth2: {
            access_token: 'string',
            ...(oauth2.refresh !== 'none' && { refresh_token: optional }),
            ...Object.fromEntries(oauth2.keep.map((name) => [name, optional])),
          },
        }),
        ...(keybased !== undefined && {
          keybased: Object.fromEntries(
            describeFields(connector, keybased.fields).map((field) => [
              field.name,
              field.required ? 'string' : optional,
            ]),
          ),
        }),
      };
    },
  );
}

const optional = { type: 'string', required: false };

import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { callbackPage, callbackScript, callbackStyle } from '#api/v2/callback-page';
import { linkedAccountShape, shapeWithIntegrations } from '#api/v2/linked-account-shape';
import { connectWithKeys, disconnect, finishOAuth, getLinkedAccount, startOAuth } from '#connections/index';
import { AppError } from '#domain/errors';

const tags = ['Connecting'];
const slugPath = z.object({ slug: z.string() });
const authUrlAnswer = z.object({ auth_url: z.string() });
const saved = z.object({ success: z.literal(true) });

/** How accounts connect and disconnect: spec/api §4.3. */
export function authorizationRoutes(app: ApiApp, deps: ApiDeps): void {
  for (const [method, path, auth, operationId] of [
    [
      'GET',
      '/api/v2/public/linked-account/integration/oauth-url/:slug',
      'account',
      'getOAuthUrlForLinkedAccount',
    ],
    ['GET', '/api/v1/:slug/integrate', 'session', undefined],
    ['POST', '/api/v1/:slug/integrate', 'session', undefined],
  ] as const) {
    app.route({
      method,
      url: path,
      config: { auth },
      schema: {
        tags,
        summary: 'Begin an OAuth authorization',
        ...(operationId !== undefined && { operationId }),
        params: slugPath,
        querystring: z.looseObject({
          return_to: z.string().optional().describe('A page of this installation to come back to.'),
        }),
        response: { 200: authUrlAnswer },
      },
      handler: async (request, reply) => {
        const { tenant, linkedAccount } = accountCallerOf(request);
        const { return_to: returnTo, ...query } = request.query as Record<string, unknown>;
        const body = method === 'POST' ? (request.body as Record<string, unknown>) : {};
        const { authUrl } = await startOAuth(deps, {
          tenant,
          linkedAccount,
          slug: request.params.slug,
          params: { ...query, ...body },
          returnTo: typeof returnTo === 'string' ? returnTo : undefined,
        });
        reply.header('cache-control', 'no-store');
        return { auth_url: authUrl };
      },
    });
  }

  app.get(
    '/api/v1/:slug/callback',
    {
      config: { auth: 'none' },
      schema: { tags, summary: 'Where providers send browsers back to', params: slugPath },
    },
    async (request, reply) => {
      const query = new URLSearchParams(request.url.split('?')[1] ?? '');
      const outcome = await finishOAuth(deps, { slug: request.params.slug, query });
      return reply
        .code(outcome.kind === 'connected' ? 200 : 400)
        .headers(pageHeaders)
        .type('text/html; charset=utf-8')
        .serializer(String)
        .send(callbackPage(outcome));
    },
  );

  for (const [path, type, text] of [
    ['/api/v1/callback.js', 'text/javascript; charset=utf-8', callbackScript],
    ['/api/v1/callback.css', 'text/css; charset=utf-8', callbackStyle],
  ] as const) {
    app.get(path, { config: { auth: 'none' }, schema: { hide: true } }, (_request, reply) =>
      reply
        .headers({ 'cache-control': 'public, max-age=300', 'x-content-type-options': 'nosniff' })
        .type(type)
        .serializer(String)
        .send(text),
    );
  }

  for (const [method, path, auth, operationId] of [
    [
      'PUT',
      '/api/v2/public/linked-account/integration/save-key-credentials/:slug',
      'account',
      'saveKeyBasedAppCredentials',
    ],
    ['POST', '/api/v2/app/:slug/save', 'session', undefined],
  ] as const) {
    app.route({
      method,
      url: path,
      config: { auth },
      schema: {
        tags,
        summary: 'Connect with keys; the provider is asked before they are stored',
        ...(operationId !== undefined && { operationId }),
        params: slugPath,
        body: z.looseObject({}),
        response: { 200: saved },
      },
      handler: async (request) => {
        const { tenant, linkedAccount } = accountCallerOf(request);
        await connectWithKeys(deps, {
          tenant,
          linkedAccount,
          slug: request.params.slug,
          fields: request.body,
        });
        return { success: true as const };
      },
    });
  }

  for (const [path, auth, operationId] of [
    ['/api/v2/public/linked-account/integration/:slug', 'account', 'deleteIntegration'],
    ['/api/v1/linked-acc/integration/:slug', 'session', undefined],
  ] as const) {
    app.delete(
      path,
      {
        config: { auth },
        schema: {
          tags,
          summary: 'Disconnect an app, or one way of connecting it',
          ...(operationId !== undefined && { operationId }),
          params: slugPath,
          querystring: z.object({ auth_type: z.enum(['oauth2', 'keybased']).optional() }),
          response: { 200: linkedAccountShape },
        },
      },
      async (request) => {
        const { tenant, linkedAccount } = accountCallerOf(request);
        await disconnect(deps, {
          tenant,
          linkedAccount,
          slug: request.params.slug,
          authType: request.query.auth_type,
        });
        const account = await getLinkedAccount(deps, tenant, linkedAccount.accountId);
        const [shape] = await shapeWithIntegrations(deps, tenant, [account]);
        if (shape === undefined) throw new AppError('internal', undefined);
        return shape;
      },
    );
  }
}

/**
 * No inline script, nothing from elsewhere, no frame. And no Cross-Origin-Opener-Policy: it would cut the page
 * from the window that opened it, which then takes the authorization for given up.
 */
const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { payloadBodyLimit, type ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { acceptProviderCall } from '#ingress/index';

/**
 * Where apps call us: `/api/v1/webhook/<app>/<organisation>-<environment>` for an app that names the account in its
 * call, `/api/v1/webhook/<app>/<account>` otherwise. Whatever comes is taken as bytes, since signatures cover those;
 * GET is for the handshakes of providers that check an address before they use it.
 */
export function appWebhookRoutes(app: ApiApp, deps: ApiDeps): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: payloadBodyLimit },
      (_request: FastifyRequest, bytes: Buffer, done: (error: null, body: Buffer) => void) =>
        done(null, bytes),
    );
    for (const method of ['POST', 'GET'] as const) {
      scope.route({
        method,
        url: '/api/v1/webhook/:slug/:target',
        config: { auth: 'none' },
        bodyLimit: payloadBodyLimit,
        schema: {
          tags: ['Events'],
          summary: method === 'POST' ? 'Where apps send their webhooks' : 'Answers the handshake of an app',
          operationId: method === 'POST' ? 'receiveAppWebhook' : 'receiveAppHandshake',
          params: z.object({ slug: z.string(), target: z.string() }),
        },
        handler: async (request, reply) => {
          const { slug, target } = request.params as { slug: string; target: string };
          const { status, body } = await acceptProviderCall(deps, {
            slug,
            target,
            method: request.method,
            url: `${deps.config.publicUrl}${request.url}`,
            headers: textHeaders(request),
            rawBody: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
          });
          const type = /^\s*[{[]/.test(body)
            ? 'application/json; charset=utf-8'
            : 'text/plain; charset=utf-8';
          return reply.code(status).type(type).serializer(String).send(body);
        },
      });
    }
  });
}

function textHeaders({ headers }: FastifyRequest): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}

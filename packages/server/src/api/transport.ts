import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiApp } from '#api/app';

const allowedHeaders = [
  'authorization',
  'content-type',
  'x-api-key',
  'linked_account_id',
  'linked-account-id',
  'slug',
  'config_id',
  'sync_execution',
  'disable_field_options',
  'workflow_id_alias',
  'include-headers',
  'instance_tag',
  'environment',
  'connection_id',
  'idempotency-key',
].join(', ');

/** The dashboard and the portal are same-origin and use cookies: no other origin may read them. */
const sameOriginOnly = /^\/+api\/+(admin|portal)(\/|$|\?)/;

/**
 * CORS for Cobalt's wire: any origin unless the operator named some, since callers carry a token and never a
 * cookie. A preflight is answered here, before any credential is asked for.
 */
export function crossOriginRules(allowedOrigins: readonly string[]) {
  const isAnyAllowed = allowedOrigins.includes('*');

  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    reply.header('x-trace-id', request.id);
    if (!/^\/+api(\/|$)/.test(request.url) || sameOriginOnly.test(request.url)) {
      done();
      return;
    }
    const { origin } = request.headers;
    if (isAnyAllowed) reply.header('access-control-allow-origin', '*');
    else reply.header('vary', 'origin');
    if (!isAnyAllowed && origin !== undefined && allowedOrigins.includes(origin)) {
      reply.header('access-control-allow-origin', origin);
    }
    reply.header('access-control-expose-headers', 'x-trace-id, retry-after');
    if (request.method !== 'OPTIONS') {
      done();
      return;
    }
    reply
      .code(204)
      .header('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE, OPTIONS')
      .header('access-control-allow-headers', preflightHeaders(request))
      .header('access-control-max-age', '7200')
      .send();
  };
}

/** Ours plus what was asked for: tracing tools of the page add headers of their own to every call. */
function preflightHeaders(request: FastifyRequest): string {
  const asked = request.headers['access-control-request-headers'];
  return asked !== undefined && /^[\w, -]+$/.test(asked) ? `${allowedHeaders}, ${asked}` : allowedHeaders;
}

/** Logs a request by its route pattern: the real URL may hold a portal token, an account id or a query secret. */
export function logRequest(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const { caller } = request;
  request.log.debug(
    {
      method: request.method,
      route: request.routeOptions.url ?? '(none)',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 100) / 100,
      ...(caller && { orgId: caller.tenant.orgId, environment: caller.tenant.environment }),
    },
    'request',
  );
  done();
}

/** Which methods a path has, for 405. */
export function createMethodIndex(app: ApiApp): { allowed(path: string): string[] } {
  const routes: { segments: string[]; method: string }[] = [];
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) routes.push({ segments: segmentsOf(route.url), method });
  });
  return {
    allowed(path) {
      const asked = segmentsOf(path);
      const found = routes.filter(({ segments }) => matches(segments, asked)).map(({ method }) => method);
      return [...new Set(found)];
    },
  };
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function matches(pattern: string[], asked: string[]): boolean {
  // A catch-all (the dashboard's pages) has its own answer to unknown paths.
  if (pattern.includes('*')) return false;
  return (
    pattern.length === asked.length &&
    pattern.every((segment, index) => segment.startsWith(':') || segment === asked[index])
  );
}

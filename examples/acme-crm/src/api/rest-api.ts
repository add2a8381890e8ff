import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Provider } from 'oidc-provider';
import type { Faults } from '../faults.ts';
import type { Log } from '../log.ts';
import type { Stats } from '../stats.ts';
import { authenticate } from './authenticate.ts';
import { contacts } from './contacts.ts';
import { deals } from './deals.ts';
import { ApiError, apiErrors } from './errors.ts';
import { createRateLimiter, type RateLimit } from './rate-limit.ts';
import { resourceRoutes, type ResourceDeps } from './resource.ts';
import { userRoutes } from './users.ts';
import { webhookRoutes } from './webhook-subscriptions.ts';

export interface ApiDeps extends ResourceDeps {
  provider: Provider;
  faults: Faults;
  stats: Stats;
  log: Log;
  rateLimit: RateLimit;
}

const dropped = Symbol('the answer is to be lost');

declare module 'fastify' {
  interface FastifyRequest {
    [dropped]?: boolean;
  }
}

/** The REST API: every request is identified, counted against the limit, then served. */
export function restApi(app: FastifyInstance, deps: ApiDeps): void {
  const countRequest = createRateLimiter(deps.clock, deps.rateLimit);
  app.decorateRequest('principal');
  apiErrors(app, deps.log);

  app.addHook('onRequest', async (request, reply) => {
    const fault = deps.faults.takeApi({ method: request.method, path: request.url });
    if (fault !== undefined) {
      await sleep(fault.latencyMs);
      if (fault.status !== undefined) {
        const retry = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
        const code = fault.status === 429 ? 'rate_limited' : 'unavailable';
        throw new ApiError(fault.status, code, 'Acme CRM has a problem. Try again later.', {
          headers: retry,
        });
      }
      request[dropped] = fault.dropResponse;
    }
    request.principal = await authenticate(deps, request);
    void reply.headers(countRequest(request.principal.id)).header('cache-control', 'no-store');
  });
  app.addHook('onSend', async (request) => {
    if (request[dropped]) request.raw.socket.destroy();
  });
  app.addHook('onResponse', async (request, reply) => {
    deps.stats.api(`${request.method} ${request.routeOptions.url ?? 'unknown'}`, reply.statusCode);
  });

  resourceRoutes(app, deps, contacts);
  resourceRoutes(app, deps, deals);
  userRoutes(app, deps);
  webhookRoutes(app, deps);
}

import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyRequest } from 'fastify';
import { LogController } from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { requireConsoleUser } from '#api/admin/guard';
import { adminRoutes } from '#api/admin/index';
import { defaultBodyLimit, type ApiApp } from '#api/app';
import { createAuthenticator, type CredentialRule } from '#api/authenticate';
import type { AuthRule } from '#api/caller';
import { createConsoleAuth, type ConsoleAuth } from '#api/console-auth';
import type { ApiDeps } from '#api/deps';
import { answerUnreadable, sendError } from '#api/error-answer';
import { fileRoutes } from '#api/files';
import { healthRoutes } from '#api/health';
import { parseJsonBytes } from '#api/json-body';
import { documentRoutes } from '#api/openapi';
import { pageRoutes } from '#api/pages';
import { portalRoutes } from '#api/portal/index';
import { createRateLimiter } from '#api/rate-limit';
import { referenceRoutes } from '#api/reference';
import { taskPageRoutes } from '#api/task-pages';
import { createMethodIndex, crossOriginRules, logRequest } from '#api/transport';
import { compileValidator } from '#api/validation';
import { wireRoutes } from '#api/v2/index';
import { AppError } from '#domain/errors';

/**
 * The HTTP server with every route. It does not listen: the caller does, and closes it.
 *
 * Order of a request: trace id and CORS, credential and rate limit (both before the body is read), body,
 * linked account from the body, zod validation, handler.
 */
export async function buildApi(deps: ApiDeps): Promise<ApiApp> {
  const app = createServer(deps);
  const consoleAuth = createConsoleAuth(deps);
  guard(app, deps, consoleAuth);
  await documentRoutes(app, deps);
  healthRoutes(app, deps);
  wireRoutes(app, deps);
  adminRoutes(app, deps, consoleAuth);
  portalRoutes(app, deps);
  fileRoutes(app, deps);
  taskPageRoutes(app, deps);
  referenceRoutes(app);
  await pageRoutes(app, deps);
  await app.ready();
  return app;
}

/** Transport rules of the wire (spec/api §2), without routes. */
function createServer(deps: ApiDeps): ApiApp {
  const app = Fastify({
    loggerInstance: deps.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: defaultBodyLimit,
    trustProxy: deps.config.trustProxy.length > 0 && [...deps.config.trustProxy],
    // Unhandled methods get 405 from us; HEAD answers like GET.
    exposeHeadRoutes: true,
    forceCloseConnections: 'idle',
    // Whoever sends a request byte by byte loses the connection; Fastify's own default is to wait for ever.
    requestTimeout: 60_000,
    clientErrorHandler: answerUnreadable,
    // Clients add a trailing slash (`/config/`) and double the first one (base URL ending in "/").
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 1024 },
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>() as unknown as ApiApp;

  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(sendError);

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    /^application\/([\w.-]+\+)?json\b/i,
    { parseAs: 'buffer' },
    async ({ headers }: FastifyRequest, bytes: Buffer) => {
      const encoding = headers['content-encoding'] ?? 'identity';
      if (encoding !== 'identity') throw new AppError('unsupported_encoding', { encoding });
      return parseJsonBytes(bytes);
    },
  );

  const methods = createMethodIndex(app);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const allowed = methods.allowed(path);
    if (allowed.length > 0 && !allowed.includes(request.method)) {
      reply.header('allow', allowed.join(', '));
      throw new AppError('method_not_allowed', { method: request.method, allowed: allowed.join(', ') });
    }
    throw new AppError('route_not_found', { method: request.method, path });
  });

  app.addHook('onRequest', crossOriginRules(deps.config.allowedOrigins));
  app.addHook('onResponse', logRequest);
  return app;
}

interface RegisteredRoute {
  readonly method: string;
  readonly url: string;
  readonly auth: AuthRule;
  readonly changesWorkflows: boolean;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route with its rule: what a test walks to show that none is open by mistake. */
    registeredRoutes: readonly RegisteredRoute[];
  }
}

/** Deny by default: a route without a declared rule stops the start, and each rule is enforced here only. */
function guard(app: ApiApp, deps: ApiDeps, consoleAuth: ConsoleAuth): void {
  const authenticator = createAuthenticator(deps);
  const takeKeyToken = createRateLimiter(deps.clock, deps.config.rateLimitPerMinute);
  const takeAccountToken = createRateLimiter(deps.clock, deps.config.accountRateLimitPerMinute);

  const registered: RegisteredRoute[] = [];
  app.decorate('registeredRoutes', registered);
  app.addHook('onRoute', (route) => {
    const auth = route.config?.auth;
    if (auth === undefined)
      throw new Error(`Route ${String(route.method)} ${route.url} declares no config.auth`);
    const changesWorkflows = route.config?.changesWorkflows === true;
    for (const method of [route.method].flat()) {
      registered.push({ method, url: route.url, auth, changesWorkflows });
    }
  });

  app.decorateRequest('caller', null);
  app.decorateRequest('console', null);

  app.addHook('onRequest', async (request) => {
    if (!request.is404 && request.routeOptions.config.auth === 'console') {
      request.console = await requireConsoleUser(deps, consoleAuth, request);
    }
    const rule = credentialRule(request.routeOptions.config.auth, request.is404);
    if (rule === undefined) return;
    request.caller = await authenticator.byHeaders(request, rule);
    if (request.caller.isWorkflowReadOnly === true && request.routeOptions.config.changesWorkflows === true) {
      throw new AppError('workflow_read_only', undefined);
    }
    if (request.routeOptions.config.rateLimit === false) return;
    takeKeyToken(request.caller.credentialId);
    if (request.caller.linkedAccount !== undefined) takeAccountToken(request.caller.linkedAccount.id);
  });

  app.addHook('preValidation', async (request) => {
    // No body at all means the same as an empty one.
    if (request.body === undefined) request.body = {};
    const rule = credentialRule(request.routeOptions.config.auth, request.is404);
    if (rule === undefined || request.caller === null || request.caller.linkedAccount !== undefined) return;
    request.caller = await authenticator.byBody(request, rule, request.caller);
    if (request.caller.linkedAccount !== undefined && request.routeOptions.config.rateLimit !== false) {
      takeAccountToken(request.caller.linkedAccount.id);
    }
  });
}

function credentialRule(auth: string | undefined, is404: boolean): CredentialRule | undefined {
  return is404 || auth === undefined || auth === 'none' || auth === 'console'
    ? undefined
    : (auth as CredentialRule);
}

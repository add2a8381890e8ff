import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import type { Provider } from 'oidc-provider';
import { openApiDocument } from './api/openapi.ts';
import type { RateLimit } from './api/rate-limit.ts';
import { restApi } from './api/rest-api.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Control, controlRoutes, createControl } from './control.ts';
import { createFaults } from './faults.ts';
import type { Log } from './log.ts';
import { sweepArtifacts } from './oauth/adapter.ts';
import { clientSpec, type ClientSpec, putClient } from './oauth/clients.ts';
import { createOAuthProvider, oauthPath } from './oauth/provider.ts';
import { personOfCookies } from './pages/browser-session.ts';
import { crmPages } from './pages/crm.ts';
import { interactionPages } from './pages/interaction.ts';
import { seed } from './seed.ts';
import { createStats } from './stats.ts';
import { openStore } from './store.ts';
import { defaultRetryDelaysMs, startWebhooks } from './webhooks.ts';

export interface AcmeCrmOptions {
  /** 0 or absent: any free port. */
  port?: number;
  /** Absent: only this machine (127.0.0.1); the demo's passwords are public. */
  host?: string;
  /** How browsers and apps reach it. Absent: http://localhost:PORT. */
  publicUrl?: string;
  /** Where to keep everything. Absent: in memory. */
  dataDir?: string;
  /** OAuth apps to register at start. */
  clients?: readonly ClientSpec[];
  accessTokenTtlSeconds?: number;
  rateLimit?: RateLimit;
  webhookRetryDelaysMs?: readonly number[];
  /** Offer `/control` over HTTP. The `control` object of the result works regardless. */
  control?: boolean;
  clock?: Clock;
  log?: Log;
}

export interface AcmeCrm {
  url: string;
  control: Control;
  close(): Promise<void>;
}

const defaultRateLimit: RateLimit = { requests: 60_000, perSeconds: 60 };

/** Starts the CRM in this process and resolves when it listens. */
export async function startAcmeCrm(options: AcmeCrmOptions = {}): Promise<AcmeCrm> {
  const { clock = systemClock, log = () => {} } = options;
  const { server, port, ready } = await listen(options.port ?? 0, options.host ?? '127.0.0.1');
  const url = options.publicUrl?.replace(/\/$/, '') ?? `http://localhost:${port}`;
  const store = openStore(options.dataDir);
  const deps = { store, clock, log, faults: createFaults(), stats: createStats() };
  seed(deps);
  for (const client of options.clients ?? []) putClient(deps, clientSpec.parse(client));

  const webhooks = startWebhooks({
    ...deps,
    retryDelaysMs: options.webhookRetryDelaysMs ?? defaultRetryDelaysMs,
  });
  const provider = createOAuthProvider(`${url}${oauthPath}`, {
    ...deps,
    accessTokenTtlSeconds: options.accessTokenTtlSeconds ?? 300,
    signedInPersonId: (cookies) => personOfCookies(deps, cookies)?.id,
  });
  const control = createControl(deps);
  const sweep = setInterval(() => sweepArtifacts(store, clock), 60_000);

  const app = fastify({ logger: false, bodyLimit: 1_048_576 });
  const rateLimit = options.rateLimit ?? defaultRateLimit;
  const document = openApiDocument(url);
  app.get('/openapi.json', async () => document);
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.register(async (api) => restApi(api, { ...deps, provider, webhooks, rateLimit }), {
    prefix: '/api/v1',
  });
  app.register(async (pages) => {
    takeForms(pages);
    pages.register(async (inner) => crmPages(inner, { ...deps, publicUrl: url }));
    pages.register(async (inner) => interactionPages(inner, { ...deps, provider }));
  });
  if (options.control === true) app.register(async (inner) => controlRoutes(inner, control));
  await app.ready();
  ready(dispatch(app, provider));

  return {
    url,
    control,
    async close() {
      clearInterval(sweep);
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      await Promise.all([closed, webhooks.stop()]);
      await app.close();
      store.close();
    },
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Listens first, because the issuer's name holds the port; requests wait until the rest is built. */
async function listen(port: number, host: string) {
  const { promise, resolve: ready } = Promise.withResolvers<Handler>();
  const server = createServer(
    (request, response) => void promise.then((handle) => handle(request, response)),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return { server, port: (server.address() as AddressInfo).port, ready };
}

/** Requests under /oauth go to oidc-provider, mounted as it wants to be: prefix off, `originalUrl` kept. */
function dispatch(app: FastifyInstance, provider: Provider): Handler {
  const oauth = provider.callback();
  return (request, response) => {
    if (!request.url?.startsWith(`${oauthPath}/`)) {
      app.routing(request, response);
      return;
    }
    Object.assign(request, { originalUrl: request.url });
    request.url = request.url.slice(oauthPath.length);
    void oauth(request, response);
  };
}

function takeForms(app: FastifyInstance): void {
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    async (_request: FastifyRequest, body: string | Buffer) => {
      return new URLSearchParams(String(body));
    },
  );
  // A form without fields may come without a content type.
  app.addHook('preValidation', async (request) => {
    request.body ??= new URLSearchParams();
  });
}

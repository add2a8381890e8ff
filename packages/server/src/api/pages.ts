import { access } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyReply } from 'fastify';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { AppError } from '#domain/errors';

/** Addresses of the dashboard may end in a customer's id with a dot in it, which is no file's name. */
const insideDashboard = /^\/(test|production)\//;

const builtPages = path.resolve(import.meta.dirname, '../../../ui/dist');

/**
 * Policy of our pages: scripts and styles only as files of our own, no frames but those the operator allows.
 * There is no `Cross-Origin-Opener-Policy` on purpose: it would cut the handle by which the page that opened an
 * authorization window learns that it closed.
 */
function contentPolicy(frameAncestors: readonly string[]): string {
  const ancestors = frameAncestors.length === 0 ? "'none'" : frameAncestors.join(' ');
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    // Logos of organizations and apps are at addresses of their owners' choice.
    "img-src 'self' data: https:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    `frame-ancestors ${ancestors}`,
  ].join('; ');
}

/** The hosted portal at `/connect`, the dashboard at every other path, and the logos of apps. */
export async function pageRoutes(
  app: ApiApp,
  deps: Pick<ApiDeps, 'connectors'> & { readonly config: Pick<ApiDeps['config'], 'frameAncestors'> },
  dist: string = builtPages,
): Promise<void> {
  await app.register(fastifyStatic, { serve: false, root: dist, suppressWarning: true });
  const open = { config: { auth: 'none' as const }, schema: { hide: true } };

  const portalPolicy = contentPolicy(deps.config.frameAncestors);
  const dashboardPolicy = contentPolicy([]);

  app.get('/connect/assets/*', open, (request, reply) =>
    sendAsset(reply, path.join(dist, 'portal'), (request.params as { '*': string })['*']),
  );
  for (const url of ['/connect', '/connect/:token', '/connect/apps/:slug']) {
    app.get(url, open, (_request, reply) => sendPage(reply, path.join(dist, 'portal'), portalPolicy));
  }
  app.get('/assets/*', open, (request, reply) =>
    sendAsset(reply, path.join(dist, 'dashboard'), (request.params as { '*': string })['*']),
  );

  app.get('/icons/:file', open, (request, reply) => {
    const { file } = request.params as { file: string };
    const connector = deps.connectors.get(file.replace(/\.svg$/, ''));
    if (connector === undefined) throw new AppError('not_found', { what: 'Icon', id: file });
    const icon = fileURLToPath(connector.files.icon);
    return reply
      .header('cache-control', 'public, max-age=3600')
      .header('cross-origin-resource-policy', 'cross-origin')
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox")
      .sendFile(path.basename(icon), path.dirname(icon), { cacheControl: false });
  });

  // The dashboard routes in the browser, so every other path is its page; an unknown API path stays JSON.
  app.get('/*', open, (request, reply) => {
    const asked = request.url.split('?')[0] ?? '';
    if (/^\/+api(\/|$)/.test(asked) || (path.posix.extname(asked) !== '' && !insideDashboard.test(asked))) {
      reply.callNotFound();
      return reply;
    }
    return sendPage(reply, path.join(dist, 'dashboard'), dashboardPolicy);
  });
}

async function sendPage(reply: FastifyReply, folder: string, policy: string): Promise<FastifyReply> {
  await access(path.join(folder, 'index.html')).catch((cause: unknown) => {
    throw new AppError('page_not_built', { page: path.basename(folder) }, { cause });
  });
  return reply
    .header('content-security-policy', policy)
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .header('cache-control', 'no-cache')
    .sendFile('index.html', folder, { cacheControl: false });
}

/** Built files carry a hash of their content in the name. */
function sendAsset(reply: FastifyReply, folder: string, file: string): FastifyReply {
  return reply
    .header('cache-control', 'public, max-age=31536000, immutable')
    .header('x-content-type-options', 'nosniff')
    .sendFile(file, path.join(folder, 'assets'), { cacheControl: false });
}

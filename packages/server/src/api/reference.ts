import { gunzipSync, gzipSync } from 'node:zlib';
import Fastify from 'fastify';
import type { ApiApp } from '#api/app';

/**
 * The reference draws itself from `/openapi.json` with a script of our own origin: it works without internet.
 * It styles itself with `<style>` elements, hence `unsafe-inline` for styles; scripts stay strict.
 */
const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const settings = JSON.stringify({
  withDefaultFonts: false,
  hideClientButton: true,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: 'never',
}).replaceAll('"', '&quot;');

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <link rel="icon" href="data:," />
    <title>API reference · Inlay</title>
  </head>
  <body>
    <script id="api-reference" data-url="/openapi.json" data-configuration="${settings}"></script>
    <script src="/reference/scalar.js"></script>
  </body>
</html>
`;

/** `/reference`: the interactive API reference. */
export function referenceRoutes(app: ApiApp): void {
  app.get('/reference', { config: { auth: 'none' }, schema: { hide: true } }, (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', contentPolicy)
      .header('referrer-policy', 'no-referrer')
      .send(page),
  );

  let script: Promise<Buffer> | undefined;
  app.get(
    '/reference/scalar.js',
    { config: { auth: 'none' }, schema: { hide: true } },
    async (request, reply) => {
      script ??= loadScript();
      const packed = await script;
      reply.type('text/javascript; charset=utf-8').header('cache-control', 'public, max-age=86400');
      if (/\bgzip\b/.test(String(request.headers['accept-encoding']))) {
        return reply.header('content-encoding', 'gzip').header('vary', 'accept-encoding').send(packed);
      }
      return reply.send(gunzipSync(packed));
    },
  );
}

/**
 * The script (4 MB) is a text inside the plugin's module and nowhere else in its package, so the plugin is asked
 * for it once, on a server that never listens. Loaded when the page is first opened: most processes never need it.
 */
async function loadScript(): Promise<Buffer> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const source = Fastify();
  try {
    await source.register(scalar, { routePrefix: '/', configuration: { url: '/openapi.json' } });
    const answer = await source.inject({ method: 'GET', url: '/js/scalar.js' });
    if (answer.statusCode !== 200) throw new Error(`the reference's script answered ${answer.statusCode}`);
    return gzipSync(answer.rawPayload);
  } finally {
    await source.close();
  }
}

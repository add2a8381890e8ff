import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { openConnectLink } from '#connections/index';

const cookieName = 'inlay_browser';
const cookieSeconds = 30 * 86_400;

/** The exchange of a hosted link for a session, bound to the first browser that opens it. */
export function portalSessionRoutes(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/api/portal/session',
    {
      config: { auth: 'none' },
      schema: {
        hide: true,
        body: z.object({ token: z.string().min(1).max(200) }),
        response: {
          200: z.object({
            token: z.string(),
            expires_in: z.int().describe('Seconds'),
            organization: z.object({
              name: z.string(),
              logo: z.string().optional(),
              return_url: z.string().optional(),
            }),
            properties: z.record(z.string(), z.unknown()),
            config_id: z.string().optional(),
          }),
        },
      },
    },
    async (request, reply) => {
      const known = readCookie(request.headers.cookie);
      const browserSecret = known ?? randomBytes(32).toString('base64url');
      const opened = await openConnectLink(deps, { token: request.body.token, browserSecret });
      void reply.header('set-cookie', browserCookie(browserSecret, deps.config.publicUrl));
      void reply.header('cache-control', 'no-store');
      const { organization } = opened;
      const returnUrl = webAddress(organization.website);
      return {
        token: opened.sessionToken,
        expires_in: Math.max(0, Math.floor((opened.expiresAt.getTime() - deps.clock.now().getTime()) / 1000)),
        organization: {
          name: organization.name,
          ...(organization.logo !== null && { logo: organization.logo }),
          ...(returnUrl !== undefined && { return_url: returnUrl }),
        },
        properties: opened.properties,
        ...(opened.configId !== null && { config_id: opened.configId }),
      };
    },
  );
}

/**
 * Only the exchange reads it. A portal inside another site's frame is a third party there, so on HTTPS the cookie
 * is SameSite=None and Partitioned (CHIPS): kept apart for each embedding site, useless for following anybody.
 * A forged cross-site call gains nothing: it would have to know the link's token, and the answer is not readable.
 */
function browserCookie(secret: string, publicUrl: string): string {
  const site = publicUrl.startsWith('https:') ? 'SameSite=None; Secure; Partitioned' : 'SameSite=Lax';
  return `${cookieName}=${secret}; Path=/api/portal; Max-Age=${cookieSeconds}; HttpOnly; ${site}`;
}

function readCookie(header: string | undefined): string | undefined {
  return new RegExp(`(?:^|;\\s*)${cookieName}=([\\w-]{43})(?:;|$)`).exec(header ?? '')?.[1];
}

/** A link on a page may lead to a web address only, whatever was stored. */
function webAddress(value: string | null): string | undefined {
  if (value === null || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined;
}

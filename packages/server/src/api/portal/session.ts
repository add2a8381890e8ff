import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { openConnectLink } from '#connections/index';

/** Marks a browser for the links it opened. `__Host-`: set by us, for this host only (RFC 6265bis §4.1.3.2). */
const secureCookie = '__Host-inlay-browser';
const plainCookie = 'inlay-browser';
const browserSecret = /^[\w-]{43}$/;
const cookieSeconds = 30 * 86_400;

/** Opening of hosted links. The answer's session token is all that the page needs for every other call. */
export function portalSessionRoutes(app: ApiApp, deps: ApiDeps): void {
  const isSecure = deps.config.publicUrl.startsWith('https:');
  const cookie = isSecure ? secureCookie : plainCookie;

  app.post(
    '/api/portal/session',
    {
      config: { auth: 'none' },
      schema: {
        tags: ['Portal'],
        summary: 'Open a hosted link, or open it again in the same browser',
        body: z.union([
          z.object({ token: z.string().min(1).max(200) }),
          z.object({ link: z.string().regex(/^[0-9a-f]{64}$/, 'is not the name of a link') }),
        ]),
        response: {
          200: z.object({
            token: z.string(),
            link: z.string().describe('Names the link without opening it: the cookie proves the rest.'),
            expires_at: z.string(),
            environment: z.enum(['test', 'production']),
            organization: z.object({
              name: z.string(),
              logo: z.string().optional(),
              return_url: z.string().optional(),
            }),
            linked_account: z.object({ linked_account_id: z.string(), name: z.string().optional() }),
            properties: z.record(z.string(), z.unknown()),
            config_id: z.string().optional(),
          }),
        },
      },
    },
    async (request, reply) => {
      const known = cookieValue(request.headers.cookie, cookie);
      const secret = known ?? randomBytes(32).toString('base64url');
      const opened = await openConnectLink(deps, { ...request.body, browserSecret: secret });
      if (known === undefined) reply.header('set-cookie', browserCookie(cookie, secret, isSecure));
      reply.header('cache-control', 'no-store');
      const { organization, linkedAccount } = opened;
      return {
        token: opened.sessionToken,
        link: opened.link,
        expires_at: opened.expiresAt.toISOString(),
        environment: opened.tenant.environment,
        organization: {
          name: organization.name,
          ...(organization.logo !== null && { logo: organization.logo }),
          ...(organization.returnUrl !== undefined && { return_url: organization.returnUrl }),
        },
        linked_account: {
          linked_account_id: linkedAccount.accountId,
          ...(linkedAccount.name !== null && { name: linkedAccount.name }),
        },
        properties: opened.properties,
        ...(opened.configId !== null && { config_id: opened.configId }),
      };
    },
  );
}

/** Inside a frame of another site only a partitioned cookie with `SameSite=None` is kept; that needs HTTPS. */
function browserCookie(name: string, secret: string, isSecure: boolean): string {
  const where = isSecure ? 'SameSite=None; Secure; Partitioned' : 'SameSite=Lax';
  return `${name}=${secret}; Path=/; Max-Age=${cookieSeconds}; HttpOnly; ${where}`;
}

function cookieValue(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const [key, value] = part.trim().split('=', 2);
    if (key === name && value !== undefined && browserSecret.test(value)) return value;
  }
  return undefined;
}

import type { FastifyRequest } from 'fastify';
import type { ConsoleAuth } from '#api/console-auth';
import type { ApiDeps } from '#api/deps';
import { listMemberships, type Membership } from '#db/console';
import { AppError } from '#domain/errors';
import type { Environment, Tenant } from '#domain/tenant';

/** The signed-in user of the dashboard, and the organisation and environment that it looks at. */
export interface ConsoleCaller {
  readonly user: { readonly id: string; readonly email: string; readonly name: string };
  readonly orgId: string;
  readonly role: string;
  readonly memberships: readonly Membership[];
  /** By the header `x-inlay-environment`; `test` without one. */
  readonly environment: Environment;
  readonly tenant: Tenant;
}

declare module 'fastify' {
  interface FastifyRequest {
    console: ConsoleCaller | null;
  }
}

/** The user that the `console` rule let in. */
export function consoleOf(request: FastifyRequest): ConsoleCaller {
  if (request.console === null) throw new AppError('internal', undefined);
  return request.console;
}

/** @throws role_required unless the user is an owner or an admin of the organisation */
export function requireAdmin(request: FastifyRequest): ConsoleCaller {
  const caller = consoleOf(request);
  if (caller.role !== 'owner' && caller.role !== 'admin')
    throw new AppError('role_required', { role: 'admin' });
  return caller;
}

/**
 * Who is signed in, by the session cookie.
 *
 * @throws not_signed_in, cross_site_request, invalid_request for an unknown environment
 */
export async function requireConsoleUser(
  deps: Pick<ApiDeps, 'db' | 'config'>,
  auth: ConsoleAuth,
  request: FastifyRequest,
): Promise<ConsoleCaller> {
  refuseCrossSite(deps.config.publicUrl, request);
  const found = await auth.api.getSession({ headers: authHeaders(request) });
  if (found === null) throw new AppError('not_signed_in', undefined);
  const memberships = await listMemberships(deps.db, found.user.id);
  const active = found.session.activeOrganizationId;
  const membership = memberships.find(({ orgId }) => orgId === active) ?? memberships[0];
  if (membership === undefined) throw new AppError('not_signed_in', undefined);
  const environment = environmentOf(request);
  return {
    user: { id: found.user.id, email: found.user.email, name: found.user.name },
    orgId: membership.orgId,
    role: membership.role,
    memberships,
    environment,
    tenant: { orgId: membership.orgId, environment },
  };
}

/**
 * Cookies travel with requests that other sites cause, so a change must come from our own page: browsers tell
 * by `Origin`, which no page can forge. Clients that are not browsers send none, and carry no ambient cookie.
 */
export function refuseCrossSite(publicUrl: string, request: FastifyRequest): void {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const { origin, host } = request.headers;
  if (origin === undefined) {
    const site = request.headers['sec-fetch-site'];
    if (site === undefined || site === 'same-origin' || site === 'none') return;
    throw new AppError('cross_site_request', { origin: 'another site' });
  }
  const own = new URL(publicUrl).origin;
  if (origin === own || origin === `${request.protocol}://${host ?? ''}`) return;
  throw new AppError('cross_site_request', { origin });
}

/** What better-auth reads of a request: no forwarding headers, which a client could write itself. */
export function authHeaders(request: FastifyRequest): Headers {
  const headers = new Headers({ 'x-forwarded-for': request.ip });
  if (request.headers.cookie !== undefined) headers.set('cookie', request.headers.cookie);
  const agent = request.headers['user-agent'];
  if (agent !== undefined) headers.set('user-agent', agent.slice(0, 300));
  return headers;
}

function environmentOf(request: FastifyRequest): Environment {
  const asked = request.headers['x-inlay-environment'] ?? 'test';
  if (asked === 'test' || asked === 'production') return asked;
  const message = `is "${String(asked)}"; it is "test" or "production"`;
  throw new AppError('invalid_request', { problems: [{ path: 'x-inlay-environment', message }] });
}

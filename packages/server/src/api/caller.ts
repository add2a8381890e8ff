import type { FastifyRequest } from 'fastify';
import { AppError } from '#domain/errors';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

/**
 * Who may call a route. Every route declares one; a route without does not start.
 *
 * - `key`: an API key (backend of the SaaS company)
 * - `key+account`: an API key that names a linked account
 * - `session`: a session token (browser of one linked account)
 * - `account`: one linked account, by session token or by key and its id
 * - `account?`: a session token, or a key that may name a linked account
 * - `key|session`: either; with a key no account is looked up
 * - `console`: a signed-in user of the dashboard, checked by `api/admin`
 * - `none`: anybody; the handler must not trust the caller
 */
export type AuthRule =
  'key' | 'key+account' | 'session' | 'account' | 'account?' | 'key|session' | 'console' | 'none';

export interface Caller {
  readonly tenant: Tenant;
  readonly kind: 'key' | 'session';
  /** The id of the key, or the `jti` of the session token. */
  readonly credentialId: string;
  readonly linkedAccount?: LinkedAccountRef;
  /** A session token that may look at workflows, and not change, switch or run them. */
  readonly isWorkflowReadOnly?: boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    auth?: AuthRule;
    /** The route changes, switches or runs workflows: closed to sessions that may only look at them. */
    changesWorkflows?: true;
    /** `false`: never answered with 429 (clients that poll give up on the first error). */
    rateLimit?: false;
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
}

/** The caller that the route's `auth` rule let in. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new AppError('internal', undefined);
  return request.caller;
}

/** The caller and the linked account it acts for, on routes whose rule asks for one. */
export function accountCallerOf(
  request: FastifyRequest,
): Caller & { readonly linkedAccount: LinkedAccountRef } {
  const caller = callerOf(request);
  if (caller.linkedAccount === undefined) throw new AppError('linked_account_required', undefined);
  return { ...caller, linkedAccount: caller.linkedAccount };
}

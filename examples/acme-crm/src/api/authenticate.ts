import type { FastifyRequest } from 'fastify';
import type { Provider } from 'oidc-provider';
import { findClient } from '../oauth/clients.ts';
import { apiKeyOwner, findPerson, type Person } from '../people.ts';
import type { Scope } from '../scopes.ts';
import type { Store } from '../store.ts';
import { ApiError } from './errors.ts';

/** Who calls the API, for which company, with which permissions. */
export interface Principal {
  /** Stable over token refreshes; limits and idempotency keys belong to it. */
  id: string;
  /** The app or key it came by; webhook subscriptions belong to it and outlive a reconnect. */
  appId: string;
  companyId: string;
  /** Absent for an app that acts by itself (client credentials). */
  person: Person | undefined;
  /** `all` for an API key: it may what its owner may. */
  scopes: ReadonlySet<string> | 'all';
}

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal;
  }
}

/** Finds out who calls, by `X-Acme-Key` or a Bearer token (RFC 6750). */
export async function authenticate(
  deps: { store: Store; provider: Provider },
  request: FastifyRequest,
): Promise<Principal> {
  const key = request.headers['x-acme-key'];
  if (typeof key === 'string') {
    const owner = apiKeyOwner(deps.store, key);
    if (owner === undefined)
      throw new ApiError(401, 'invalid_api_key', 'The API key is not known or was deleted.');
    return {
      id: owner.keyId,
      appId: owner.keyId,
      companyId: owner.person.company_id,
      person: owner.person,
      scopes: 'all',
    };
  }
  const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) {
    throw new ApiError(
      401,
      'unauthorized',
      'Send an access token (Authorization: Bearer …) or an X-Acme-Key header.',
      {
        headers: { 'www-authenticate': 'Bearer realm="acme-crm"' },
      },
    );
  }
  const principal = (await ofPerson(deps, token)) ?? (await ofClient(deps, token));
  if (principal !== undefined) return principal;
  const description = 'The access token expired, was revoked or is not known';
  throw new ApiError(401, 'invalid_token', `${description}.`, {
    headers: {
      'www-authenticate': `Bearer realm="acme-crm", error="invalid_token", error_description="${description}"`,
    },
  });
}

async function ofPerson(
  deps: { store: Store; provider: Provider },
  token: string,
): Promise<Principal | undefined> {
  const found = await deps.provider.AccessToken.find(token);
  if (found?.grantId === undefined) return undefined;
  const client = findClient(deps.store, found.clientId ?? '');
  const person = findPerson(deps.store, found.accountId);
  const isLive = (await deps.provider.Grant.find(found.grantId)) !== undefined;
  if (!isLive || client === undefined || person === undefined) return undefined;
  const { grantId: id, scopes } = found;
  return { id, appId: client.clientId, companyId: person.company_id, person, scopes };
}

async function ofClient(
  deps: { store: Store; provider: Provider },
  token: string,
): Promise<Principal | undefined> {
  const found = await deps.provider.ClientCredentials.find(token);
  const client = findClient(deps.store, found?.clientId ?? '');
  if (found === undefined || client === undefined) return undefined;
  const { clientId } = client;
  return {
    id: clientId,
    appId: clientId,
    companyId: client.companyId,
    person: undefined,
    scopes: found.scopes,
  };
}

/** Refuses a caller without the scope, naming it (RFC 6750 §3.1). */
export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.scopes === 'all' || principal.scopes.has(scope)) return;
  throw new ApiError(
    403,
    'insufficient_scope',
    `This needs the scope "${scope}". Ask for it when connecting.`,
    {
      headers: {
        'www-authenticate': `Bearer realm="acme-crm", error="insufficient_scope", scope="${scope}"`,
      },
    },
  );
}

import type { ClientMetadata } from 'oidc-provider';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { newId, newSecret } from '../ids.ts';
import { allScopes, isScope } from '../scopes.ts';
import { defaultCompanyId } from '../seed.ts';
import type { Store } from '../store.ts';

const redirectUri = z
  .url({ protocol: /^https?$/, error: 'must be an absolute http or https URL' })
  .refine((value) => !value.includes('#'), 'must not contain a fragment (#)');

/** An OAuth app as a script or the developer console registers it. */
export const clientSpec = z.strictObject({
  client_id: z.string().min(1).max(100),
  client_secret: z.string().min(8, 'must have at least 8 characters').max(200),
  name: z.string().trim().min(1, 'must not be empty').max(100),
  redirect_uris: z.array(redirectUri).min(1, 'needs at least one address'),
  scopes: z.array(z.string().refine(isScope, `must be one of ${allScopes.join(', ')}`)).optional(),
  require_pkce: z.boolean().optional(),
  /** The company a client-credentials token acts for. */
  company_id: z.string().optional(),
});

export type ClientSpec = z.infer<typeof clientSpec>;

export interface RegisteredClient {
  clientId: string;
  companyId: string;
  name: string;
  secret: string;
  redirectUris: string[];
  scopes: string[];
  requirePkce: boolean;
}

interface Row {
  client_id: string;
  company_id: string;
  metadata: string;
}

type StoredMetadata = ClientMetadata & { require_pkce: boolean };

function toClient(row: Row): RegisteredClient {
  const metadata = JSON.parse(row.metadata) as StoredMetadata;
  return {
    clientId: row.client_id,
    companyId: row.company_id,
    name: metadata.client_name ?? row.client_id,
    secret: metadata.client_secret ?? '',
    redirectUris: [...(metadata.redirect_uris ?? [])],
    scopes: metadata.scope?.split(' ') ?? [],
    requirePkce: metadata.require_pkce,
  };
}

/** Registers an app or, when its id is known, replaces what was registered. */
export function putClient(deps: { store: Store; clock: Clock }, spec: ClientSpec): void {
  const metadata = {
    client_id: spec.client_id,
    client_secret: spec.client_secret,
    client_name: spec.name,
    redirect_uris: spec.redirect_uris,
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    response_types: ['code'],
    scope: (spec.scopes ?? allScopes).join(' '),
    require_pkce: spec.require_pkce ?? false,
  } satisfies StoredMetadata;
  deps.store.run(
    `insert into oauth_client (client_id, company_id, metadata, created_at) values (?, ?, ?, ?)
     on conflict (client_id) do update set company_id = excluded.company_id, metadata = excluded.metadata`,
    spec.client_id,
    spec.company_id ?? defaultCompanyId,
    JSON.stringify(metadata),
    deps.clock.now().toISOString(),
  );
}

/** A fresh client id and secret. */
export function newClientCredentials(): { client_id: string; client_secret: string } {
  return { client_id: newId('app'), client_secret: newSecret('acme_secret') };
}

/** What oidc-provider knows of a client. */
export function clientMetadata(store: Store, clientId: string): StoredMetadata | undefined {
  const row = store.one<Row>('select * from oauth_client where client_id = ?', clientId);
  return row && (JSON.parse(row.metadata) as StoredMetadata);
}

export function findClient(store: Store, clientId: string): RegisteredClient | undefined {
  const row = store.one<Row>('select * from oauth_client where client_id = ?', clientId);
  return row && toClient(row);
}

export function companyClients(store: Store, companyId: string): RegisteredClient[] {
  const sql = 'select * from oauth_client where company_id = ? order by created_at, client_id';
  return store.all<Row>(sql, companyId).map(toClient);
}

/** Removes an app and its webhooks. Its tokens stop working, because no client can be found for them. */
export function deleteClient(store: Store, companyId: string, clientId: string): void {
  store.transaction(() => {
    const sql = 'delete from oauth_client where company_id = ? and client_id = ?';
    if (store.run(sql, companyId, clientId) === 0) return;
    store.run('delete from webhook_subscription where app_id = ?', clientId);
  });
}

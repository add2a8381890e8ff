import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { AuthType } from './apps.ts';
import { api, type Environment } from './http.ts';
import type { Page } from './page.ts';

export interface LinkedAccount {
  readonly _id: string;
  readonly account_id: string;
  readonly name?: string | null;
  readonly udf: readonly { readonly key_name: string; readonly key_value: unknown }[];
  readonly createdAt: string;
  readonly integrations?: readonly { readonly type?: string; readonly name?: string }[] | null;
}

export interface Connection {
  readonly id: string;
  readonly app: { readonly slug: string; readonly name: string; readonly icon: string };
  readonly auth_type: AuthType;
  readonly status: 'active' | 'expired';
  readonly status_reason: string | null;
  /** Who is behind it at the provider. */
  readonly identifier: string | null;
  readonly granted_scopes: readonly string[] | null;
  readonly connected_at: string;
}

export interface ConnectionLogEntry {
  readonly id: string;
  readonly app: { readonly slug: string; readonly name: string };
  readonly event: string;
  readonly auth_type: AuthType | null;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly created_at: string;
}

export interface StoredConfig {
  readonly app: { readonly slug: string; readonly name: string };
  readonly config_id: string;
  readonly values: readonly { readonly name: string; readonly value: unknown }[];
  readonly workflows: readonly { readonly id: string; readonly name: string; readonly is_enabled: boolean }[];
  readonly updated_at: string;
}

export const accountsQuery = (environment: Environment, query: { search?: string; page?: number }) =>
  queryOptions({
    queryKey: [environment, 'linked-accounts', query],
    queryFn: ({ signal }) => {
      const asked = { search: query.search, page: query.page, limit: 20 };
      return api<Page<LinkedAccount>>('/linked-accounts', { environment, query: asked, signal });
    },
    placeholderData: keepPreviousData,
  });

const pathOf = (accountId: string) => `/linked-accounts/${encodeURIComponent(accountId)}`;

export const accountQuery = (environment: Environment, accountId: string) =>
  queryOptions({
    queryKey: [environment, 'linked-account', accountId],
    queryFn: ({ signal }) => api<LinkedAccount>(pathOf(accountId), { environment, signal }),
  });

export const accountDetailQuery = (environment: Environment, accountId: string) =>
  queryOptions({
    queryKey: [environment, 'linked-account', accountId, 'detail'],
    queryFn: ({ signal }) =>
      api<{ connections: Connection[]; log: ConnectionLogEntry[]; configs: StoredConfig[] }>(
        `${pathOf(accountId)}/connections`,
        { environment, signal },
      ),
  });

export function createAccount(
  environment: Environment,
  account: { linked_account_id: string; name?: string; udf?: Record<string, string> },
): Promise<LinkedAccount> {
  return api('/linked-accounts', { method: 'POST', environment, body: account });
}

export function deleteAccount(environment: Environment, accountId: string): Promise<unknown> {
  return api(pathOf(accountId), { method: 'DELETE', environment });
}

export async function createPortalLink(
  environment: Environment,
  accountId: string,
  look: Readonly<Record<string, string>>,
): Promise<string> {
  const path = `${pathOf(accountId)}/portal-link`;
  return (await api<{ hosted_url: string }>(path, { method: 'POST', environment, body: look })).hosted_url;
}

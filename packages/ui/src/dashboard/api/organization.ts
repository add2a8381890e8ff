import { queryOptions } from '@tanstack/react-query';
import { api, type Environment } from './http.ts';

export interface Organization {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly logo: string | null;
  readonly website: string | null;
  readonly email: string | null;
}

export interface ApiKey {
  readonly id: string;
  readonly environment: Environment;
  /** First and last characters of the key. */
  readonly hint: string;
  readonly created_at: string;
}

export const organizationQuery = queryOptions({
  queryKey: ['organization'],
  queryFn: ({ signal }) => api<Organization>('/organization', { signal }),
});

export const apiKeysQuery = queryOptions({
  queryKey: ['api-keys'],
  queryFn: async ({ signal }) => (await api<{ keys: ApiKey[] }>('/api-keys', { signal })).keys,
});

export function changeOrganization(
  change: Partial<Pick<Organization, 'name' | 'logo' | 'website'>>,
): Promise<Organization> {
  return api('/organization', { method: 'PATCH', body: change });
}

export async function revealApiKey(id: string): Promise<string> {
  return (await api<{ key: string }>(`/api-keys/${id}/reveal`, { method: 'POST', body: {} })).key;
}

export async function regenerateApiKey(key: ApiKey): Promise<string> {
  const body = { environment: key.environment };
  return (await api<{ key: string }>(`/api-keys/${key.id}/regenerate`, { method: 'POST', body })).key;
}

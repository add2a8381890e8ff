import { queryOptions } from '@tanstack/react-query';
import { api, type Environment } from './http.ts';

export type AuthType = 'oauth2' | 'keybased';

export interface AppSummary {
  readonly slug: string;
  readonly name: string;
  readonly description: string;
  readonly categories: readonly string[];
  readonly icon: string;
  readonly is_enabled: boolean;
  /** The ways in that the connector offers, configured or not. */
  readonly auth_types: readonly AuthType[];
}

export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly label: string;
  readonly required: boolean;
  readonly help?: string;
  readonly placeholder?: string;
  readonly options?: readonly { readonly name: string; readonly value: string }[];
}

export interface AppAction {
  readonly id: string;
  readonly label: string;
  readonly group: string;
  readonly help: string;
  readonly scopes: readonly string[];
  readonly input: readonly Parameter[];
}

export interface AppTrigger {
  readonly id: string;
  readonly label: string;
  readonly help: string;
  readonly kind: 'poll' | 'webhook';
}

export interface Scope {
  readonly id: string;
  readonly description: string;
}

export interface AppSettings {
  readonly credential_source: 'ours' | 'own';
  /** Whether the operator of this installation supplies a client at all. */
  readonly has_our_credentials: boolean;
  readonly client_id: string | null;
  readonly has_client_secret: boolean;
  readonly callback_url: string;
  readonly optional_scopes: readonly string[];
  readonly custom_scopes: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

export interface AppDetail extends AppSummary {
  /** Null while it depends on a variable that has no value yet. */
  readonly documentation_url: string | null;
  readonly actions: readonly AppAction[];
  readonly triggers: readonly AppTrigger[];
  readonly mandatory_scopes: readonly Scope[];
  readonly offered_scopes: readonly Scope[];
  /** What differs by installation and must be supplied, such as an address. */
  readonly variables: readonly Parameter[];
  /** Markdown, for the person who registers the OAuth client at the provider. */
  readonly setup_guide: string;
  readonly connections: number;
  readonly settings: AppSettings;
}

/** Members that are absent stay as they are. */
export interface AppSettingsChange {
  readonly is_enabled?: boolean;
  readonly credential_source?: 'ours' | 'own';
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly optional_scopes?: readonly string[];
  readonly custom_scopes?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
}

export const appsQuery = (environment: Environment) =>
  queryOptions({
    queryKey: [environment, 'apps'],
    queryFn: async ({ signal }) => (await api<{ apps: AppSummary[] }>('/apps', { environment, signal })).apps,
  });

export const appQuery = (environment: Environment, slug: string) =>
  queryOptions({
    queryKey: [environment, 'apps', slug],
    queryFn: ({ signal }) => api<AppDetail>(`/apps/${slug}`, { environment, signal }),
  });

export function changeApp(
  environment: Environment,
  slug: string,
  change: AppSettingsChange,
): Promise<AppDetail> {
  return api(`/apps/${slug}`, { method: 'PATCH', environment, body: change });
}

export async function revealClientSecret(environment: Environment, slug: string): Promise<string> {
  const path = `/apps/${slug}/client-secret/reveal`;
  return (await api<{ client_secret: string }>(path, { method: 'POST', environment, body: {} }))
    .client_secret;
}

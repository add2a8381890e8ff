import { type Connector, parseInput, type Values } from '@inlay/connectors/kit';
import type { ConnectionDeps } from '#connections/deps';
import type { OAuthClient } from '#connections/credential';
import { inputProblem } from '#connections/input-problem';
import { textValues } from '#connections/text-values';
import {
  type AppSettingChange,
  type AppSettingRow,
  findAppSetting,
  listAppSettings,
  upsertAppSetting,
} from '#db/app-setting';
import { type ConnectionRow, listConnections } from '#db/connection';
import type { AuthType } from '#db/schema';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { sealContext } from '#vault/index';

/** What the SaaS company chose for an app, without secrets. */
export interface AppSettings {
  readonly isEnabled: boolean;
  /** `ours`: the client that the operator of this installation supplies. */
  readonly credentialSource: 'ours' | 'own';
  /** Whether the operator supplies one at all. */
  readonly hasOurCredentials: boolean;
  readonly clientId: string | undefined;
  readonly hasClientSecret: boolean;
  /** To be registered at the provider, byte for byte. */
  readonly callbackUrl: string;
  readonly requiredScopes: readonly string[];
  readonly optionalScopes: readonly string[];
  readonly customScopes: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

/** An account's link to an app, as callers may see it. */
export interface ConnectedAccount {
  readonly connectionId: string;
  readonly authType: AuthType;
  readonly status: 'active' | 'expired';
  readonly statusReason: string | undefined;
  readonly identifier: unknown;
  readonly connectedAt: Date;
}

/** An app with what the SaaS company chose and, for one account, what is connected. */
export interface App {
  readonly connector: Connector;
  readonly settings: AppSettings;
  /** The ways in that work as things are: OAuth only with a client. */
  readonly authTypes: readonly AuthType[];
  readonly connections: readonly ConnectedAccount[];
  readonly isConnected: boolean;
  readonly needsReauth: boolean;
}

type AppDeps = Pick<ConnectionDeps, 'db' | 'connectors' | 'config' | 'vault'>;

/** Where a provider sends browsers back to; the one place that makes this address. */
export function callbackUrl(config: ConnectionDeps['config'], slug: string): string {
  return `${config.publicUrl.replace(/\/+$/, '')}/api/v1/${slug}/callback`;
}

/** The whole catalogue for the dashboard: enabled or not, with settings, in the order of names. */
export async function listCatalogue(deps: AppDeps, tenant: Tenant): Promise<App[]> {
  const rows = new Map((await listAppSettings(deps.db, tenant)).map((row) => [row.app_slug, row]));
  return byName(deps).map((connector) => app(deps, connector, rows.get(connector.slug), []));
}

/** One app of the catalogue, enabled or not. @throws AppError `app_not_found` */
export async function findCatalogueApp(deps: AppDeps, tenant: Tenant, slug: string): Promise<App> {
  const connector = deps.connectors.get(slug);
  if (connector === undefined) throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
  return app(deps, connector, await findAppSetting(deps.db, tenant, slug), []);
}

/** The enabled apps as one linked account sees them. */
export async function listApps(deps: AppDeps, tenant: Tenant, linkedAccountId: string): Promise<App[]> {
  const [settings, connections] = await Promise.all([
    listAppSettings(deps.db, tenant),
    listConnections(deps.db, tenant, linkedAccountId),
  ]);
  const enabled = new Map(settings.filter((row) => row.is_enabled).map((row) => [row.app_slug, row]));
  return byName(deps)
    .filter((connector) => enabled.has(connector.slug))
    .map((connector) =>
      app(
        deps,
        connector,
        enabled.get(connector.slug),
        connections.filter((row) => row.app_slug === connector.slug),
      ),
    );
}

/** One enabled app as one linked account sees it. @throws AppError `app_not_found` for a disabled one too */
export async function findApp(
  deps: AppDeps,
  tenant: Tenant,
  linkedAccountId: string,
  slug: string,
): Promise<App> {
  const { connector, setting } = await enabledConnector(deps, tenant, slug);
  return app(deps, connector, setting, await listConnections(deps.db, tenant, linkedAccountId, slug));
}

/** A connector that is enabled here, and its settings. @throws AppError `app_not_found` */
export async function enabledConnector(
  deps: Pick<ConnectionDeps, 'db' | 'connectors'>,
  tenant: Tenant,
  slug: string,
): Promise<{ connector: Connector; setting: AppSettingRow }> {
  const connector = deps.connectors.get(slug);
  const setting = connector && (await findAppSetting(deps.db, tenant, slug));
  if (connector === undefined || setting?.is_enabled !== true) {
    throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
  }
  return { connector, setting };
}

function app(
  deps: AppDeps,
  connector: Connector,
  setting: AppSettingRow | undefined,
  rows: readonly ConnectionRow[],
): App {
  const { oauth2, keybased } = connector.auth;
  const authTypes: AuthType[] = [
    ...(oauth2 !== undefined && clientOf(deps, connector, setting) !== undefined
      ? (['oauth2'] as const)
      : []),
    ...(keybased === undefined ? [] : (['keybased'] as const)),
  ];
  const connections = rows.map((row): ConnectedAccount => ({
    connectionId: row.id,
    authType: row.auth_type,
    status: row.status,
    statusReason: row.status_reason ?? undefined,
    identifier: row.identifier ?? undefined,
    connectedAt: row.connected_at,
  }));
  return {
    connector,
    settings: settingsOf(deps, connector, setting),
    authTypes,
    connections,
    isConnected: connections.length > 0,
    // Calls use the active connection, so the account is asked to come back only when there is none.
    needsReauth: connections.length > 0 && connections.every((one) => one.status === 'expired'),
  };
}

function byName(deps: AppDeps): Connector[] {
  return [...deps.connectors.values()].toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
}

/**
 * The client that the operator lends to every organisation. It is not lent where an organisation chooses the host
 * of the token endpoint by a variable: whoever signs up could have the operator's secret sent to himself.
 */
function operatorClient(deps: AppDeps, connector: Connector) {
  const { appCredentials } = deps.config;
  if (!Object.hasOwn(appCredentials, connector.slug)) return undefined;
  return isTokenHostChosen(connector) ? undefined : appCredentials[connector.slug];
}

function isTokenHostChosen({ auth: { oauth2 }, vars }: Connector): boolean {
  if (oauth2 === undefined || oauth2.tokenHosts !== undefined) return false;
  const templates = [oauth2.tokenUrl, oauth2.refreshUrl, oauth2.revocationUrl];
  return Object.keys(vars).some((name) =>
    templates.some(
      (template) =>
        typeof template === 'string'
          ? /^(?:https?:\/\/)?[^/]*/.exec(template)?.[0].includes(`{${name}}`)
          : template !== undefined, // a function may do anything with its variables
    ),
  );
}

function settingsOf(deps: AppDeps, connector: Connector, setting: AppSettingRow | undefined): AppSettings {
  const hasOurCredentials = operatorClient(deps, connector) !== undefined;
  return {
    isEnabled: setting?.is_enabled ?? false,
    credentialSource: setting?.credential_source ?? (hasOurCredentials ? 'ours' : 'own'),
    hasOurCredentials,
    clientId: setting?.client_id ?? undefined,
    hasClientSecret: setting?.client_secret_sealed != null,
    callbackUrl: callbackUrl(deps.config, connector.slug),
    requiredScopes: Object.keys(connector.auth.oauth2?.scopes.required ?? {}),
    optionalScopes: setting?.optional_scopes ?? [],
    customScopes: setting?.custom_scopes ?? [],
    variables: setting?.variables ?? {},
  };
}

function clientOf(
  deps: AppDeps,
  connector: Connector,
  setting: AppSettingRow | undefined,
): { id: string; isOurs: boolean } | undefined {
  const ours = operatorClient(deps, connector);
  if ((setting?.credential_source ?? 'ours') === 'ours') {
    return ours && { id: ours.clientId, isOurs: true };
  }
  if (setting?.client_id == null) return undefined;
  const needsSecret = connector.auth.oauth2?.clientAuth !== 'none';
  return needsSecret && setting.client_secret_sealed === null
    ? undefined
    : { id: setting.client_id, isOurs: false };
}

/** The OAuth client to authorize with now. @throws AppError `app_not_configured` */
export function currentOAuthClient(
  deps: AppDeps,
  tenant: Tenant,
  connector: Connector,
  setting: AppSettingRow,
): OAuthClient {
  const client = clientOf(deps, connector, setting);
  if (client === undefined) throw new AppError('app_not_configured', { app: connector.name });
  if (client.isOurs) {
    return { id: client.id, secret: operatorClient(deps, connector)?.clientSecret };
  }
  const secret =
    setting.client_secret_sealed === null
      ? undefined
      : deps.vault.open(setting.client_secret_sealed, secretContext(tenant, connector.slug)).toString('utf8');
  return { id: client.id, secret };
}

/** The stored client secret, for whoever may administer the app. @throws AppError `not_found` when none is stored */
export async function revealClientSecret(deps: AppDeps, tenant: Tenant, slug: string): Promise<string> {
  const setting = await findAppSetting(deps.db, tenant, slug);
  if (setting?.client_secret_sealed == null) {
    throw new AppError('not_found', { what: 'Client secret of app', id: slug });
  }
  return deps.vault.open(setting.client_secret_sealed, secretContext(tenant, slug)).toString('utf8');
}

/** What the settings page may change. Members that are absent stay as they are. */
export interface AppSettingsInput {
  readonly isEnabled?: boolean | undefined;
  readonly credentialSource?: 'ours' | 'own' | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  readonly optionalScopes?: readonly string[] | undefined;
  readonly customScopes?: readonly string[] | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Saves an app's settings. New scopes and clients serve new authorizations; connections keep the client they were
 * made with.
 *
 * @throws AppError `app_not_found`, `invalid_request` naming the member
 */
export async function saveAppSettings(
  deps: AppDeps,
  tenant: Tenant,
  slug: string,
  input: AppSettingsInput,
): Promise<App> {
  const connector = deps.connectors.get(slug);
  if (connector === undefined) throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
  const refuse = (path: string, message: string): never => {
    throw new AppError('invalid_request', { problems: [{ path, message }] });
  };
  if (input.credentialSource === 'ours' && operatorClient(deps, connector) === undefined) {
    refuse(
      'credentialSource',
      isTokenHostChosen(connector)
        ? `${connector.name} runs at an address of your choice, so the client has to be your own`
        : `this installation has no ${connector.name} client; the operator can set INLAY_APP_${slug.toUpperCase().replaceAll('-', '_')}_CLIENT_ID`,
    );
  }
  const { oauth2 } = connector.auth;
  for (const scope of input.optionalScopes ?? []) {
    const offered = { ...oauth2?.scopes.optional, ...oauth2?.scopes.second?.optional };
    if (!Object.hasOwn(offered, scope)) {
      refuse('optionalScopes', `"${scope}" is not one of the app's scopes; add it as a custom scope`);
    }
  }
  for (const scope of input.customScopes ?? []) {
    // RFC 6749 §3.3: printable ASCII without space, quote and backslash.
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)) refuse('customScopes', `"${scope}" is not a scope`);
  }
  const change: AppSettingChange = {
    isEnabled: input.isEnabled,
    credentialSource: input.credentialSource,
    clientId: input.clientId?.trim(),
    optionalScopes: input.optionalScopes,
    customScopes: input.customScopes,
    variables: input.variables === undefined ? undefined : parseVariables(connector, input.variables),
    clientSecretSealed:
      input.clientSecret === undefined
        ? undefined
        : deps.vault.seal(input.clientSecret.trim(), secretContext(tenant, slug)),
  };
  const existing = await findAppSetting(deps.db, tenant, slug);
  const isFirst = existing === undefined;
  await upsertAppSetting(deps.db, tenant, slug, {
    ...change,
    // An app is first enabled with the operator's client where there is one.
    ...(isFirst && {
      isEnabled: input.isEnabled ?? false,
      credentialSource:
        input.credentialSource ??
        (input.clientId === undefined && operatorClient(deps, connector) !== undefined ? 'ours' : 'own'),
    }),
  });
  return findCatalogueApp(deps, tenant, slug);
}

function parseVariables(connector: Connector, input: Readonly<Record<string, unknown>>): Values {
  try {
    return textValues(parseInput(connector.vars, input));
  } catch (error) {
    throw inputProblem(error, connector);
  }
}

function secretContext(tenant: Tenant, slug: string): string {
  return sealContext('app_setting.client_secret_sealed', tenant.orgId, tenant.environment, slug);
}

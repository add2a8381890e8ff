import type { Values } from '@inlay/connectors/kit';
import { callbackUrl, currentOAuthClient, enabledConnector } from '#connections/apps';
import type { OAuthCredential } from '#connections/credential';
import type { ConnectionDeps } from '#connections/deps';
import { connectProblem, tryAndStore } from '#connections/try-and-store';
import { AppError } from '#domain/errors';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

const known = [
  'access_token',
  'refresh_token',
  'expires_at',
  'scope',
  'client_id',
  'client_secret',
  'callback_url',
] as const;

/**
 * Takes over tokens that another system obtained. They are tried at the provider first, and renewed by the client
 * that obtained them: the app's present one unless `client_id` names another.
 *
 * @throws AppError `app_not_found`, `auth_type_not_supported`, `app_not_configured`, `invalid_request` naming the
 * field, `credential_rejected`, `provider_unreachable`
 */
export async function importOAuthCredential(
  deps: ConnectionDeps,
  input: {
    readonly tenant: Tenant;
    readonly linkedAccount: LinkedAccountRef;
    readonly slug: string;
    readonly fields: Values;
  },
): Promise<{ isNew: boolean }> {
  const { tenant, linkedAccount, slug, fields } = input;
  const { connector, setting } = await enabledConnector(deps, tenant, slug);
  const { oauth2 } = connector.auth;
  if (oauth2 === undefined) {
    throw new AppError('auth_type_not_supported', {
      app: connector.name,
      authType: 'oauth2',
      supported: 'keybased',
    });
  }
  const kept = [...Object.keys(oauth2.before), ...oauth2.keep, ...oauth2.keepFromCallback];
  for (const name of Object.keys(fields)) {
    if (![...known, ...kept].includes(name)) throw problem(name, 'is not a token field of this app');
  }
  const accessToken = fields['access_token'];
  if (accessToken === undefined || accessToken === '') throw problem('access_token', 'is required');
  const expiresAt = fields['expires_at'] === undefined ? null : new Date(fields['expires_at']);
  if (expiresAt !== null && Number.isNaN(expiresAt.getTime())) {
    throw problem('expires_at', 'must be a time such as 2026-03-01T09:30:00Z');
  }
  const clientId = fields['client_id'];
  const credential: OAuthCredential = {
    kind: 'oauth2',
    accessToken,
    ...(fields['refresh_token'] !== undefined && { refreshToken: fields['refresh_token'] }),
    issuedAt: deps.clock.now().toISOString(),
    client:
      clientId === undefined
        ? currentOAuthClient(deps, tenant, connector, setting)
        : { id: clientId, secret: fields['client_secret'] },
    redirectUri: fields['callback_url'] ?? callbackUrl(deps.config, slug),
  };
  const meta = Object.fromEntries(
    kept.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])),
  );
  try {
    return await tryAndStore(deps, {
      tenant,
      linkedAccountId: linkedAccount.id,
      connector,
      place: { meta, vars: setting.variables },
      credential,
      accessExpiresAt: expiresAt,
      refreshExpiresAt: null,
      grantedScopes: fields['scope'] === undefined ? null : fields['scope'].split(oauth2.scopes.separator),
      detail: { imported: true },
    });
  } catch (error) {
    throw connectProblem(error, connector);
  }
}

function problem(path: string, message: string): AppError {
  return new AppError('invalid_request', { problems: [{ path: `auth_object.${path}`, message }] });
}

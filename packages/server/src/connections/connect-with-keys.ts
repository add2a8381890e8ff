import { checkConnection, parseInput, ProviderError } from '@inlay/connectors/kit';
import { enabledConnector } from '#connections/apps';
import type { KeyCredential } from '#connections/credential';
import type { ConnectionDeps } from '#connections/deps';
import { inputProblem } from '#connections/input-problem';
import { login } from '#connections/login';
import { placementOf, providerHttp } from '#connections/provider-http';
import { storeConnection } from '#connections/store-connection';
import { textValues } from '#connections/text-values';
import { AppError } from '#domain/errors';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

/**
 * Connects an account with keys that it typed. The provider is asked first: keys that it refuses are not stored.
 *
 * @throws AppError `app_not_found`, `auth_type_not_supported`, `action_parameter_missing` and `invalid_request`
 * naming the field, `credential_rejected`, `provider_unreachable`
 */
export async function connectWithKeys(
  deps: ConnectionDeps,
  input: {
    readonly tenant: Tenant;
    readonly linkedAccount: LinkedAccountRef;
    readonly slug: string;
    readonly fields: Readonly<Record<string, unknown>>;
  },
): Promise<{ isNew: boolean }> {
  const { tenant, linkedAccount, slug } = input;
  const { connector, setting } = await enabledConnector(deps, tenant, slug);
  const { keybased } = connector.auth;
  if (keybased === undefined) {
    throw new AppError('auth_type_not_supported', {
      app: connector.name,
      authType: 'keybased',
      supported: 'oauth2',
    });
  }
  const now = deps.clock.now();
  const vars = setting.variables;
  try {
    const fields = parseInput(keybased.fields, input.fields);
    const typed = textValues(Object.fromEntries(keybased.keep.map((name) => [name, fields[name]])));
    // Calls that prove the keys are counted apart: the connection has no id yet.
    const key = `connect:${linkedAccount.id}:${slug}`;
    const session = await login(
      deps,
      { connector, tenant, vars },
      { fields, meta: typed, now, connectionId: key },
    );
    const credential: KeyCredential = {
      kind: 'keybased',
      fields,
      ...(session.token !== undefined && { token: session.token, issuedAt: now.toISOString() }),
    };
    const place = { meta: { ...typed, ...session.meta }, vars };
    const http = providerHttp(
      deps.outbound,
      { connector, place, budgetKey: key },
      placementOf(connector, credential, place),
    );
    const checked = await checkConnection(connector, http, place);
    return await storeConnection(deps, {
      tenant,
      linkedAccountId: linkedAccount.id,
      slug,
      credential,
      accessExpiresAt: session.expiresAt,
      refreshExpiresAt: null,
      grantedScopes: null,
      identifier: checked.identifier,
      meta: { ...place.meta, ...checked.meta },
    });
  } catch (error) {
    if (error instanceof ProviderError) throw refused(error, connector.name);
    throw inputProblem(error, connector);
  }
}

/** A refusal of what was to be verified as an error of ours: a definite no, or a provider that cannot say now. */
export function refused(error: ProviderError, app: string): AppError {
  const isDefinite = error.status < 500 && error.status !== 429;
  return isDefinite
    ? new AppError('credential_rejected', { app, reason: `HTTP ${error.status}` }, { cause: error })
    : new AppError(
        'provider_unreachable',
        { app, reason: `it answered with status ${error.status}, so the credentials could not be verified` },
        { cause: error },
      );
}

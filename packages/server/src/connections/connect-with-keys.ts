import { parseInput } from '@inlay/connectors/kit';
import { enabledConnector } from '#connections/apps';
import type { KeyCredential } from '#connections/credential';
import type { ConnectionDeps } from '#connections/deps';
import { login } from '#connections/login';
import { textValues } from '#connections/text-values';
import { connectBudgetKey, connectProblem, tryAndStore } from '#connections/try-and-store';
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
    const session = await login(
      deps,
      { connector, tenant, vars },
      { fields, meta: typed, now, connectionId: connectBudgetKey(linkedAccount.id, slug) },
    );
    const credential: KeyCredential = {
      kind: 'keybased',
      fields,
      ...(session.token !== undefined && { token: session.token, issuedAt: now.toISOString() }),
    };
    return await tryAndStore(deps, {
      tenant,
      linkedAccountId: linkedAccount.id,
      connector,
      place: { meta: { ...typed, ...session.meta }, vars },
      credential,
      accessExpiresAt: session.expiresAt,
      refreshExpiresAt: null,
      grantedScopes: null,
    });
  } catch (error) {
    throw connectProblem(error, connector);
  }
}

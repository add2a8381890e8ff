import { type Connector, ProviderError, type Values } from '@inlay/connectors/kit';
import type { ConnectionDeps } from '#connections/deps';
import { budgetKey, providerHttp } from '#connections/provider-http';
import type { Tenant } from '#domain/tenant';

/** What typed keys were exchanged for; without a login the keys sign requests themselves. */
export interface LoginSession {
  readonly token: string | undefined;
  readonly expiresAt: Date | null;
  readonly meta: Values;
}

/**
 * Exchanges keys for a short-lived token where the connector declares a login.
 *
 * @throws ProviderError when the provider refuses the keys
 */
export async function login(
  deps: Pick<ConnectionDeps, 'outbound'>,
  owner: { readonly connector: Connector; readonly tenant: Tenant; readonly vars: Values },
  input: {
    readonly fields: Readonly<Record<string, unknown>>;
    readonly meta: Values;
    readonly now: Date;
    readonly connectionId: string;
  },
): Promise<LoginSession> {
  const { connector, tenant, vars } = owner;
  const declared = connector.auth.keybased?.login;
  if (declared === undefined) return { token: undefined, expiresAt: null, meta: {} };
  const http = providerHttp(
    deps.outbound,
    {
      connector,
      place: { meta: input.meta, vars },
      budgetKey: budgetKey(connector, tenant, input.connectionId),
    },
    {},
  );
  const { status, body } = await http.send(declared.request(input.fields as never, vars));
  if (status < 200 || status > 299) throw new ProviderError(status, body);
  const { token, expiresInSeconds, meta } = declared.read(body);
  return {
    token,
    expiresAt:
      expiresInSeconds === undefined ? null : new Date(input.now.getTime() + expiresInSeconds * 1000),
    meta: meta ?? {},
  };
}

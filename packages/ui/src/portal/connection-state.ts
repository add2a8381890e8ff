import type { Application, AuthType, ConnectedAccount } from './api/wire.ts';

export type ConnectionState = 'connected' | 'expired' | 'none';

/** The state a customer sees: one dead connection is told only when no living one stands in for it. */
export function connectionState(app: Application): ConnectionState {
  const accounts = app.connected_accounts ?? [];
  if (accounts.some((account) => account.status === 'active')) return 'connected';
  if (accounts.length > 0 || (app.connected === true && app.reauth_required === true)) return 'expired';
  return app.connected === true ? 'connected' : 'none';
}

export function accountOf(app: Application, authType: AuthType): ConnectedAccount | undefined {
  return app.connected_accounts?.find((account) => account.auth_type === authType);
}

/** The ways to connect an app, the OAuth one first. */
export function authTypesOf(app: Application): readonly AuthType[] {
  const offered = (['oauth2', 'keybased'] as const).filter(
    (type) => app.auth_type_options?.[type] !== undefined,
  );
  return offered.length > 0 ? offered : [app.auth_type];
}

/** Whose account it is, as far as the provider told; undefined for "NA" and for shapes nobody can read. */
export function identifierOf(account: ConnectedAccount): string | undefined {
  const { identifier } = account;
  if (typeof identifier === 'string')
    return identifier === '' || identifier === 'NA' ? undefined : identifier;
  if (typeof identifier === 'number') return String(identifier);
  if (typeof identifier !== 'object' || identifier === null) return undefined;
  const parts = Object.values(identifier).filter(
    (value) => typeof value === 'string' || typeof value === 'number',
  );
  return parts.length === 0 ? undefined : parts.join(', ');
}

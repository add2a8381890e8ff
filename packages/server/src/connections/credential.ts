import type { ConnectionRow } from '#db/connection';
import { sealContext, type Vault } from '#vault/index';

/** The OAuth client that obtained a connection's tokens: they are bound to it, whatever the settings say later. */
export interface OAuthClient {
  readonly id: string;
  readonly secret: string | undefined;
}

export interface OAuthCredential {
  readonly kind: 'oauth2';
  readonly accessToken: string;
  readonly refreshToken?: string;
  /** When the access token was issued; with its expiry it gives the token's life. */
  readonly issuedAt: string;
  readonly client: OAuthClient;
  readonly redirectUri: string;
}

export interface KeyCredential {
  readonly kind: 'keybased';
  /** What the customer typed, validated by the connector's fields. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The short-lived token that the keys were exchanged for, where the connector logs in. */
  readonly token?: string;
  readonly issuedAt?: string;
}

/** What is sealed in a connection's row. */
export type Credential = OAuthCredential | KeyCredential;

/** Seals a credential for the row that will hold it. */
export function sealCredential(vault: Vault, connectionId: string, credential: Credential): Buffer {
  return vault.sealJson(credential, sealContext('connection.credential_sealed', connectionId));
}

/** The credential in a row. @throws AppError `sealed_value_unreadable` */
export function openCredential(vault: Vault, row: ConnectionRow): Credential {
  return vault.openJson(
    row.credential_sealed,
    sealContext('connection.credential_sealed', row.id),
  ) as Credential;
}

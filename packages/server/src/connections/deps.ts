import type { Connector } from '@inlay/connectors/kit';
import type { Pool } from 'pg';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import type { Tenant } from '#domain/tenant';
import type { FileStore } from '#files/index';
import type { Outbound } from '#outbound/index';
import type { Sandbox } from '#sandbox/index';
import type { Vault } from '#vault/index';

/** The connectors of this build, by slug. */
export type ConnectorCatalogue = ReadonlyMap<string, Connector>;

/** What connecting needs of the settings. */
export interface ConnectionConfig {
  /** Callback URLs start with it, in the settings page and in requests alike. */
  readonly publicUrl: string;
  /** OAuth clients that the operator offers as "use our credentials", by app slug. */
  readonly appCredentials: Readonly<
    Record<string, { readonly clientId: string; readonly clientSecret: string }>
  >;
}

/** What the functions of this folder are given. */
export interface ConnectionDeps {
  readonly db: Db;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly outbound: Outbound;
  readonly connectors: ConnectorCatalogue;
  /** Where custom actions run their scripts, and keep answers as files. */
  readonly sandbox: Pick<Sandbox, 'runCode'>;
  readonly files: Pick<FileStore, 'write'>;
  readonly config: ConnectionConfig;
  readonly log: {
    info(detail: object, message: string): void;
    warn(detail: object, message: string): void;
  };
  /** Runs inside the transaction that stores a new connection, e.g. to make the default config. */
  readonly onConnected?: OnConnected;
}

export type OnConnected = (
  transaction: Db,
  connection: { readonly tenant: Tenant; readonly linkedAccountId: string; readonly slug: string },
) => Promise<void>;

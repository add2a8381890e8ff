import type { Selectable } from 'kysely';
import type { ConnectLinkTable, Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

export type StoredConnectLink = Selectable<ConnectLinkTable>;

export async function insertConnectLink(
  db: Db,
  tenant: Tenant,
  row: {
    tokenHash: Buffer;
    linkedAccountId: string;
    sessionJti: string;
    configId: string | null;
    createdAt: Date;
    expiresAt: Date;
  },
): Promise<void> {
  await db
    .insertInto('connect_link')
    .values({
      token_hash: row.tokenHash,
      org_id: tenant.orgId,
      environment: tenant.environment,
      linked_account_id: row.linkedAccountId,
      session_jti: row.sessionJti,
      config_id: row.configId,
      created_at: row.createdAt,
      expires_at: row.expiresAt,
    })
    .execute();
}

/** The link of a token. Its holder is a stranger, so the unguessable token is what selects the tenant. */
export function findConnectLink(
  db: Db,
  tokenHash: Buffer,
  now: Date,
): Promise<StoredConnectLink | undefined> {
  return db
    .selectFrom('connect_link')
    .selectAll()
    .where('token_hash', '=', tokenHash)
    .where('expires_at', '>', now)
    .executeTakeFirst();
}

/** Binds a link to the first browser. Says whether it is bound to this one now: of two that race, one wins. */
export async function bindConnectLink(db: Db, tokenHash: Buffer, browserHash: Buffer): Promise<boolean> {
  const result = await db
    .updateTable('connect_link')
    .set({ browser_hash: browserHash })
    .where('token_hash', '=', tokenHash)
    .where((where) => where.or([where('browser_hash', 'is', null), where('browser_hash', '=', browserHash)]))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

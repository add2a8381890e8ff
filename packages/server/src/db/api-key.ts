import type { Pool } from 'pg';
import type { Environment, Tenant } from '#domain/tenant';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Db } from '#db/schema';

export interface KeyHolder {
  readonly keyId: string;
  readonly tenant: Tenant;
  /** Set when an account id was asked for and exists in the key's organisation and environment. */
  readonly linkedAccount?: LinkedAccountRef;
}

interface KeyHolderRow {
  id: string;
  org_id: string;
  environment: Environment;
  linked_account_pk: string | null;
  account_id: string | null;
  name: string | null;
}

/**
 * Who holds a key, and the linked account it names, in one indexed read: this runs before every request
 * of a backend, so it is a prepared statement and not two.
 */
export async function findKeyHolder(
  pool: Pool,
  keyHash: Buffer,
  accountId: string | undefined,
): Promise<KeyHolder | undefined> {
  const { rows } = await pool.query<KeyHolderRow>({
    name: 'api_key_holder',
    text: `select k.id, k.org_id, k.environment, a.id as linked_account_pk, a.account_id, a.name
             from api_key k
             left join linked_account a
               on a.org_id = k.org_id and a.environment = k.environment and a.account_id = $2
            where k.key_hash = $1 and k.disabled_at is null`,
    values: [keyHash, accountId ?? null],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    keyId: row.id,
    tenant: { orgId: row.org_id, environment: row.environment },
    ...(row.linked_account_pk !== null && {
      linkedAccount: { id: row.linked_account_pk, accountId: row.account_id ?? '', name: row.name },
    }),
  };
}

export interface StoredApiKey {
  id: string;
  environment: Environment;
  hint: string;
  key_sealed: Buffer;
  created_at: Date;
}

/** The keys of an organisation that work, oldest first in each environment. */
export function listApiKeys(db: Db, orgId: string): Promise<StoredApiKey[]> {
  return db
    .selectFrom('api_key')
    .select(['id', 'environment', 'hint', 'key_sealed', 'created_at'])
    .where('org_id', '=', orgId)
    .where('disabled_at', 'is', null)
    .orderBy('environment', 'desc')
    .orderBy('created_at')
    .execute();
}

export async function insertApiKey(
  db: Db,
  row: { id: string; tenant: Tenant; keyHash: Buffer; keySealed: Buffer; hint: string; createdAt: Date },
): Promise<void> {
  await db
    .insertInto('api_key')
    .values({
      id: row.id,
      org_id: row.tenant.orgId,
      environment: row.tenant.environment,
      key_hash: row.keyHash,
      key_sealed: row.keySealed,
      hint: row.hint,
      created_at: row.createdAt,
    })
    .execute();
}

/** Kills a key at once. Says whether it was alive. */
export async function disableApiKey(db: Db, tenant: Tenant, id: string, at: Date): Promise<boolean> {
  const result = await db
    .updateTable('api_key')
    .set({ disabled_at: at })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .where('disabled_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

import type { Pool } from 'pg';
import type { Environment, Tenant } from '#domain/tenant';
import type { LinkedAccountRef } from '#domain/linked-account';
import { groupCommit, type GroupCommit } from '#db/group-commit';
import type { Db } from '#db/schema';

export interface KeyHolder {
  readonly keyId: string;
  readonly tenant: Tenant;
  /** Set when an account id was asked for and exists in the key's organisation and environment. */
  readonly linkedAccount?: LinkedAccountRef;
}

interface KeyHolderRow {
  /** Of the question, from 1. */
  number: number;
  id: string;
  org_id: string;
  environment: Environment;
  linked_account_pk: string | null;
  account_id: string | null;
  name: string | null;
}

export interface KeyQuestion {
  readonly keyHash: Buffer;
  readonly accountId: string | undefined;
}

/**
 * Who holds keys, and the linked account each names, in one indexed read: this runs before every request of a
 * backend. Requests that arrive while one reading is on its way ask together in the next; so no answer is older than
 * its question, and a key that was revoked is refused at once.
 */
export function keyHolders(pool: Pool): GroupCommit<KeyQuestion, KeyHolder | undefined> {
  return groupCommit((questions) => findKeyHolders(pool, questions), largestReading, { isEager: true });
}

const largestReading = 200;

async function findKeyHolders(
  pool: Pool,
  questions: readonly KeyQuestion[],
): Promise<readonly (KeyHolder | undefined)[]> {
  const { rows } = await pool.query<KeyHolderRow>({
    name: 'api_key_holders',
    text: `select q.number, k.id, k.org_id, k.environment, a.id as linked_account_pk, a.account_id, a.name
             from unnest($1::bytea[], $2::text[]) with ordinality as q(key_hash, account_id, number)
             join api_key k on k.key_hash = q.key_hash and k.disabled_at is null
             left join linked_account a
               on a.org_id = k.org_id and a.environment = k.environment and a.account_id = q.account_id`,
    values: [questions.map(({ keyHash }) => keyHash), questions.map(({ accountId }) => accountId ?? null)],
  });
  const holders: (KeyHolder | undefined)[] = questions.map(() => undefined);
  for (const row of rows) {
    holders[row.number - 1] = {
      keyId: row.id,
      tenant: { orgId: row.org_id, environment: row.environment },
      ...(row.linked_account_pk !== null && {
        linkedAccount: { id: row.linked_account_pk, accountId: row.account_id ?? '', name: row.name },
      }),
    };
  }
  return holders;
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

import type { Pool } from 'pg';
import type { Environment, Tenant } from '#domain/tenant';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Db } from '#db/schema';

export interface SessionHolder {
  readonly jti: string;
  readonly tenant: Tenant;
  readonly linkedAccount: LinkedAccountRef;
  /** It may look at workflows, and not change, switch or run them. */
  readonly isWorkflowReadOnly: boolean;
}

interface SessionHolderRow {
  org_id: string;
  environment: Environment;
  linked_account_pk: string;
  account_id: string;
  name: string | null;
  is_workflow_read_only: boolean;
}

/** Whose unrevoked, unexpired session a token id stands for: one indexed read before every browser request. */
export async function findSessionHolder(
  pool: Pool,
  jti: string,
  now: Date,
): Promise<SessionHolder | undefined> {
  const { rows } = await pool.query<SessionHolderRow>({
    name: 'session_token_holder',
    text: `select t.org_id, t.environment, a.id as linked_account_pk, a.account_id, a.name,
             t.is_workflow_read_only
             from session_token t join linked_account a on a.id = t.linked_account_id
            where t.jti = $1 and t.revoked_at is null and t.expires_at > $2`,
    values: [jti, now],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    jti,
    tenant: { orgId: row.org_id, environment: row.environment },
    linkedAccount: { id: row.linked_account_pk, accountId: row.account_id, name: row.name },
    isWorkflowReadOnly: row.is_workflow_read_only,
  };
}

export interface SessionTokenRow {
  jti: string;
  issued_at: Date;
  expires_at: Date;
  is_workflow_read_only: boolean;
}

/** The living token of an account, of the same kind, that lasts longest, if it lasts at least until `notBefore`. */
export function findReusableSessionToken(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  isWorkflowReadOnly: boolean,
  notBefore: Date,
): Promise<SessionTokenRow | undefined> {
  return db
    .selectFrom('session_token')
    .select(['jti', 'issued_at', 'expires_at', 'is_workflow_read_only'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', linkedAccountId)
    .where('is_workflow_read_only', '=', isWorkflowReadOnly)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>=', notBefore)
    .orderBy('expires_at', 'desc')
    .limit(1)
    .executeTakeFirst();
}

export async function insertSessionToken(
  db: Db,
  tenant: Tenant,
  row: {
    jti: string;
    linkedAccountId: string;
    issuedAt: Date;
    expiresAt: Date;
    isWorkflowReadOnly: boolean;
  },
): Promise<void> {
  await db
    .insertInto('session_token')
    .values({
      jti: row.jti,
      org_id: tenant.orgId,
      environment: tenant.environment,
      linked_account_id: row.linkedAccountId,
      issued_at: row.issuedAt,
      expires_at: row.expiresAt,
      is_workflow_read_only: row.isWorkflowReadOnly,
    })
    .execute();
}

/** Revokes one token. Says whether it was alive. */
export async function revokeSessionToken(db: Db, tenant: Tenant, jti: string, at: Date): Promise<boolean> {
  const result = await db
    .updateTable('session_token')
    .set({ revoked_at: at })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('jti', '=', jti)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Forgets tokens, and the hosted links that open with them, that nobody can use any more. */
export async function deleteExpiredSessionTokens(pool: Pool): Promise<void> {
  await pool.query(
    `delete from session_token where expires_at < now() - interval '1 day'
       and (hosted_properties_until is null or hosted_properties_until < now())`,
  );
}

/** Keeps what a hosted page was asked to look like, under the session that will open it. */
export async function storeHostedProperties(
  db: Db,
  tenant: Tenant,
  jti: string,
  properties: Record<string, unknown>,
  until: Date,
): Promise<void> {
  await db
    .updateTable('session_token')
    .set({ hosted_properties: JSON.stringify(properties), hosted_properties_until: until })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('jti', '=', jti)
    .execute();
}

/** The stored object, `undefined` when none was given or its time is over. */
export async function findHostedProperties(
  db: Db,
  tenant: Tenant,
  jti: string,
  now: Date,
): Promise<Record<string, unknown> | undefined> {
  const row = await db
    .selectFrom('session_token')
    .select('hosted_properties')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('jti', '=', jti)
    .where('hosted_properties_until', '>', now)
    .executeTakeFirst();
  return row?.hosted_properties ?? undefined;
}

/** A living token by its id, with whose it is. */
export function findSessionTokenRow(
  db: Db,
  tenant: Tenant,
  jti: string,
  now: Date,
): Promise<(SessionTokenRow & { account_id: string; name: string | null }) | undefined> {
  return db
    .selectFrom('session_token')
    .innerJoin('linked_account', 'linked_account.id', 'session_token.linked_account_id')
    .select(['jti', 'issued_at', 'expires_at', 'is_workflow_read_only', 'account_id', 'name'])
    .where('session_token.org_id', '=', tenant.orgId)
    .where('session_token.environment', '=', tenant.environment)
    .where('jti', '=', jti)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', now)
    .executeTakeFirst();
}

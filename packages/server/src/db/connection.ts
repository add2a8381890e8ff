import { sql } from 'kysely';
import type { Pool } from 'pg';
import { noteConnectionEvent } from '#db/alert-event';
import type { AuthType, ConnectionEvent, ConnectionStatus, Db } from '#db/schema';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

/** A connection as code works with it; the credential is still sealed. */
export interface ConnectionRow {
  readonly id: string;
  readonly org_id: string;
  readonly environment: Tenant['environment'];
  readonly linked_account_id: string;
  readonly app_slug: string;
  readonly auth_type: AuthType;
  readonly status: ConnectionStatus;
  readonly status_reason: string | null;
  readonly credential_sealed: Buffer;
  readonly credential_version: number;
  readonly access_expires_at: Date | null;
  readonly identifier: unknown;
  readonly meta: Record<string, string>;
  readonly refresh_lease_until: Date | null;
  readonly refresh_failures: number;
  readonly refresh_retry_at: Date | null;
  readonly connected_at: Date;
}

const columns = [
  'id',
  'org_id',
  'environment',
  'linked_account_id',
  'app_slug',
  'auth_type',
  'status',
  'status_reason',
  'credential_sealed',
  'credential_version',
  'access_expires_at',
  'identifier',
  'meta',
  'refresh_lease_until',
  'refresh_failures',
  'refresh_retry_at',
  'connected_at',
] as const;

/** What a call to an app needs, in one round trip. */
export interface CallContext {
  readonly account_id: string;
  readonly is_enabled: boolean;
  readonly variables: Record<string, string>;
  readonly connection: ConnectionRow | undefined;
}

/**
 * The account, the app's settings and the connection to use, by one prepared statement: this is on the path of
 * every action. Of two connections the active one is used, and of two active ones the OAuth one.
 *
 * Nothing is kept in memory between calls: an account that disconnected must not be served another time, and the
 * lookup costs about a third of a millisecond.
 */
export async function findCallContext(
  pool: Pool,
  tenant: Tenant,
  linkedAccountId: string,
  slug: string,
): Promise<CallContext | undefined> {
  const { rows } = await pool.query<
    { account_id: string; is_enabled: boolean; variables: Record<string, string> } & ConnectionRow
  >({
    name: 'find_call_context',
    text: `select a.account_id, coalesce(s.is_enabled, false) as is_enabled, coalesce(s.variables, '{}') as variables,
                  ${columns.map((name) => `c.${name}`).join(', ')}
           from linked_account a
           left join app_setting s on s.org_id = a.org_id and s.environment = a.environment and s.app_slug = $4
           left join connection c on c.org_id = a.org_id and c.environment = a.environment
             and c.linked_account_id = a.id and c.app_slug = $4
           where a.org_id = $1 and a.environment = $2 and a.id = $3
           order by c.status = 'active' desc nulls last, c.auth_type = 'oauth2' desc nulls last
           limit 1`,
    values: [tenant.orgId, tenant.environment, linkedAccountId, slug],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  const { account_id, is_enabled, variables, ...connection } = row;
  // The outer join gives nulls where there is no connection.
  const isConnected = (connection.id as string | null) !== null;
  return { account_id, is_enabled, variables, connection: isConnected ? connection : undefined };
}

/** All connections of an account, or those to one app. */
export async function listConnections(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  slug?: string,
): Promise<ConnectionRow[]> {
  const rows = await db
    .selectFrom('connection')
    .select(columns)
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', linkedAccountId)
    .$if(slug !== undefined, (query) => query.where('app_slug', '=', slug ?? ''))
    .orderBy('connected_at')
    .execute();
  return rows;
}

export async function findConnection(db: Db, tenant: Tenant, id: string): Promise<ConnectionRow | undefined> {
  return db
    .selectFrom('connection')
    .select(columns)
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** Identity of the row that a new credential goes to; its id is needed before it is sealed. */
export async function findConnectionId(
  db: Db,
  tenant: Tenant,
  key: { readonly linkedAccountId: string; readonly slug: string; readonly authType: AuthType },
): Promise<string | undefined> {
  const row = await db
    .selectFrom('connection')
    .select('id')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', key.linkedAccountId)
    .where('app_slug', '=', key.slug)
    .where('auth_type', '=', key.authType)
    .forUpdate()
    .executeTakeFirst();
  return row?.id;
}

export interface NewCredential {
  readonly sealed: Buffer;
  readonly accessExpiresAt: Date | null;
  readonly refreshExpiresAt: Date | null;
  readonly grantedScopes: readonly string[] | null;
}

/** Stores a new connection, or a new credential for one that is there: always active, every trace of trouble gone. */
export async function upsertConnection(
  db: Db,
  tenant: Tenant,
  input: NewCredential & {
    readonly id: string;
    readonly linkedAccountId: string;
    readonly slug: string;
    readonly authType: AuthType;
    readonly identifier: unknown;
    readonly meta: Record<string, string>;
    readonly now: Date;
  },
): Promise<void> {
  const credential = {
    status: 'active',
    status_reason: null,
    credential_sealed: input.sealed,
    access_expires_at: input.accessExpiresAt,
    refresh_expires_at: input.refreshExpiresAt,
    granted_scopes: input.grantedScopes === null ? null : [...input.grantedScopes],
    identifier: input.identifier === undefined ? null : JSON.stringify(input.identifier),
    meta: JSON.stringify(input.meta),
    refresh_lease_owner: null,
    refresh_lease_until: null,
    refresh_failures: 0,
    refresh_retry_at: null,
    expired_at: null,
    connected_at: input.now,
    updated_at: input.now,
  } as const;
  await db
    .insertInto('connection')
    .values({
      id: input.id,
      org_id: tenant.orgId,
      environment: tenant.environment,
      linked_account_id: input.linkedAccountId,
      app_slug: input.slug,
      auth_type: input.authType,
      created_at: input.now,
      ...credential,
    })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({
        ...credential,
        credential_version: sql`connection.credential_version + 1`,
      }),
    )
    .execute();
}

/** Serialises the first connect of one (account, app, auth type), for which there is no row to lock yet. */
export async function lockConnectionKey(db: Db, tenant: Tenant, ...key: readonly string[]): Promise<void> {
  const text = ['connection', tenant.orgId, tenant.environment, ...key].join('\u001f');
  await sql`select pg_advisory_xact_lock(hashtextextended(${text}, 0))`.execute(db);
}

/**
 * Takes the refresh lease of a connection, unless someone holds it, the credential moved on, or it must rest.
 * The lease runs by the database's clock: it is compared across machines.
 */
export async function takeRefreshLease(
  db: Db,
  connection: ConnectionRow,
  input: { readonly owner: string; readonly leaseMs: number; readonly now: Date },
): Promise<boolean> {
  const result = await db
    .updateTable('connection')
    .set({
      refresh_lease_owner: input.owner,
      refresh_lease_until: sql<Date>`clock_timestamp() + ${input.leaseMs} * interval '1 millisecond'`,
    })
    .where('org_id', '=', connection.org_id)
    .where('environment', '=', connection.environment)
    .where('id', '=', connection.id)
    .where('status', '=', 'active')
    .where('credential_version', '=', connection.credential_version)
    .where((eb) =>
      eb.or([
        eb('refresh_lease_until', 'is', null),
        eb('refresh_lease_until', '<', sql<Date>`clock_timestamp()`),
      ]),
    )
    .where((eb) => eb.or([eb('refresh_retry_at', 'is', null), eb('refresh_retry_at', '<=', input.now)]))
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/**
 * Stores renewed tokens in place of the version they came from. It does not ask for the lease: tokens that the
 * provider has just issued are the good ones, even when they came too late for it.
 */
export async function storeRenewedCredential(
  db: Db,
  connection: ConnectionRow,
  renewed: Omit<NewCredential, 'refreshExpiresAt'> & {
    /** undefined leaves it as it is */
    readonly refreshExpiresAt: Date | null | undefined;
    readonly meta: Record<string, string>;
    readonly now: Date;
  },
): Promise<boolean> {
  const result = await db
    .updateTable('connection')
    .set({
      credential_sealed: renewed.sealed,
      credential_version: connection.credential_version + 1,
      access_expires_at: renewed.accessExpiresAt,
      ...(renewed.refreshExpiresAt !== undefined && { refresh_expires_at: renewed.refreshExpiresAt }),
      ...(renewed.grantedScopes !== null && { granted_scopes: [...renewed.grantedScopes] }),
      meta: JSON.stringify(renewed.meta),
      refresh_lease_owner: null,
      refresh_lease_until: null,
      refresh_failures: 0,
      refresh_retry_at: null,
      updated_at: renewed.now,
    })
    .where('org_id', '=', connection.org_id)
    .where('environment', '=', connection.environment)
    .where('id', '=', connection.id)
    .where('credential_version', '=', connection.credential_version)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Gives the lease back after a failure that proves nothing, and lets the connection rest until `retryAt`. */
export async function postponeRefresh(
  db: Db,
  connection: ConnectionRow,
  input: { readonly owner: string; readonly retryAt: Date },
): Promise<void> {
  await db
    .updateTable('connection')
    .set({
      refresh_lease_owner: null,
      refresh_lease_until: null,
      refresh_failures: sql`refresh_failures + 1`,
      refresh_retry_at: input.retryAt,
    })
    .where('org_id', '=', connection.org_id)
    .where('environment', '=', connection.environment)
    .where('id', '=', connection.id)
    .where('refresh_lease_owner', '=', input.owner)
    .execute();
}

/**
 * Marks a connection expired, once: true only for the caller that did it, and only while it still holds the
 * credential that the provider refused.
 */
export async function expireConnection(
  db: Db,
  connection: ConnectionRow,
  input: { readonly reason: string; readonly detail: Record<string, unknown>; readonly now: Date },
): Promise<boolean> {
  return db.transaction().execute(async (transaction) => {
    const result = await transaction
      .updateTable('connection')
      .set({
        status: 'expired',
        status_reason: input.reason,
        expired_at: input.now,
        refresh_lease_owner: null,
        refresh_lease_until: null,
        updated_at: input.now,
      })
      .where('org_id', '=', connection.org_id)
      .where('environment', '=', connection.environment)
      .where('id', '=', connection.id)
      .where('status', '=', 'active')
      .where('credential_version', '=', connection.credential_version)
      .executeTakeFirst();
    if (result.numUpdatedRows !== 1n) return false;
    await insertConnectionLog(transaction, connection, {
      linkedAccountId: connection.linked_account_id,
      slug: connection.app_slug,
      event: 'expired',
      authType: connection.auth_type,
      detail: { reason: input.reason, ...input.detail },
      now: input.now,
    });
    const { org_id: orgId, environment, linked_account_id: linkedAccountId, app_slug: slug } = connection;
    const which = { orgId, environment, linkedAccountId, slug };
    await noteConnectionEvent(transaction, which, 'Connection Expired', input.now);
    return true;
  });
}

/** Deletes an account's connections to an app, or the one of `authType`; what was deleted. */
export async function deleteConnections(
  db: Db,
  tenant: Tenant,
  key: { readonly linkedAccountId: string; readonly slug: string; readonly authType?: AuthType | undefined },
): Promise<ConnectionRow[]> {
  const rows = await db
    .deleteFrom('connection')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', key.linkedAccountId)
    .where('app_slug', '=', key.slug)
    .$if(key.authType !== undefined, (query) => query.where('auth_type', '=', key.authType ?? 'oauth2'))
    .returning(columns)
    .execute();
  return rows;
}

/** What the account chose for an app goes with its last connection to it. */
export async function deleteConfigsOfApp(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  slug: string,
): Promise<void> {
  await db
    .deleteFrom('config')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', linkedAccountId)
    .where('app_slug', '=', slug)
    .execute();
}

/** What happened to an account's connection to an app. */
export async function insertConnectionLog(
  db: Db,
  tenant: { readonly org_id: string; readonly environment: Tenant['environment'] },
  entry: {
    readonly linkedAccountId: string;
    readonly slug: string;
    readonly event: ConnectionEvent;
    readonly authType: AuthType;
    readonly detail: Record<string, unknown>;
    readonly now: Date;
  },
): Promise<void> {
  await db
    .insertInto('connection_log')
    .values({
      id: newId(),
      org_id: tenant.org_id,
      environment: tenant.environment,
      linked_account_id: entry.linkedAccountId,
      app_slug: entry.slug,
      event: entry.event,
      auth_type: entry.authType,
      detail: JSON.stringify(entry.detail),
      created_at: entry.now,
    })
    .execute();
}

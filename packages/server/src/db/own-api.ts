import type { Pool } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import type { Tenant } from '#domain/tenant';

/** How an environment's own API is called. */
export interface StoredOwnApi {
  readonly definition: Readonly<Record<string, unknown>>;
  readonly updated_at: Date;
}

export async function findOwnApi(pool: Pool, tenant: Tenant): Promise<StoredOwnApi | undefined> {
  const { rows } = await pool.query<StoredOwnApi>(
    'select definition, updated_at from own_api where org_id = $1 and environment = $2',
    [tenant.orgId, tenant.environment],
  );
  return rows[0];
}

/** Stores it; tokens that the one before had exchanged are forgotten. */
export async function putOwnApi(
  pool: Pool,
  tenant: Tenant,
  definition: Readonly<Record<string, unknown>>,
): Promise<StoredOwnApi> {
  const owner = [tenant.orgId, tenant.environment];
  return clientTransaction(pool, async (client) => {
    const { rows } = await client.query<StoredOwnApi>(
      `insert into own_api (org_id, environment, definition) values ($1, $2, $3)
       on conflict (org_id, environment) do update set definition = excluded.definition, updated_at = now()
       returning definition, updated_at`,
      [...owner, JSON.stringify(definition)],
    );
    await client.query('delete from own_api_token where org_id = $1 and environment = $2', owner);
    return rows[0]!;
  });
}

/** False: there is none. */
export async function deleteOwnApi(pool: Pool, tenant: Tenant): Promise<boolean> {
  const { rowCount } = await pool.query('delete from own_api where org_id = $1 and environment = $2', [
    tenant.orgId,
    tenant.environment,
  ]);
  return rowCount === 1;
}

/** What was exchanged for an account, while it counts. */
export async function findOwnApiToken(
  pool: Pool,
  tenant: Tenant,
  linkedAccountId: string,
  now: Date,
): Promise<Buffer | undefined> {
  const { rows } = await pool.query<{ token_sealed: Buffer }>(
    `select token_sealed from own_api_token
     where org_id = $1 and environment = $2 and linked_account_id = $3 and expires_at > $4`,
    [tenant.orgId, tenant.environment, linkedAccountId, now],
  );
  return rows[0]?.token_sealed;
}

/** Keeps it, unless the settings that it was exchanged by are no longer those. */
export async function putOwnApiToken(
  pool: Pool,
  tenant: Tenant,
  token: { linkedAccountId: string; sealed: Buffer; expiresAt: Date; madeBy: Date },
): Promise<void> {
  await pool.query(
    `insert into own_api_token (org_id, environment, linked_account_id, token_sealed, expires_at)
     select o.org_id, o.environment, $3, $4, $5 from own_api o
     where o.org_id = $1 and o.environment = $2 and date_trunc('milliseconds', o.updated_at) = $6
     on conflict (org_id, environment, linked_account_id)
       do update set token_sealed = excluded.token_sealed, expires_at = excluded.expires_at`,
    [tenant.orgId, tenant.environment, token.linkedAccountId, token.sealed, token.expiresAt, token.madeBy],
  );
}

/** The id that the organisation gave to an account. */
export async function findAccountId(
  pool: Pool,
  tenant: Tenant,
  linkedAccountId: string,
): Promise<string | undefined> {
  const { rows } = await pool.query<{ account_id: string }>(
    'select account_id from linked_account where org_id = $1 and environment = $2 and id = $3',
    [tenant.orgId, tenant.environment, linkedAccountId],
  );
  return rows[0]?.account_id;
}

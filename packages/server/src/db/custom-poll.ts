import type { Pool } from 'pg';
import type { Db } from '#db/schema';
import { sql } from 'kysely';
import type { Tenant } from '#domain/tenant';

/** A polling trigger that the organisation made for an app. */
export interface StoredCustomPoll {
  readonly id: string;
  readonly app_slug: string;
  readonly name: string;
  readonly definition: Readonly<Record<string, unknown>>;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const columns = 'id, app_slug, name, definition, created_at, updated_at';

export async function listCustomPolls(pool: Pool, tenant: Tenant, slug: string): Promise<StoredCustomPoll[]> {
  const { rows } = await pool.query<StoredCustomPoll>(
    `select ${columns} from custom_poll where org_id = $1 and environment = $2 and app_slug = $3 order by name limit 1000`,
    [tenant.orgId, tenant.environment, slug],
  );
  return rows;
}

/** By id, of that app. */
export async function findCustomPoll(
  db: Db,
  tenant: Tenant,
  slug: string,
  id: string,
): Promise<StoredCustomPoll | undefined> {
  const { rows } = await sql<StoredCustomPoll>`
    select ${sql.raw(columns)} from custom_poll
    where org_id = ${tenant.orgId} and environment = ${tenant.environment} and app_slug = ${slug} and id = ${id}`.execute(
    db,
  );
  return rows[0];
}

/** Stores a new one, or changes the one with this id. @returns undefined when the app has another of this name */
export async function saveCustomPoll(
  pool: Pool,
  tenant: Tenant,
  row: Pick<StoredCustomPoll, 'id' | 'app_slug' | 'name' | 'definition'>,
): Promise<StoredCustomPoll | undefined> {
  try {
    const { rows } = await pool.query<StoredCustomPoll>(
      `insert into custom_poll (id, org_id, environment, app_slug, name, definition) values ($1, $2, $3, $4, $5, $6)
       on conflict (id) do update set name = excluded.name, definition = excluded.definition, updated_at = now()
         where custom_poll.org_id = excluded.org_id and custom_poll.environment = excluded.environment
       returning ${columns}`,
      [row.id, tenant.orgId, tenant.environment, row.app_slug, row.name, JSON.stringify(row.definition)],
    );
    return rows[0];
  } catch (error) {
    if ((error as { code?: unknown }).code === '23505') return undefined;
    throw error;
  }
}

/** @returns the published workflows that poll by it; only without any it is deleted */
export async function deleteCustomPoll(pool: Pool, tenant: Tenant, id: string): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `with users as (
       select name from workflow
       where org_id = $1 and environment = $2 and trigger_kind = 'polling' and trigger ->> 'polling_trigger_id' = $3
     ), gone as (
       delete from custom_poll where org_id = $1 and environment = $2 and id = $3 and not exists (select from users)
     ) select name from users order by name limit 5`,
    [tenant.orgId, tenant.environment, id],
  );
  return rows.map(({ name }) => name);
}

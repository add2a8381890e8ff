import type { Pool } from 'pg';
import type { Tenant } from '#domain/tenant';

/** An action that the organisation added to an app. */
export interface StoredCustomAction {
  readonly id: string;
  readonly app_slug: string;
  readonly action_id: string;
  readonly name: string;
  readonly description: string;
  readonly definition: Readonly<Record<string, unknown>>;
  readonly tls_sealed: Buffer | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const columns = 'id, app_slug, action_id, name, description, definition, tls_sealed, created_at, updated_at';

/** Those of one app, by name. */
export async function listCustomActions(
  pool: Pool,
  tenant: Tenant,
  slug: string,
): Promise<StoredCustomAction[]> {
  const { rows } = await pool.query<StoredCustomAction>(
    `select ${columns} from custom_action
     where org_id = $1 and environment = $2 and app_slug = $3 order by name, id limit 1000`,
    [tenant.orgId, tenant.environment, slug],
  );
  return rows;
}

/** By its own id, or by the id that calls name it by. */
export async function findCustomAction(
  pool: Pool,
  tenant: Tenant,
  slug: string,
  by: { readonly id: string } | { readonly actionId: string },
): Promise<StoredCustomAction | undefined> {
  const [column, value] = 'id' in by ? ['id', by.id] : ['action_id', by.actionId];
  const { rows } = await pool.query<StoredCustomAction>(
    `select ${columns} from custom_action
     where org_id = $1 and environment = $2 and app_slug = $3 and ${column} = $4`,
    [tenant.orgId, tenant.environment, slug, value],
  );
  return rows[0];
}

/** Stores a new one, or changes the one with this id. @returns undefined when the app has another of this action id */
export async function saveCustomAction(
  pool: Pool,
  tenant: Tenant,
  row: Omit<StoredCustomAction, 'created_at' | 'updated_at'>,
): Promise<StoredCustomAction | undefined> {
  try {
    const { rows } = await pool.query<StoredCustomAction>(
      `insert into custom_action
         (id, org_id, environment, app_slug, action_id, name, description, definition, tls_sealed)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       on conflict (id) do update set action_id = excluded.action_id, name = excluded.name,
         description = excluded.description, definition = excluded.definition,
         tls_sealed = excluded.tls_sealed, updated_at = now()
         where custom_action.org_id = excluded.org_id and custom_action.environment = excluded.environment
       returning ${columns}`,
      [
        row.id,
        tenant.orgId,
        tenant.environment,
        row.app_slug,
        row.action_id,
        row.name,
        row.description,
        JSON.stringify(row.definition),
        row.tls_sealed,
      ],
    );
    return rows[0];
  } catch (error) {
    if ((error as { code?: unknown }).code === '23505') return undefined;
    throw error;
  }
}

/** False: there is none. */
export async function deleteCustomAction(
  pool: Pool,
  tenant: Tenant,
  slug: string,
  id: string,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    'delete from custom_action where org_id = $1 and environment = $2 and app_slug = $3 and id = $4',
    [tenant.orgId, tenant.environment, slug, id],
  );
  return rowCount === 1;
}

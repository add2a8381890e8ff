import { sql } from 'kysely';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

export interface AccountConfig {
  readonly app_slug: string;
  readonly config_id: string;
  readonly updated_at: Date;
  /** In the order of the app's fields; fields without a value are left out. */
  readonly values: readonly { readonly name: string; readonly value: unknown }[];
  readonly workflows: readonly { readonly id: string; readonly name: string; readonly is_enabled: boolean }[];
}

/** Everything that one linked account chose, over all apps, in one read. */
export async function listAccountConfigs(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
): Promise<AccountConfig[]> {
  const { rows } = await sql<AccountConfig>`
    select c.app_slug, c.config_id, c.updated_at,
      coalesce((
        select json_agg(json_build_object('name', f.name, 'value', c.field_values -> f.id) order by f.position)
        from config_field f
        where f.org_id = c.org_id and f.environment = c.environment and f.app_slug = c.app_slug
          and f.workflow_id is null and c.field_values ? f.id
      ), '[]'::json) as values,
      coalesce((
        select json_agg(json_build_object('id', w.id, 'name', w.name, 'is_enabled', s.is_enabled) order by w.name)
        from config_workflow s
        join workflow w on w.id = s.workflow_id and w.org_id = s.org_id and w.environment = s.environment
        where s.config_pk = c.id and s.org_id = c.org_id and s.environment = c.environment
      ), '[]'::json) as workflows
    from config c
    where c.org_id = ${tenant.orgId} and c.environment = ${tenant.environment}
      and c.linked_account_id = ${linkedAccountId}
    order by c.app_slug, c.created_at`.execute(db);
  return rows;
}

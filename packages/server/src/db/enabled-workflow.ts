import { sql } from 'kysely';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** A workflow that is switched on in some config of an account. */
export interface EnabledWorkflow {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly app_slug: string;
  readonly config_id: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** The published workflows that are switched on over all configs of an account. */
export async function listEnabledWorkflows(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
): Promise<EnabledWorkflow[]> {
  const { rows } = await sql<EnabledWorkflow>`
    select w.id, w.name, w.description, w.app_slug, c.config_id, w.created_at, w.updated_at
    from config c
    join workflow w
      on w.org_id = c.org_id and w.environment = c.environment and w.app_slug = c.app_slug
      and w.linked_account_id is null and w.published_version is not null
    left join config_workflow s on s.config_pk = c.id and s.workflow_id = w.id
    where c.org_id = ${tenant.orgId} and c.environment = ${tenant.environment}
      and c.linked_account_id = ${linkedAccountId}
      and coalesce(s.is_enabled, w.is_auto_enabled)
    order by w.created_at, c.config_id
    limit 1000`.execute(db);
  return rows;
}

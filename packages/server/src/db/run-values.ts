import type { Pool, PoolClient } from 'pg';
import type { Tenant } from '#domain/tenant';
import type { UserDefinedField } from '#db/schema';

/** The values that the account chose, by the name of their field: the app's, then the workflow's own over them. */
export async function configValues(
  pool: Pool,
  tenant: Tenant,
  of: { linkedAccountId: string; configId: string; appSlug: string | null; workflowId: string },
): Promise<Record<string, unknown>> {
  const { rows } = await pool.query<{ name: string; value: unknown }>(
    `select f.name, case when f.workflow_id is null then c.field_values -> f.id else w.field_values -> f.id end as value
     from config c
     join config_field f on f.org_id = c.org_id and f.environment = c.environment and f.app_slug = c.app_slug
       and (f.workflow_id is null or f.workflow_id = $6)
     left join config_workflow w on w.config_pk = c.id and w.workflow_id = $6
     where c.org_id = $1 and c.environment = $2 and c.linked_account_id = $3 and c.config_id = $4
       and ($5::text is null or c.app_slug = $5)
     order by f.workflow_id nulls first, f.position`,
    [tenant.orgId, tenant.environment, of.linkedAccountId, of.configId, of.appSlug, of.workflowId],
  );
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const { name, value } of rows) if (value !== null && value !== undefined) values[name] = value;
  return values;
}

/** The user-defined fields of a linked account, by key. */
export async function udfValues(
  pool: Pool,
  tenant: Tenant,
  linkedAccountId: string,
): Promise<Record<string, unknown>> {
  const { rows } = await pool.query<{ udf: UserDefinedField[] }>(
    'select udf from linked_account where org_id = $1 and environment = $2 and id = $3',
    [tenant.orgId, tenant.environment, linkedAccountId],
  );
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const { key_name, key_value } of rows[0]?.udf ?? []) values[key_name] = key_value;
  return values;
}

/** The SaaS company's own credentials of a linked account, sealed; null without any. */
export async function orgCredentials(
  client: Pool | PoolClient,
  tenant: Tenant,
  linkedAccountId: string,
): Promise<Buffer | null> {
  const { rows } = await client.query<{ sealed: Buffer | null }>(
    `select org_credentials_sealed as sealed from linked_account
     where org_id = $1 and environment = $2 and id = $3`,
    [tenant.orgId, tenant.environment, linkedAccountId],
  );
  return rows[0]?.sealed ?? null;
}

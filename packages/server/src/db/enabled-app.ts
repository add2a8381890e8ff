import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** Whether the SaaS company has enabled an app in this environment. */
export async function isAppEnabled(db: Db, tenant: Tenant, slug: string): Promise<boolean> {
  const row = await db
    .selectFrom('app_setting')
    .select('is_enabled')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('app_slug', '=', slug)
    .executeTakeFirst();
  return row?.is_enabled === true;
}

/** Whether a linked account has a connection to an app, active or expired. */
export async function hasConnection(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  slug: string,
): Promise<boolean> {
  const row = await db
    .selectFrom('connection')
    .select('id')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', linkedAccountId)
    .where('app_slug', '=', slug)
    .executeTakeFirst();
  return row !== undefined;
}

import type { Db } from '#db/schema';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

/** Finds an account by the id that the SaaS company gave it. */
export async function findLinkedAccountRef(
  db: Db,
  tenant: Tenant,
  accountId: string,
): Promise<LinkedAccountRef | undefined> {
  const row = await db
    .selectFrom('linked_account')
    .select(['id', 'account_id', 'name'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('account_id', '=', accountId)
    .executeTakeFirst();
  return row && { id: row.id, accountId: row.account_id, name: row.name };
}

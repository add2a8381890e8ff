import type { Selectable } from 'kysely';
import type { ConnectionLogTable, Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** The newest failed attempt of an account to connect an app. */
export async function findLastFailure(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  slug: string,
): Promise<{ readonly id: string; readonly detail: Record<string, unknown> } | undefined> {
  return db
    .selectFrom('connection_log')
    .select(['id', 'detail'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', linkedAccountId)
    .where('app_slug', '=', slug)
    .where('event', '=', 'failed')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** What happened to the connections of an account, newest first. */
export function listConnectionLog(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  limit: number,
): Promise<Selectable<ConnectionLogTable>[]> {
  return db
    .selectFrom('connection_log')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', linkedAccountId)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

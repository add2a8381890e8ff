import type { AuthType, ConnectionStatus, Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** A connection as lists of linked accounts show it: nothing of its credential. */
export interface ConnectionSummary {
  id: string;
  linked_account_id: string;
  app_slug: string;
  auth_type: AuthType;
  status: ConnectionStatus;
  status_reason: string | null;
  granted_scopes: string[] | null;
  identifier: unknown;
  connected_at: Date;
  created_at: Date;
  updated_at: Date;
}

/** The connections of some accounts in one read, oldest first. */
export async function summarizeConnections(
  db: Db,
  tenant: Tenant,
  linkedAccountIds: readonly string[],
): Promise<ConnectionSummary[]> {
  if (linkedAccountIds.length === 0) return [];
  return db
    .selectFrom('connection')
    .select([
      'id',
      'linked_account_id',
      'app_slug',
      'auth_type',
      'status',
      'status_reason',
      'granted_scopes',
      'identifier',
      'connected_at',
      'created_at',
      'updated_at',
    ])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', 'in', linkedAccountIds)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}

/** How many connections an app has over all linked accounts. */
export async function countConnections(db: Db, tenant: Tenant, appSlug: string): Promise<number> {
  const { count } = await db
    .selectFrom('connection')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('app_slug', '=', appSlug)
    .executeTakeFirstOrThrow();
  return Number(count);
}

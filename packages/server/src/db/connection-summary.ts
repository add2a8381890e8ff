import type { AuthType, ConnectionStatus, Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** A connection as lists of linked accounts show it: nothing of its credential. */
export interface ConnectionSummary {
  id: string;
  linked_account_id: string;
  app_slug: string;
  auth_type: AuthType;
  status: ConnectionStatus;
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

import { sql, type Transaction } from 'kysely';
import type { Database, Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/**
 * Runs `work` in a transaction that row-level security confines to one tenant: a query that forgets its tenant
 * finds only that tenant's rows, and writing another's is refused. The settings end with the transaction, so the
 * pooled connection goes back as it came.
 */
export async function tenantTransaction<T>(
  db: Db,
  tenant: Tenant,
  work: (transaction: Transaction<Database>) => Promise<T>,
): Promise<T> {
  return db.transaction().execute(async (transaction) => {
    await sql`select set_config('inlay.scope', 'tenant', true),
                     set_config('inlay.org_id', ${tenant.orgId}, true),
                     set_config('inlay.environment', ${tenant.environment}, true)`.execute(transaction);
    return work(transaction);
  });
}

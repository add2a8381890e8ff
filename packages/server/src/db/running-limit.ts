import type { Pool } from 'pg';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** Executions of one linked account that may run at the same time; null: no limit. */
export interface RunningLimits {
  /** For every account without a number of its own. */
  readonly ofEnvironment: number | null;
  /** The account's own number; null as well when no account is asked for. */
  readonly ofAccount: number | null;
}

export async function readRunningLimits(
  client: Pool,
  tenant: Tenant,
  linkedAccountId?: string,
): Promise<RunningLimits> {
  const { rows } = await client.query<{ of_environment: number | null; of_account: number | null }>({
    name: 'inlay-running-limits',
    text: `select
        (select running_limit from environment_limit where org_id = $1 and environment = $2) as of_environment,
        (select running_limit from linked_account where org_id = $1 and environment = $2 and id = $3) as of_account`,
    values: [tenant.orgId, tenant.environment, linkedAccountId],
  });
  return { ofEnvironment: rows[0]!.of_environment, ofAccount: rows[0]!.of_account };
}

/** Sets the limit of accounts without one of their own; null ends it. */
export async function saveEnvironmentLimit(db: Db, tenant: Tenant, limit: number | null): Promise<void> {
  await db
    .insertInto('environment_limit')
    .values({ org_id: tenant.orgId, environment: tenant.environment, running_limit: limit })
    .onConflict((conflict) =>
      conflict.columns(['org_id', 'environment']).doUpdateSet({ running_limit: limit }),
    )
    .execute();
}

/** Sets the limit of one account; null: the environment's holds. False: there is no such account. */
export async function saveAccountLimit(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  limit: number | null,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('linked_account')
    .set({ running_limit: limit })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', linkedAccountId)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

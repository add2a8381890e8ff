import type { Pool } from 'pg';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** Stores the sealed secret of a workflow's trigger. It never changes: a new secret is a new row. */
export async function insertTriggerSecret(
  db: Db,
  tenant: Tenant,
  secret: { readonly id: string; readonly workflowId: string; readonly sealed: Buffer },
): Promise<void> {
  await db
    .insertInto('trigger_secret')
    .values({
      id: secret.id,
      org_id: tenant.orgId,
      environment: tenant.environment,
      workflow_id: secret.workflowId,
      secret_sealed: secret.sealed,
    })
    .execute();
}

/** Finds a secret of this very workflow: an id that was copied from another one's document finds nothing. */
export async function findTriggerSecret(
  pool: Pool,
  tenant: Tenant,
  workflowId: string,
  id: string,
): Promise<Buffer | undefined> {
  const { rows } = await pool.query<{ secret_sealed: Buffer }>(
    `select secret_sealed from trigger_secret
     where org_id = $1 and environment = $2 and workflow_id = $3 and id = $4`,
    [tenant.orgId, tenant.environment, workflowId, id],
  );
  return rows[0]?.secret_sealed;
}

/** The same inside a transaction, to know whether it is there. */
export async function hasTriggerSecret(
  db: Db,
  tenant: Tenant,
  workflowId: string,
  id: string,
): Promise<boolean> {
  const row = await db
    .selectFrom('trigger_secret')
    .select('id')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('workflow_id', '=', workflowId)
    .where('id', '=', id)
    .executeTakeFirst();
  return row !== undefined;
}

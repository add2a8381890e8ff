import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** The document of a published version, as it was frozen. */
export async function findVersionDocument(
  db: Db,
  tenant: Tenant,
  workflowId: string,
  version: number,
): Promise<unknown> {
  const row = await db
    .selectFrom('workflow_version')
    .select('document')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('workflow_id', '=', workflowId)
    .where('version', '=', version)
    .executeTakeFirst();
  return row?.document;
}

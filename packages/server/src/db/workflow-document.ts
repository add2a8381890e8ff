import type { Pool, PoolClient } from 'pg';
import type { Tenant } from '#domain/tenant';

/** The document of a published version, as it was frozen. */
export async function findVersionDocument(
  client: Pool | PoolClient,
  tenant: Tenant,
  workflowId: string,
  version: number,
): Promise<unknown> {
  const { rows } = await client.query<{ document: unknown }>(
    `select document from workflow_version
     where org_id = $1 and environment = $2 and workflow_id = $3 and version = $4`,
    [tenant.orgId, tenant.environment, workflowId, version],
  );
  return rows[0]?.document;
}

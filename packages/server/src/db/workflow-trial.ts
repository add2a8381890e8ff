import { sql, type Selectable } from 'kysely';
import type { Db, WorkflowPayloadTable, WorkflowPinTable } from '#db/schema';
import type { Tenant } from '#domain/tenant';
import type { PinnedOutput } from '#domain/workflow-document';

/** What is kept with a workflow for trying it: outputs of nodes, and payloads by name. */

export type StoredPin = Selectable<WorkflowPinTable>;
export type StoredPayload = Selectable<WorkflowPayloadTable>;

export function listPins(db: Db, tenant: Tenant, workflowId: string): Promise<StoredPin[]> {
  return db
    .selectFrom('workflow_pin')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('workflow_id', '=', workflowId)
    .orderBy('node_id')
    .execute();
}

/** Writes a pin, in place of one that the node has. */
export async function savePin(
  db: Db,
  tenant: Tenant,
  at: { readonly workflowId: string; readonly nodeId: string },
  { output, port }: PinnedOutput,
): Promise<void> {
  const values = { output: JSON.stringify(output ?? null), port: port ?? null };
  await db
    .insertInto('workflow_pin')
    .values({
      org_id: tenant.orgId,
      environment: tenant.environment,
      workflow_id: at.workflowId,
      node_id: at.nodeId,
      ...values,
    })
    .onConflict((conflict) =>
      conflict.columns(['workflow_id', 'node_id']).doUpdateSet({ ...values, updated_at: sql<Date>`now()` }),
    )
    .execute();
}

/** @returns whether there was one */
export async function deletePin(
  db: Db,
  tenant: Tenant,
  at: { readonly workflowId: string; readonly nodeId: string },
): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('workflow_pin')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('workflow_id', '=', at.workflowId)
    .where('node_id', '=', at.nodeId)
    .executeTakeFirstOrThrow();
  return numDeletedRows > 0n;
}

export function listPayloads(db: Db, tenant: Tenant, workflowId: string): Promise<StoredPayload[]> {
  return db
    .selectFrom('workflow_payload')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('workflow_id', '=', workflowId)
    .orderBy('name')
    .execute();
}

/** Writes a payload, in place of one with the name. */
export async function savePayload(
  db: Db,
  tenant: Tenant,
  at: { readonly workflowId: string; readonly name: string },
  payload: unknown,
): Promise<void> {
  const text = JSON.stringify(payload ?? null);
  await db
    .insertInto('workflow_payload')
    .values({
      org_id: tenant.orgId,
      environment: tenant.environment,
      workflow_id: at.workflowId,
      name: at.name,
      payload: text,
    })
    .onConflict((conflict) =>
      conflict.columns(['workflow_id', 'name']).doUpdateSet({ payload: text, updated_at: sql<Date>`now()` }),
    )
    .execute();
}

/** @returns whether there was one */
export async function deletePayload(
  db: Db,
  tenant: Tenant,
  at: { readonly workflowId: string; readonly name: string },
): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('workflow_payload')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('workflow_id', '=', at.workflowId)
    .where('name', '=', at.name)
    .executeTakeFirstOrThrow();
  return numDeletedRows > 0n;
}

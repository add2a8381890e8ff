import { sql, type Selectable } from 'kysely';
import type { Db, OrgEventTable } from '#db/schema';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

export type StoredEvent = Selectable<OrgEventTable>;

export interface EventValues {
  readonly name: string;
  readonly sample: Readonly<Record<string, unknown>>;
  readonly jsonSchema: Readonly<Record<string, unknown>> | null;
}

export function listEvents(db: Db, tenant: Tenant): Promise<StoredEvent[]> {
  return db
    .selectFrom('org_event')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}

export function findEvent(db: Db, tenant: Tenant, id: string): Promise<StoredEvent | undefined> {
  return db
    .selectFrom('org_event')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** Exact and case-sensitive, as senders write it. */
export function findEventByName(db: Db, tenant: Tenant, name: string): Promise<StoredEvent | undefined> {
  return db
    .selectFrom('org_event')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('name', '=', name)
    .executeTakeFirst();
}

/** Stores an event unless its name is taken; then undefined. */
export function insertEvent(db: Db, tenant: Tenant, values: EventValues): Promise<StoredEvent | undefined> {
  return db
    .insertInto('org_event')
    .values({
      id: newId(),
      org_id: tenant.orgId,
      environment: tenant.environment,
      name: values.name,
      sample: JSON.stringify(values.sample),
      json_schema: values.jsonSchema === null ? null : JSON.stringify(values.jsonSchema),
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'environment', 'name']).doNothing())
    .returningAll()
    .executeTakeFirst();
}

export function updateEventRow(
  db: Db,
  tenant: Tenant,
  id: string,
  values: EventValues,
): Promise<StoredEvent | undefined> {
  return db
    .updateTable('org_event')
    .set({
      name: values.name,
      sample: JSON.stringify(values.sample),
      json_schema: values.jsonSchema === null ? null : JSON.stringify(values.jsonSchema),
      updated_at: sql<Date>`now()`,
    })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

export function deleteEventRow(db: Db, tenant: Tenant, id: string): Promise<StoredEvent | undefined> {
  return db
    .deleteFrom('org_event')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

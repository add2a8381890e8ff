import { sql, type Selectable } from 'kysely';
import type { Pool } from 'pg';
import { groupCommit, type GroupCommit } from '#db/group-commit';
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

/** What firing an event needs of it: not its sample, which may be large. */
export interface FiredEvent {
  readonly name: string;
  readonly json_schema: Readonly<Record<string, unknown>> | null;
}

/** Finds events by name for many firings at once; each answer is as young as its question. */
export function firedEvents(
  pool: Pool,
): GroupCommit<{ readonly tenant: Tenant; readonly name: string }, FiredEvent | undefined> {
  return groupCommit(
    async (asked) => {
      const { rows } = await pool.query<FiredEvent & { number: number }>({
        name: 'fired_events',
        text: `select q.number, e.name, e.json_schema
                 from unnest($1::text[], $2::text[], $3::text[]) with ordinality as q(org_id, environment, name, number)
                 join org_event e on e.org_id = q.org_id and e.environment = q.environment and e.name = q.name`,
        values: [
          asked.map(({ tenant }) => tenant.orgId),
          asked.map(({ tenant }) => tenant.environment),
          asked.map(({ name }) => name),
        ],
      });
      const found: (FiredEvent | undefined)[] = asked.map(() => undefined);
      for (const { number, ...event } of rows) found[number - 1] = event;
      return found;
    },
    largestReading,
    { isEager: true },
  );
}

const largestReading = 200;

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

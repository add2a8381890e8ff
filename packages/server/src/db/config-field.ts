import { sql, type Selectable } from 'kysely';
import type { ConfigFieldTable, Db } from '#db/schema';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

export type StoredField = Selectable<ConfigFieldTable>;

export interface FieldValues {
  readonly name: string;
  readonly fieldType: string;
  readonly position: number;
  readonly isRequired: boolean;
  readonly isMultiple: boolean;
  readonly isHidden: boolean;
  readonly definition: Readonly<Record<string, unknown>>;
}

/** Every field of an app: its own and those of its workflows, in the order of the editor. */
export function listFields(db: Db, tenant: Tenant, appSlug: string): Promise<StoredField[]> {
  return db
    .selectFrom('config_field')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('app_slug', '=', appSlug)
    .orderBy('position')
    .orderBy('id')
    .execute();
}

export function findField(db: Db, tenant: Tenant, id: string): Promise<StoredField | undefined> {
  return db
    .selectFrom('config_field')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .executeTakeFirst();
}

export function insertField(
  db: Db,
  tenant: Tenant,
  owner: { appSlug: string; workflowId: string | null },
  values: FieldValues,
): Promise<StoredField> {
  return db
    .insertInto('config_field')
    .values({
      id: newId(),
      org_id: tenant.orgId,
      environment: tenant.environment,
      app_slug: owner.appSlug,
      workflow_id: owner.workflowId,
      ...columnsOf(values),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export function updateFieldRow(
  db: Db,
  tenant: Tenant,
  id: string,
  values: FieldValues,
): Promise<StoredField | undefined> {
  return db
    .updateTable('config_field')
    .set({ ...columnsOf(values), updated_at: sql<Date>`now()` })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

export function deleteFieldRow(db: Db, tenant: Tenant, id: string): Promise<StoredField | undefined> {
  return db
    .deleteFrom('config_field')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

function columnsOf(values: FieldValues) {
  return {
    name: values.name,
    field_type: values.fieldType,
    position: values.position,
    is_required: values.isRequired,
    is_multiple: values.isMultiple,
    is_hidden: values.isHidden,
    definition: JSON.stringify(values.definition),
  };
}

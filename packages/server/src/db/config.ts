import { sql, type Selectable } from 'kysely';
import type { ConfigTable, ConfigWorkflowTable, Db } from '#db/schema';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

export type StoredConfig = Selectable<ConfigTable>;
export type StoredSwitch = Selectable<ConfigWorkflowTable>;

/** Which config: one account, one app, one id that the caller chose. */
export interface ConfigKey {
  readonly linkedAccountId: string;
  readonly slug: string;
  readonly configId: string;
}

export function findConfig(
  db: Db,
  tenant: Tenant,
  key: ConfigKey,
  options: { lock?: boolean } = {},
): Promise<StoredConfig | undefined> {
  return db
    .selectFrom('config')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', key.linkedAccountId)
    .where('app_slug', '=', key.slug)
    .where('config_id', '=', key.configId)
    .$if(options.lock === true, (query) => query.forUpdate())
    .executeTakeFirst();
}

/** Makes the config unless it is there; of several who try at once one makes it. */
export async function insertConfig(
  db: Db,
  tenant: Tenant,
  key: ConfigKey,
  values: { fieldValues: Readonly<Record<string, unknown>>; labels: unknown },
): Promise<void> {
  await db
    .insertInto('config')
    .values({
      id: newId(),
      org_id: tenant.orgId,
      environment: tenant.environment,
      linked_account_id: key.linkedAccountId,
      app_slug: key.slug,
      config_id: key.configId,
      field_values: JSON.stringify(values.fieldValues),
      labels: values.labels === undefined ? null : JSON.stringify(values.labels),
    })
    .onConflict((conflict) =>
      conflict.columns(['org_id', 'environment', 'linked_account_id', 'app_slug', 'config_id']).doNothing(),
    )
    .execute();
}

export async function updateConfigRow(
  db: Db,
  tenant: Tenant,
  id: string,
  values: { fieldValues?: Readonly<Record<string, unknown>>; labels?: unknown },
): Promise<void> {
  await db
    .updateTable('config')
    .set({
      ...(values.fieldValues === undefined ? {} : { field_values: JSON.stringify(values.fieldValues) }),
      ...(values.labels === undefined ? {} : { labels: JSON.stringify(values.labels) }),
      updated_at: sql<Date>`now()`,
    })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .execute();
}

export async function deleteConfigRow(db: Db, tenant: Tenant, key: ConfigKey): Promise<boolean> {
  const row = await db
    .deleteFrom('config')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', key.linkedAccountId)
    .where('app_slug', '=', key.slug)
    .where('config_id', '=', key.configId)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export function listConfigs(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  slug: string,
): Promise<{ id: string; config_id: string }[]> {
  return db
    .selectFrom('config')
    .select(['id', 'config_id'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', linkedAccountId)
    .where('app_slug', '=', slug)
    .orderBy('created_at')
    .execute();
}

export function listSwitches(db: Db, tenant: Tenant, configPk: string): Promise<StoredSwitch[]> {
  return db
    .selectFrom('config_workflow')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('config_pk', '=', configPk)
    .execute();
}

export async function saveSwitch(
  db: Db,
  tenant: Tenant,
  of: { configPk: string; workflowId: string },
  values: { isEnabled: boolean; fieldValues: Readonly<Record<string, unknown>> },
): Promise<void> {
  const set = { is_enabled: values.isEnabled, field_values: JSON.stringify(values.fieldValues) };
  await db
    .insertInto('config_workflow')
    .values({
      config_pk: of.configPk,
      workflow_id: of.workflowId,
      org_id: tenant.orgId,
      environment: tenant.environment,
      ...set,
    })
    .onConflict((conflict) =>
      conflict.columns(['config_pk', 'workflow_id']).doUpdateSet({ ...set, updated_at: sql<Date>`now()` }),
    )
    .execute();
}

import { findConfig } from '#db/config';
import { listTableNamesOfConfig, type ConfigRef } from '#db/data-table';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { findRecords, type TableDeps, type TableRecord } from '#records/tables';

/**
 * Data stores, as older clients read them (spec/api §4.12): the tables that workflows made for a config of an account.
 * Who uses an account's table first owns its name, so a store belongs to the config for which it was made.
 */
export interface DataStoresOf extends ConfigRef {
  readonly tenant: Tenant;
  readonly linkedAccountId: string;
}

/** @throws AppError `config_not_found` */
export async function listDataStores(deps: TableDeps, of: DataStoresOf): Promise<string[]> {
  const { tenant, linkedAccountId, appSlug, configId } = of;
  if ((await findConfig(deps.db, tenant, { linkedAccountId, slug: appSlug, configId })) === undefined) {
    throw new AppError('config_not_found', { configId });
  }
  return listTableNamesOfConfig(deps.db, tenant, linkedAccountId, of);
}

/** Every record, in the order in which they were added. @throws AppError `config_not_found`, `not_found`, `wrong_state` */
export async function dataStoreRecords(
  deps: TableDeps,
  of: DataStoresOf,
  name: string,
): Promise<TableRecord[]> {
  await requireStore(deps, of, name);
  return findRecords(deps, of.tenant, scopeOf(of), { name }, {}, 'exact');
}

/**
 * The records that contain every given text in the given column, whatever its case; none when nothing is asked for.
 *
 * @throws AppError `config_not_found`, `not_found`, `invalid_request`
 */
export async function searchDataStore(
  deps: TableDeps,
  of: DataStoresOf,
  name: string,
  wanted: Readonly<Record<string, unknown>>,
): Promise<TableRecord[]> {
  await requireStore(deps, of, name);
  if (Object.keys(wanted).length === 0) return [];
  return findRecords(deps, of.tenant, scopeOf(of), { name }, wanted, 'contains');
}

function scopeOf({ linkedAccountId }: DataStoresOf) {
  return { linkedAccountId, executionId: null };
}

async function requireStore(deps: TableDeps, of: DataStoresOf, name: string): Promise<void> {
  const names = await listDataStores(deps, of);
  if (!names.includes(name)) throw new AppError('not_found', { what: 'Data store', id: name });
}

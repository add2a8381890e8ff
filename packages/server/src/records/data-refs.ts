import {
  deleteDataRefEntries,
  deleteDataRefRow,
  findDataRef,
  insertDataRef,
  listDataRefNames,
  listDataRefs,
  pageOfDataRefRecords,
  readDataRefEntries,
  setDataRefGroup,
  writeDataRefEntries,
  type DataRefEntry,
  type StoredDataRef,
} from '#db/data-ref';
import type { Db } from '#db/schema';
import { tenantTransaction } from '#db/tenant-transaction';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';

/**
 * Data references: which record of ours is which record in each app, per linked account
 * (spec/workflows §12.18, spec/api §4.12).
 */

export interface DataRefDeps {
  readonly db: Db;
}

/** `{<record id>: [{slug, value}]}`, as the wire shows it. */
export type DataRefData = Readonly<
  Record<string, readonly { readonly slug: string; readonly value: string }[]>
>;

export const dataRefLimits = { nameLength: 200, idLength: 512, bulk: 5_000 };

type Page = { readonly offset: number; readonly limit: number };

export function pageOfDataRefs(
  deps: DataRefDeps,
  tenant: Tenant,
  page: Page & { readonly linkedAccountId?: string | undefined },
): ReturnType<typeof listDataRefs> {
  return listDataRefs(deps.db, tenant, page);
}

export function pageOfDataRefNames(
  deps: DataRefDeps,
  tenant: Tenant,
  page: Page & { readonly linkedAccountId?: string | undefined },
): ReturnType<typeof listDataRefNames> {
  return listDataRefNames(deps.db, tenant, page);
}

/** @throws AppError `missing_field`, `invalid_request` when the account has one of that name */
export function createDataRef(
  deps: DataRefDeps,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
): Promise<StoredDataRef> {
  const wanted = readName(name);
  return tenantTransaction(deps.db, tenant, async (db) => {
    const made = await insertDataRef(db, tenant, linkedAccountId, wanted);
    if (made !== undefined) return made;
    throw invalid('refName', `the account has a data reference "${wanted}" already`);
  });
}

/** The records as a table: `record_id`, then a column for each app. @throws AppError `not_found` */
export async function dataRefTable(
  deps: DataRefDeps,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
  page: Page,
): Promise<{ headers: string[]; rows: Record<string, string>[]; total: number }> {
  const ref = await requireRef(deps.db, tenant, linkedAccountId, name);
  const { records, slugs, total } = await pageOfDataRefRecords(deps.db, tenant, ref.id, page);
  return {
    headers: ['record_id', ...slugs],
    rows: records.map(({ record_id, ids }) => ({ record_id, ...ids })),
    total,
  };
}

/** @returns whether there was one */
export function deleteDataRef(
  deps: DataRefDeps,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
): Promise<boolean> {
  return tenantTransaction(deps.db, tenant, (db) => deleteDataRefRow(db, tenant, linkedAccountId, name));
}

/** Forgets every record and keeps the reference. @throws AppError `not_found` */
export function clearDataRef(
  deps: DataRefDeps,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
): Promise<StoredDataRef> {
  return tenantTransaction(deps.db, tenant, async (db) => {
    const ref = await requireRef(db, tenant, linkedAccountId, name);
    await deleteDataRefEntries(db, tenant, ref.id);
    return ref;
  });
}

/** Files references under a group of the dashboard; null under none. */
export function groupDataRefs(
  deps: DataRefDeps,
  tenant: Tenant,
  linkedAccountId: string | undefined,
  names: readonly string[],
  group: string | null,
): Promise<void> {
  return tenantTransaction(deps.db, tenant, (db) =>
    setDataRefGroup(db, tenant, linkedAccountId, names, group),
  );
}

/** Remembers identities; makes the reference when it is new. @throws AppError `invalid_request` */
export function rememberIds(
  deps: DataRefDeps,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
  entries: readonly DataRefEntry[],
): Promise<DataRefData> {
  const wanted = readName(name);
  const checked = readEntries(entries);
  return tenantTransaction(deps.db, tenant, async (db) => {
    const ref =
      (await insertDataRef(db, tenant, linkedAccountId, wanted)) ??
      (await requireRef(db, tenant, linkedAccountId, wanted));
    await writeDataRefEntries(db, tenant, ref.id, checked);
    return dataOf(checked);
  });
}

/** What is known of a record, found by our id or by an app's; empty when nothing is. @throws AppError `not_found` */
export async function recallIds(
  deps: DataRefDeps,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
  by: { readonly recordId: string } | { readonly externalId: string; readonly slug?: string | undefined },
): Promise<DataRefData> {
  const ref = await requireRef(deps.db, tenant, linkedAccountId, name);
  return dataOf(await readDataRefEntries(deps.db, tenant, ref.id, by));
}

/** Forgets a record in every app. @returns what was known of it. @throws AppError `not_found` */
export function forgetRecord(
  deps: DataRefDeps,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
  recordId: string,
): Promise<DataRefData> {
  return tenantTransaction(deps.db, tenant, async (db) => {
    const ref = await requireRef(db, tenant, linkedAccountId, name);
    const known = await readDataRefEntries(db, tenant, ref.id, { recordId });
    await deleteDataRefEntries(db, tenant, ref.id, recordId);
    return dataOf(known);
  });
}

async function requireRef(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
): Promise<StoredDataRef> {
  const ref = await findDataRef(db, tenant, linkedAccountId, name);
  if (ref === undefined) throw new AppError('not_found', { what: 'Data reference', id: name });
  return ref;
}

function dataOf(entries: readonly DataRefEntry[]): DataRefData {
  const data = new Map<string, { slug: string; value: string }[]>();
  for (const { record_id, slug, external_id } of entries) {
    data.set(record_id, [...(data.get(record_id) ?? []), { slug, value: external_id }]);
  }
  return Object.fromEntries(data);
}

function readName(given: string): string {
  const name = given.trim();
  if (name === '') throw new AppError('missing_field', { field: 'refName' });
  if (name.length > dataRefLimits.nameLength) {
    throw invalid('refName', `at most ${dataRefLimits.nameLength} characters`);
  }
  return name;
}

/** Of several identities of one record in one app the last stands. */
function readEntries(entries: readonly DataRefEntry[]): DataRefEntry[] {
  if (entries.length === 0) throw invalid('records', 'give at least one record');
  if (entries.length > dataRefLimits.bulk) throw invalid('records', `at most ${dataRefLimits.bulk} at once`);
  const checked = new Map<string, DataRefEntry>();
  for (const [index, entry] of entries.entries()) {
    for (const field of ['record_id', 'slug', 'external_id'] as const) {
      if (entry[field] === '' || entry[field].length > dataRefLimits.idLength) {
        throw invalid(`records[${index}].${field}`, `must have 1 to ${dataRefLimits.idLength} characters`);
      }
    }
    checked.set(`${entry.record_id}\u0000${entry.slug}`, entry);
  }
  return [...checked.values()];
}

function invalid(path: string, message: string): AppError<'invalid_request'> {
  return new AppError('invalid_request', { problems: [{ path, message }] });
}

import { sql, type Selectable } from 'kysely';
import type { DataRefTable, Db } from '#db/schema';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

export type StoredDataRef = Selectable<DataRefTable>;

/** One known identity of a record: in the app `slug` it is `external_id`. */
export interface DataRefEntry {
  readonly record_id: string;
  readonly slug: string;
  readonly external_id: string;
}

function refsOf(db: Db, tenant: Tenant, linkedAccountId: string | undefined) {
  return db
    .selectFrom('data_ref')
    .where('data_ref.org_id', '=', tenant.orgId)
    .where('data_ref.environment', '=', tenant.environment)
    .$if(linkedAccountId !== undefined, (query) =>
      query.where('data_ref.linked_account_id', '=', linkedAccountId ?? ''),
    );
}

/** A page of references with the customer's own id of their account, newest first. */
export async function listDataRefs(
  db: Db,
  tenant: Tenant,
  page: { readonly linkedAccountId?: string | undefined; readonly offset: number; readonly limit: number },
): Promise<{ refs: (StoredDataRef & { account_id: string })[]; total: number }> {
  const found = refsOf(db, tenant, page.linkedAccountId);
  const [refs, counted] = await Promise.all([
    found
      .innerJoin('linked_account', 'linked_account.id', 'data_ref.linked_account_id')
      .selectAll('data_ref')
      .select('linked_account.account_id')
      .orderBy('data_ref.id', 'desc')
      .offset(page.offset)
      .limit(page.limit)
      .execute(),
    found.select(sql<number>`count(*)::int`.as('total')).executeTakeFirstOrThrow(),
  ]);
  return { refs, total: counted.total };
}

/** A page of the distinct names, each with the accounts that have one. */
export async function listDataRefNames(
  db: Db,
  tenant: Tenant,
  page: { readonly linkedAccountId?: string | undefined; readonly offset: number; readonly limit: number },
): Promise<{ names: { name: string; account_ids: string[] }[]; total: number }> {
  const found = refsOf(db, tenant, page.linkedAccountId);
  const [names, counted] = await Promise.all([
    found
      .innerJoin('linked_account', 'linked_account.id', 'data_ref.linked_account_id')
      .select([
        'data_ref.name',
        sql<string[]>`array_agg(linked_account.account_id order by linked_account.account_id)`.as(
          'account_ids',
        ),
      ])
      .groupBy('data_ref.name')
      .orderBy('data_ref.name')
      .offset(page.offset)
      .limit(page.limit)
      .execute(),
    found.select(sql<number>`count(distinct data_ref.name)::int`.as('total')).executeTakeFirstOrThrow(),
  ]);
  return { names, total: counted.total };
}

export function findDataRef(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
): Promise<StoredDataRef | undefined> {
  return refsOf(db, tenant, linkedAccountId)
    .selectAll('data_ref')
    .where('data_ref.name', '=', name)
    .executeTakeFirst();
}

/** Makes a reference; undefined: the account has one of that name. */
export async function insertDataRef(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
): Promise<StoredDataRef | undefined> {
  return db
    .insertInto('data_ref')
    .values({
      id: newId(),
      org_id: tenant.orgId,
      environment: tenant.environment,
      linked_account_id: linkedAccountId,
      name,
      group_name: null,
    })
    .onConflict((conflict) =>
      conflict.columns(['org_id', 'environment', 'linked_account_id', 'name']).doNothing(),
    )
    .returningAll()
    .executeTakeFirst();
}

/** @returns whether there was one */
export async function deleteDataRefRow(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  name: string,
): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('data_ref')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', linkedAccountId)
    .where('name', '=', name)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

export async function setDataRefGroup(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string | undefined,
  names: readonly string[],
  group: string | null,
): Promise<void> {
  await db
    .updateTable('data_ref')
    .set({ group_name: group })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('name', 'in', names)
    .$if(linkedAccountId !== undefined, (query) =>
      query.where('linked_account_id', '=', linkedAccountId ?? ''),
    )
    .execute();
}

/** Remembers identities; a record has one in each app, and the last that is told stands. */
export async function writeDataRefEntries(
  db: Db,
  tenant: Tenant,
  refId: string,
  entries: readonly DataRefEntry[],
): Promise<void> {
  await sql`
    insert into data_ref_entry (ref_id, org_id, environment, record_id, slug, external_id)
    select ${refId}, ${tenant.orgId}, ${tenant.environment}, u.record_id, u.slug, u.external_id
    from unnest(${entries.map((entry) => entry.record_id)}::text[], ${entries.map((entry) => entry.slug)}::text[],
      ${entries.map((entry) => entry.external_id)}::text[]) as u(record_id, slug, external_id)
    order by u.record_id, u.slug
    on conflict (ref_id, record_id, slug) do update set external_id = excluded.external_id`.execute(db);
  await db
    .updateTable('data_ref')
    .set({ updated_at: sql<Date>`now()` })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', refId)
    .execute();
}

/** All identities of the records that the filter finds; of every record without one. */
export function readDataRefEntries(
  db: Db,
  tenant: Tenant,
  refId: string,
  filter: {
    readonly recordId?: string;
    readonly externalId?: string;
    readonly slug?: string | undefined;
  } = {},
): Promise<DataRefEntry[]> {
  const { recordId, externalId, slug } = filter;
  return entriesOf(db, tenant, refId)
    .select(['record_id', 'slug', 'external_id'])
    .$if(recordId !== undefined, (query) => query.where('record_id', '=', recordId ?? ''))
    .$if(externalId !== undefined, (query) =>
      query.where('record_id', 'in', (inner) =>
        inner
          .selectFrom('data_ref_entry')
          .select('record_id')
          .where('ref_id', '=', refId)
          .where('external_id', '=', externalId ?? '')
          .$if(slug !== undefined, (only) => only.where('slug', '=', slug ?? '')),
      ),
    )
    .orderBy('record_id')
    .orderBy('slug')
    .execute();
}

/** A page of the records of a reference, each with its identities. */
export async function pageOfDataRefRecords(
  db: Db,
  tenant: Tenant,
  refId: string,
  page: { readonly offset: number; readonly limit: number },
): Promise<{
  records: { record_id: string; ids: Record<string, string> }[];
  slugs: string[];
  total: number;
}> {
  const [records, known] = await Promise.all([
    entriesOf(db, tenant, refId)
      .select(['record_id', sql<Record<string, string>>`jsonb_object_agg(slug, external_id)`.as('ids')])
      .groupBy('record_id')
      .orderBy('record_id')
      .offset(page.offset)
      .limit(page.limit)
      .execute(),
    entriesOf(db, tenant, refId)
      .select([
        sql<string[]>`coalesce(array_agg(distinct slug order by slug), '{}')`.as('slugs'),
        sql<number>`count(distinct record_id)::int`.as('total'),
      ])
      .executeTakeFirstOrThrow(),
  ]);
  return { records, ...known };
}

function entriesOf(db: Db, tenant: Tenant, refId: string) {
  return db
    .selectFrom('data_ref_entry')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('ref_id', '=', refId);
}

/** Forgets one record, or all of them. */
export async function deleteDataRefEntries(
  db: Db,
  tenant: Tenant,
  refId: string,
  recordId?: string,
): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('data_ref_entry')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('ref_id', '=', refId)
    .$if(recordId !== undefined, (query) => query.where('record_id', '=', recordId ?? ''))
    .executeTakeFirst();
  return Number(numDeletedRows);
}

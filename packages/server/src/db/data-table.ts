import type { Pool } from 'pg';
import { sql, type Selectable, type Transaction } from 'kysely';
import type { Database, DataColumn, DataTableTable, Db } from '#db/schema';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

export interface StoredTable extends Selectable<DataTableTable> {
  /** The customer's own id of the account that it is private to. */
  readonly account_id: string | null;
}

/** What a column holds of a record. */
export type FieldValue = string | number | null;

export interface StoredRecord {
  readonly id: string;
  readonly fields: Readonly<Record<string, FieldValue>>;
  readonly fields_sealed: Buffer | null;
}

/**
 * Whose tables are meant: of one account, of one execution, or, with neither, those of the whole environment.
 * `anybody` reads every persistent table of the environment: the SaaS company's own view.
 */
export interface TableScope {
  readonly linkedAccountId: string | null;
  readonly executionId: string | null;
}
export type TableView = TableScope | 'anybody';

/** A config of an account: for which app, and by which id. */
export interface ConfigRef {
  readonly appSlug: string;
  readonly configId: string;
}

const ownerAccountId = sql<
  string | null
>`(select account_id from linked_account where linked_account.id = data_table.linked_account_id)`.as(
  'account_id',
);

function tablesOf(db: Db, tenant: Tenant, view: TableView) {
  const live = db
    .selectFrom('data_table')
    .select(ownerAccountId)
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('deleted_at', 'is', null);
  if (view === 'anybody') return live.where('execution_id', 'is', null);
  return live
    .where('execution_id', 'is not distinct from', view.executionId)
    .where('linked_account_id', 'is not distinct from', view.linkedAccountId);
}

/** A page of tables, newest first, with how many there are. */
export async function listTables(
  db: Db,
  tenant: Tenant,
  view: TableView,
  page: { readonly nameLike?: string | undefined; readonly offset: number; readonly limit: number },
): Promise<{ tables: StoredTable[]; total: number }> {
  const { nameLike } = page;
  const found = tablesOf(db, tenant, view).$if(nameLike !== undefined, (query) =>
    query.where(sql<boolean>`strpos(lower(name), ${(nameLike ?? '').toLowerCase()}) > 0`),
  );
  const [tables, counted] = await Promise.all([
    found.selectAll().orderBy('id', 'desc').offset(page.offset).limit(page.limit).execute(),
    found
      .clearSelect()
      .select(sql<number>`count(*)::int`.as('total'))
      .executeTakeFirstOrThrow(),
  ]);
  return { tables, total: counted.total };
}

/** The names of an account's tables that workflows made for one of its configs. */
export async function listTableNamesOfConfig(
  db: Db,
  tenant: Tenant,
  linkedAccountId: string,
  { appSlug, configId }: ConfigRef,
): Promise<string[]> {
  const rows = await tablesOf(db, tenant, { linkedAccountId, executionId: null })
    .select('name')
    .where('app_slug', '=', appSlug)
    .where('config_id', '=', configId)
    .orderBy('name')
    .execute();
  return rows.map(({ name }) => name);
}

/** One table by its id or, in a scope, by its name. `lock` holds it against other writers. */
export function findTable(
  db: Db,
  tenant: Tenant,
  view: TableView,
  by: { readonly id: string } | { readonly name: string },
  options: { readonly lock?: boolean } = {},
): Promise<StoredTable | undefined> {
  return tablesOf(db, tenant, view)
    .selectAll()
    .$if('id' in by, (query) => query.where('id', '=', 'id' in by ? by.id : ''))
    .$if('name' in by, (query) => query.where('name', '=', 'name' in by ? by.name : ''))
    .$if(options.lock === true, (query) => query.forUpdate())
    .executeTakeFirst();
}

/** Makes a table; undefined: the scope has one of that name. */
export async function insertTable(
  db: Db,
  tenant: Tenant,
  scope: TableScope,
  values: {
    readonly name: string;
    readonly columns: readonly DataColumn[];
    readonly madeFor?: ConfigRef | undefined;
  },
): Promise<StoredTable | undefined> {
  const { rows } = await sql<StoredTable>`
    insert into data_table
      (id, org_id, environment, linked_account_id, execution_id, name, columns, app_slug, config_id)
    values (${newId()}, ${tenant.orgId}, ${tenant.environment}, ${scope.linkedAccountId}, ${scope.executionId},
      ${values.name}, ${JSON.stringify(values.columns)}, ${values.madeFor?.appSlug ?? null},
      ${values.madeFor?.configId ?? null})
    on conflict do nothing
    returning *, ${ownerAccountId.expression}`.execute(db);
  return rows[0];
}

/** Its rows go with it, at once; the name is free again. */
export async function markTableDeleted(db: Db, tenant: Tenant, id: string): Promise<void> {
  await db
    .updateTable('data_table')
    .set({ deleted_at: sql<Date>`now()`, record_count: 0 })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .execute();
  await recordsOf(db, tenant, id).execute();
}

function recordsOf(db: Db, tenant: Tenant, tableId: string) {
  return db
    .deleteFrom('data_record')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('table_id', '=', tableId);
}

export async function setTableColumns(
  db: Db,
  tenant: Tenant,
  id: string,
  columns: readonly DataColumn[],
): Promise<void> {
  await db
    .updateTable('data_table')
    .set({ columns: JSON.stringify(columns), updated_at: sql<Date>`now()` })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .execute();
}

/** Files tables under a group of the dashboard, or under none. */
export async function setTableGroup(
  db: Db,
  tenant: Tenant,
  ids: readonly string[],
  group: string | null,
): Promise<void> {
  await db
    .updateTable('data_table')
    .set({ group_name: group })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', 'in', ids)
    .execute();
}

/** Adds records; those whose id is there already (a repeated call) are left as they are. Returns how many are new. */
export async function insertRecords(
  db: Transaction<Database>,
  tenant: Tenant,
  tableId: string,
  records: readonly StoredRecord[],
): Promise<number> {
  const { rows } = await sql<{ added: number }>`
    with added as (
      insert into data_record (table_id, id, org_id, environment, fields, fields_sealed)
      select ${tableId}, u.id, ${tenant.orgId}, ${tenant.environment}, u.fields, u.fields_sealed
      from unnest(${records.map(({ id }) => id)}::uuid[],
        ${records.map(({ fields }) => JSON.stringify(fields))}::jsonb[],
        ${records.map(({ fields_sealed: sealed }) => sealed)}::bytea[]) with ordinality
        as u(id, fields, fields_sealed, number)
      order by u.number
      on conflict (table_id, id) do nothing
      returning 1
    ), counted as (
      update data_table set record_count = record_count + (select count(*) from added)::int, updated_at = now()
      where id = ${tableId}
    )
    select count(*)::int as added from added`.execute(db);
  return rows[0]!.added;
}

/** Records in the order in which they came. */
export function listRecords(
  db: Db,
  tenant: Tenant,
  tableId: string,
  page: { readonly offset: number; readonly limit: number },
): Promise<StoredRecord[]> {
  return recordRows(db, tenant, tableId).orderBy('seq').offset(page.offset).limit(page.limit).execute();
}

export function findRecord(
  db: Db,
  tenant: Tenant,
  tableId: string,
  id: string,
): Promise<StoredRecord | undefined> {
  return recordRows(db, tenant, tableId).where('id', '=', id).executeTakeFirst();
}

/** What a search looks for. */
export interface RecordFilter {
  readonly wanted: Readonly<Record<string, FieldValue>>;
  /** `exact`: the same text; `contains`: the text anywhere in it, whatever its case. */
  readonly match: 'exact' | 'contains';
}

/** Records that match every one of `wanted`. */
export function searchRecords(
  db: Db,
  tenant: Tenant,
  tableId: string,
  filter: RecordFilter,
  limit: number,
): Promise<StoredRecord[]> {
  return matchingRows(db, tenant, tableId, filter).orderBy('seq').limit(limit).execute();
}

/** How many bytes the records have that match, as they are read. */
export async function bytesOfRecords(
  db: Db,
  tenant: Tenant,
  tableId: string,
  filter: RecordFilter,
): Promise<number> {
  const { bytes } = await matchingRows(db, tenant, tableId, filter)
    .clearSelect()
    .select(
      sql<number>`coalesce(sum(octet_length(fields::text) + coalesce(octet_length(fields_sealed), 0)), 0)::float8`.as(
        'bytes',
      ),
    )
    .executeTakeFirstOrThrow();
  return bytes;
}

function matchingRows(db: Db, tenant: Tenant, tableId: string, { wanted, match }: RecordFilter) {
  let found = recordRows(db, tenant, tableId);
  for (const [column, value] of Object.entries(wanted)) {
    const stored = sql<string | null>`fields ->> ${column}`;
    if (value === null) found = found.where(stored, 'is', null);
    else if (match === 'exact') found = found.where(stored, '=', String(value));
    else found = found.where(sql<boolean>`strpos(lower(${stored}), ${String(value).toLowerCase()}) > 0`);
  }
  return found;
}

function recordRows(db: Db, tenant: Tenant, tableId: string) {
  return db
    .selectFrom('data_record')
    .select(['id', 'fields', 'fields_sealed'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('table_id', '=', tableId);
}

/** Writes whole records back, after a change of columns or of values. */
export async function writeRecords(
  db: Db,
  tenant: Tenant,
  tableId: string,
  records: readonly StoredRecord[],
): Promise<void> {
  await sql`
    update data_record r set fields = u.fields, fields_sealed = u.fields_sealed
    from unnest(${records.map(({ id }) => id)}::uuid[],
      ${records.map(({ fields }) => JSON.stringify(fields))}::jsonb[],
      ${records.map(({ fields_sealed: sealed }) => sealed)}::bytea[]) as u(id, fields, fields_sealed)
    where r.table_id = ${tableId} and r.id = u.id and r.org_id = ${tenant.orgId}
      and r.environment = ${tenant.environment}`.execute(db);
}

/** @returns the record that is gone */
export async function deleteRecordRow(
  db: Db,
  tenant: Tenant,
  tableId: string,
  id: string,
): Promise<StoredRecord | undefined> {
  const gone = await recordsOf(db, tenant, tableId)
    .where('id', '=', id)
    .returning(['id', 'fields', 'fields_sealed'])
    .executeTakeFirst();
  if (gone !== undefined) {
    await db
      .updateTable('data_table')
      .set({ record_count: sql<number>`record_count - 1`, updated_at: sql<Date>`now()` })
      .where('org_id', '=', tenant.orgId)
      .where('environment', '=', tenant.environment)
      .where('id', '=', tableId)
      .execute();
  }
  return gone;
}

/** Drops the tables of executions that are over (or were dropped by retention). Returns how many. */
export async function deleteTablesOfEndedExecutions(pool: Pool): Promise<number> {
  const { rowCount } = await pool.query(
    `delete from data_table t
     where t.execution_id is not null and not exists (
       select from execution e where e.id = t.execution_id and e.state in ('queued', 'running', 'waiting'))`,
  );
  return rowCount ?? 0;
}

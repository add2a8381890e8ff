import { createHash, randomUUID } from 'node:crypto';
import type { Transaction } from 'kysely';
import {
  bytesOfRecords,
  deleteRecordRow,
  findRecord,
  findTable,
  insertRecords,
  insertTable,
  listRecords,
  listTables,
  markTableDeleted,
  searchRecords,
  setTableColumns,
  setTableGroup,
  writeRecords,
  type ConfigRef,
  type FieldValue,
  type StoredRecord,
  type StoredTable,
  type TableScope,
  type TableView,
} from '#db/data-table';
import type { Database, DataColumn, Db } from '#db/schema';
import { tenantTransaction } from '#db/tenant-transaction';
import { AppError, type FieldProblem } from '#domain/errors';
import { isForbiddenName, isRecord } from '#domain/exact-json';
import type { Tenant } from '#domain/tenant';
import { sealContext, type Vault } from '#vault/index';

/** Tables that workflows and the SaaS company write rows to (spec/workflows §12.17, spec/api §4.12). */

export interface TableDeps {
  readonly db: Db;
  readonly vault: Vault;
  /** Told of the encrypted values of each row that is opened, by column. */
  readonly onOpened?: (fields: Readonly<Record<string, FieldValue>>) => void;
}

/** A row as callers see it: its `record_id` and a value for every column. */
export type TableRecord = { readonly record_id: string } & Readonly<Record<string, FieldValue>>;

export type TableRef = { readonly id: string } | { readonly name: string };

/** Largest table; a table is a registry for workflows, not a database. */
export const tableLimits = {
  columns: 30,
  records: 50_000,
  nameLength: 200,
  valueBytes: 65_536,
  addAtOnce: 5_000,
  foundBytes: 64 * 1024 * 1024,
};

/**
 * Makes a table, or finds the one that has the name already and leaves it as it is.
 *
 * @throws AppError `invalid_request` naming the column at fault
 */
export async function createTable(
  deps: TableDeps,
  tenant: Tenant,
  scope: TableScope,
  input: {
    readonly name: string;
    readonly columns: readonly DataColumn[];
    /** The config for which a workflow makes it. */
    readonly madeFor?: ConfigRef | undefined;
  },
): Promise<{ table: StoredTable; alreadyExists: boolean }> {
  const name = readName(input.name, 'table_name');
  const columns = readColumns(input.columns, 'columns');
  return tenantTransaction(deps.db, tenant, async (db) => {
    const made = await insertTable(db, tenant, scope, { name, columns, madeFor: input.madeFor });
    if (made !== undefined) return { table: made, alreadyExists: false };
    return { table: await requireTable(db, tenant, scope, { name }), alreadyExists: true };
  });
}

export async function pageOfTables(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  page: { readonly nameLike?: string | undefined; readonly offset: number; readonly limit: number },
): Promise<{ tables: StoredTable[]; total: number }> {
  return listTables(deps.db, tenant, view, page);
}

/** @throws AppError `not_found` */
export function deleteTable(deps: TableDeps, tenant: Tenant, view: TableView, ref: TableRef): Promise<void> {
  return changeTable(deps, tenant, view, ref, (db, table) => markTableDeleted(db, tenant, table.id));
}

/** Files tables under a group of the dashboard; null under none. Ids that the caller may not see are passed over. */
export async function groupTables(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ids: readonly string[],
  group: string | null,
): Promise<void> {
  await tenantTransaction(deps.db, tenant, async (db) => {
    const seen = await Promise.all(ids.map((id) => findTable(db, tenant, view, { id })));
    const visible = seen.flatMap((table) => (table === undefined ? [] : [table.id]));
    if (visible.length > 0) await setTableGroup(db, tenant, visible, group);
  });
}

/**
 * Adds rows; columns that the table does not have are dropped.
 *
 * @param repeatKey - the same key adds the same rows once, however often it is called
 * @throws AppError `not_found`, `invalid_request`, `table_full`
 */
export function addRecords(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  input: unknown,
  repeatKey?: string,
): Promise<TableRecord[]> {
  const given = readRows(input);
  return changeTable(deps, tenant, view, ref, async (db, table) => {
    const rows = given.map((row, index) =>
      sealRow(deps.vault, table, {
        id: repeatKey === undefined ? randomUUID() : repeatedId(repeatKey, index),
        fields: readFields(table, row, `data[${index}]`),
      }),
    );
    const added = await insertRecords(db, tenant, table.id, rows);
    if (table.record_count + added > tableLimits.records) {
      throw new AppError('table_full', { name: table.name, limit: tableLimits.records });
    }
    return rows.map((row) => openRow(deps, table, row));
  });
}

/** Names of the encrypted columns of a table; none of a table that is not there. */
export async function encryptedColumns(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
): Promise<string[]> {
  const table = await findTable(deps.db, tenant, view, ref);
  return (table?.columns ?? []).filter(({ encrypted }) => encrypted).map(({ name }) => name);
}

/** Rows in the order in which they were added. @throws AppError `not_found` */
export async function pageOfRecords(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  page: { readonly offset: number; readonly limit: number },
): Promise<{ table: StoredTable; records: TableRecord[] }> {
  const table = await requireTable(deps.db, tenant, view, ref);
  const rows = await listRecords(deps.db, tenant, table.id, page);
  return { table, records: rows.map((row) => openRow(deps, table, row)) };
}

/** @throws AppError `not_found` for the table or the record */
export async function getRecord(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  recordId: string,
): Promise<TableRecord> {
  const table = await requireTable(deps.db, tenant, view, ref);
  const row = isUuid(recordId) ? await findRecord(deps.db, tenant, table.id, recordId) : undefined;
  return openRow(deps, table, row ?? missing('Record', recordId));
}

/**
 * Rows that hold every wanted value.
 *
 * @param match - `exact`: equal as text; `contains`: somewhere in it, whatever the case
 * @throws AppError `not_found`, `invalid_request` for a column that is encrypted or does not exist, `wrong_state` when
 *   more is found than is held at once
 */
export async function findRecords(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  wanted: unknown,
  match: 'exact' | 'contains',
): Promise<TableRecord[]> {
  const table = await requireTable(deps.db, tenant, view, ref);
  const filter = { wanted: readFilter(table, wanted), match };
  // Each may be large: what is held at once is counted before it is read.
  if ((await bytesOfRecords(deps.db, tenant, table.id, filter)) > tableLimits.foundBytes) {
    const mebibytes = tableLimits.foundBytes / 1024 / 1024;
    throw new AppError('wrong_state', {
      reason: `The records that were found in the table "${table.name}" hold more than ${mebibytes} MiB together. Search for fewer, or read the table page by page.`,
    });
  }
  const rows = await searchRecords(deps.db, tenant, table.id, filter, tableLimits.records);
  return rows.map((row) => openRow(deps, table, row));
}

/** Changes the given columns of one row. @throws AppError `not_found`, `invalid_request` */
export function updateRecord(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  recordId: string,
  changes: unknown,
): Promise<TableRecord> {
  if (!isRecord(changes)) throw invalid([{ path: 'data', message: 'must be an object of column values' }]);
  return changeTable(deps, tenant, view, ref, async (db, table) => {
    const row = isUuid(recordId) ? await findRecord(db, tenant, table.id, recordId) : undefined;
    if (row === undefined) return missing('Record', recordId);
    const before = openFields(deps.vault, table, row);
    const known = columnNames(table);
    const changed = readFields(table, changes, 'data');
    const kept = Object.fromEntries(known.map((name) => [name, before[name] ?? null]));
    const given = Object.entries(changed).filter(([name]) => Object.hasOwn(changes, name));
    const next = sealRow(deps.vault, table, {
      id: row.id,
      fields: { ...kept, ...Object.fromEntries(given) },
    });
    await writeRecords(db, tenant, table.id, [next]);
    return openRow(deps, table, next);
  });
}

/** @returns the row that is gone. @throws AppError `not_found` */
export function deleteRecord(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  recordId: string,
): Promise<TableRecord> {
  return changeTable(deps, tenant, view, ref, async (db, table) => {
    const gone = isUuid(recordId) ? await deleteRecordRow(db, tenant, table.id, recordId) : undefined;
    return openRow(deps, table, gone ?? missing('Record', recordId));
  });
}

/** Adds columns that are not there yet; every row gets null in them. @returns the names of all columns */
export function addColumns(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  columns: readonly DataColumn[],
): Promise<string[]> {
  return changeTable(deps, tenant, view, ref, async (db, table) => {
    const known = new Set(columnNames(table));
    const added = readColumns(columns, 'columns').filter(({ name }) => !known.has(name));
    return saveColumns(db, tenant, table, [...table.columns, ...added]);
  });
}

/** Removes columns with what they hold; one must remain. @throws AppError `invalid_request` */
export function removeColumns(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  names: readonly string[],
): Promise<string[]> {
  return changeTable(deps, tenant, view, ref, async (db, table) => {
    const known = new Set(columnNames(table));
    const unknown = names.filter((name) => !known.has(name));
    if (unknown.length > 0) throw invalid(unknown.map((name) => noColumn(table, name, 'columns')));
    const left = table.columns.filter(({ name }) => !names.includes(name));
    if (left.length === 0) throw invalid([{ path: 'columns', message: 'one column must remain' }]);
    await rewriteRows(deps, db, tenant, table, { ...table, columns: left }, (fields) => fields);
    return saveColumns(db, tenant, table, left);
  });
}

/** Renames columns all at once, so that `a→b, b→c` and swaps are what they look like. */
export function renameColumns(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  renames: readonly { readonly from: string; readonly to: string }[],
): Promise<string[]> {
  return changeTable(deps, tenant, view, ref, async (db, table) => {
    const known = new Set(columnNames(table));
    const unknown = renames.filter(({ from }) => !known.has(from));
    if (unknown.length > 0) throw invalid(unknown.map(({ from }) => noColumn(table, from, 'renames')));
    const newName = new Map(renames.map(({ from, to }) => [from, to]));
    const renamed = readColumns(
      table.columns.map((column) => ({ ...column, name: newName.get(column.name) ?? column.name })),
      'renames',
    );
    await rewriteRows(deps, db, tenant, table, { ...table, columns: renamed }, (fields) =>
      Object.fromEntries(Object.entries(fields).map(([name, value]) => [newName.get(name) ?? name, value])),
    );
    return saveColumns(db, tenant, table, renamed);
  });
}

async function requireTable(db: Db, tenant: Tenant, view: TableView, ref: TableRef): Promise<StoredTable> {
  const table = await findTable(db, tenant, view, ref);
  return table ?? missing('Table', 'id' in ref ? ref.id : ref.name);
}

/** Runs a change with the table's row locked: changes of one table follow one another. */
function changeTable<T>(
  deps: TableDeps,
  tenant: Tenant,
  view: TableView,
  ref: TableRef,
  change: (db: Transaction<Database>, table: StoredTable) => Promise<T>,
): Promise<T> {
  return tenantTransaction(deps.db, tenant, async (db) => {
    const table = await findTable(db, tenant, view, ref, { lock: true });
    return change(db, table ?? missing('Table', 'id' in ref ? ref.id : ref.name));
  });
}

const rowsAtOnce = 1_000;

async function rewriteRows(
  deps: TableDeps,
  db: Transaction<Database>,
  tenant: Tenant,
  before: StoredTable,
  after: StoredTable,
  change: (fields: Readonly<Record<string, FieldValue>>) => Readonly<Record<string, FieldValue>>,
): Promise<void> {
  for (let offset = 0; ; offset += rowsAtOnce) {
    const rows = await listRecords(db, tenant, before.id, { offset, limit: rowsAtOnce });
    const changed = rows.map((row) => {
      const fields = change(openFields(deps.vault, before, row));
      const kept = Object.fromEntries(columnNames(after).map((name) => [name, fields[name] ?? null]));
      return sealRow(deps.vault, after, { id: row.id, fields: kept });
    });
    if (changed.length > 0) await writeRecords(db, tenant, before.id, changed);
    if (rows.length < rowsAtOnce) return;
  }
}

async function saveColumns(
  db: Db,
  tenant: Tenant,
  table: StoredTable,
  columns: readonly DataColumn[],
): Promise<string[]> {
  if (columns.length > tableLimits.columns) throw invalid([tooManyColumns('columns')]);
  await setTableColumns(db, tenant, table.id, columns);
  return columns.map(({ name }) => name);
}

/** Splits a row into what is stored as it is and what is sealed. */
function sealRow(
  vault: Vault,
  table: StoredTable,
  row: { readonly id: string; readonly fields: Readonly<Record<string, FieldValue>> },
): StoredRecord {
  const secret = new Set(table.columns.filter(({ encrypted }) => encrypted).map(({ name }) => name));
  const entries = Object.entries(row.fields);
  const hidden = entries.filter(([name, value]) => secret.has(name) && value !== null);
  const context = sealContext('data_record.fields_sealed', table.id, row.id);
  return {
    id: row.id,
    fields: Object.fromEntries(entries.filter(([name]) => !secret.has(name))),
    fields_sealed: hidden.length === 0 ? null : vault.sealJson(Object.fromEntries(hidden), context),
  };
}

function openFields(
  vault: Vault,
  table: StoredTable,
  row: StoredRecord,
): Readonly<Record<string, FieldValue>> {
  return { ...row.fields, ...openSealed(vault, table, row) };
}

function openSealed(
  vault: Vault,
  table: StoredTable,
  row: StoredRecord,
): Readonly<Record<string, FieldValue>> {
  if (row.fields_sealed === null) return {};
  const context = sealContext('data_record.fields_sealed', table.id, row.id);
  return vault.openJson(row.fields_sealed, context) as Record<string, FieldValue>;
}

function openRow({ vault, onOpened }: TableDeps, table: StoredTable, row: StoredRecord): TableRecord {
  const secret = openSealed(vault, table, row);
  onOpened?.(secret);
  const fields = { ...row.fields, ...secret };
  return {
    record_id: row.id,
    ...Object.fromEntries(columnNames(table).map((name) => [name, fields[name] ?? null])),
  };
}

function columnNames(table: StoredTable): string[] {
  return table.columns.map(({ name }) => name);
}

function readName(given: string, path: string): string {
  const name = given.trim();
  if (name === '') throw new AppError('missing_field', { field: path });
  if (name.length > tableLimits.nameLength) {
    throw invalid([{ path, message: `at most ${tableLimits.nameLength} characters` }]);
  }
  return name;
}

function readColumns(given: readonly DataColumn[], path: string): DataColumn[] {
  if (given.length === 0) throw invalid([{ path, message: 'name at least one column' }]);
  if (given.length > tableLimits.columns) throw invalid([tooManyColumns(path)]);
  const columns = given.map(({ name, encrypted }) => ({ name: name.trim(), encrypted }));
  const problems = columns.flatMap(({ name }, index): FieldProblem[] => {
    const at = `${path}[${index}]`;
    if (name === '' || name.length > tableLimits.nameLength) {
      return [{ path: at, message: `a column name has 1 to ${tableLimits.nameLength} characters` }];
    }
    if (name === 'record_id' || isForbiddenName(name)) {
      return [{ path: at, message: `"${name}" is reserved; choose another name` }];
    }
    const isRepeated = columns.findIndex((other) => other.name === name) !== index;
    return isRepeated ? [{ path: at, message: `there are two columns called "${name}"` }] : [];
  });
  if (problems.length > 0) throw invalid(problems);
  return columns;
}

function readRows(input: unknown): Record<string, unknown>[] {
  const rows = Array.isArray(input) ? input : [input];
  if (rows.length === 0) throw invalid([{ path: 'data', message: 'give at least one record' }]);
  if (rows.length > tableLimits.addAtOnce) {
    throw invalid([{ path: 'data', message: `at most ${tableLimits.addAtOnce} records at once` }]);
  }
  return rows.map((row: unknown, index) => {
    if (isRecord(row)) return row;
    throw invalid([{ path: `data[${index}]`, message: 'must be an object of column values' }]);
  });
}

/** A value for every column of the table; what the table has no column for is dropped. */
function readFields(
  table: StoredTable,
  row: Readonly<Record<string, unknown>>,
  path: string,
): Record<string, FieldValue> {
  return Object.fromEntries(
    columnNames(table).map((name) => [
      name,
      Object.hasOwn(row, name) ? readValue(row[name], `${path}.${name}`) : null,
    ]),
  );
}

/** Text and numbers as they are; anything else as its JSON text. */
function readValue(value: unknown, path: string): FieldValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return value;
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  if (Buffer.byteLength(text) > tableLimits.valueBytes) {
    throw invalid([{ path, message: `is longer than ${tableLimits.valueBytes} bytes` }]);
  }
  // jsonb takes no U+0000.
  if (text.includes('\u0000')) throw invalid([{ path, message: 'holds a NUL character' }]);
  return text;
}

function readFilter(table: StoredTable, wanted: unknown): Record<string, FieldValue> {
  if (!isRecord(wanted)) throw invalid([{ path: 'search', message: 'must be an object of column values' }]);
  return Object.fromEntries(
    Object.entries(wanted).map(([name, value]) => {
      const column = table.columns.find((known) => known.name === name);
      if (column === undefined) throw invalid([noColumn(table, name, 'search')]);
      if (column.encrypted) {
        throw invalid([{ path: `search.${name}`, message: 'is encrypted and cannot be searched' }]);
      }
      return [name, readValue(value, `search.${name}`)];
    }),
  );
}

function noColumn(table: StoredTable, name: string, path: string): FieldProblem {
  return {
    path,
    message: `the table "${table.name}" has no column "${name}"; it has ${columnNames(table).join(', ')}`,
  };
}

function tooManyColumns(path: string): FieldProblem {
  return { path, message: `a table has at most ${tableLimits.columns} columns` };
}

/** The id of the n-th row of a call that may be repeated: RFC 9562 version 8, our own derivation. */
function repeatedId(key: string, index: number): string {
  const hex = createHash('sha256').update(`${key}\u0000${index}`).digest('hex');
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function isUuid(value: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
}

function invalid(problems: readonly FieldProblem[]): AppError<'invalid_request'> {
  return new AppError('invalid_request', { problems });
}

function missing(what: 'Table' | 'Record', id: string): never {
  throw new AppError('not_found', { what, id });
}

import type { Clock } from './clock.ts';
import { newId } from './ids.ts';
import type { Store } from './store.ts';

export type RecordKind = 'contact' | 'deal';

/** A contact or deal as the API shows it: its own fields between identity and times. */
export type CrmRecord = { id: string } & Record<string, unknown> & { created_at: string; updated_at: string };

interface Row {
  seq: number;
  id: string;
  fields: string;
  created_at: string;
  updated_at: string;
}

interface Deps {
  store: Store;
  clock: Clock;
}

const idPrefix: Record<RecordKind, string> = { contact: 'con', deal: 'deal' };

function toRecord(row: Row): CrmRecord {
  const fields = JSON.parse(row.fields) as Record<string, unknown>;
  return { id: row.id, ...fields, created_at: row.created_at, updated_at: row.updated_at };
}

export function createRecord(
  deps: Deps,
  input: { companyId: string; kind: RecordKind; fields: Record<string, unknown> },
): CrmRecord {
  const now = deps.clock.now().toISOString();
  const id = newId(idPrefix[input.kind]);
  deps.store.run(
    'insert into record (id, company_id, kind, fields, created_at, updated_at) values (?, ?, ?, ?, ?, ?)',
    id,
    input.companyId,
    input.kind,
    JSON.stringify(input.fields),
    now,
    now,
  );
  return { id, ...input.fields, created_at: now, updated_at: now };
}

export function findRecord(
  store: Store,
  key: { companyId: string; kind: RecordKind; id: string },
): CrmRecord | undefined {
  const row = store.one<Row>(
    'select * from record where company_id = ? and kind = ? and id = ?',
    key.companyId,
    key.kind,
    key.id,
  );
  return row && toRecord(row);
}

/** Changes the fields given and keeps the others; undefined when the company has no such record. */
export function updateRecord(
  deps: Deps,
  input: { companyId: string; kind: RecordKind; id: string; changes: Record<string, unknown> },
): CrmRecord | undefined {
  const { id, created_at, updated_at: _before, ...fields } = findRecord(deps.store, input) ?? {};
  if (id === undefined || created_at === undefined) return undefined;
  const next = { ...fields, ...input.changes };
  const updated_at = deps.clock.now().toISOString();
  deps.store.run(
    'update record set fields = ?, updated_at = ? where company_id = ? and id = ?',
    JSON.stringify(next),
    updated_at,
    input.companyId,
    id,
  );
  return { id, ...next, created_at, updated_at };
}

export function deleteRecord(
  store: Store,
  key: { companyId: string; kind: RecordKind; id: string },
): boolean {
  const sql = 'delete from record where company_id = ? and kind = ? and id = ?';
  return store.run(sql, key.companyId, key.kind, key.id) === 1;
}

/** One page in order of creation, with the position to go on from when there is more. */
export function listRecords(
  store: Store,
  query: { companyId: string; kind: RecordKind; limit: number; after?: number; updatedSince?: string },
): { data: CrmRecord[]; next: number | undefined } {
  const rows = store.all<Row>(
    `select * from record where company_id = ? and kind = ? and seq > ? and updated_at >= ?
     order by seq limit ?`,
    query.companyId,
    query.kind,
    query.after ?? 0,
    query.updatedSince ?? '',
    query.limit + 1,
  );
  const page = rows.slice(0, query.limit);
  return { data: page.map(toRecord), next: rows.length > query.limit ? page.at(-1)?.seq : undefined };
}

/** The newest records first, for people to look at. */
export function latestRecords(store: Store, companyId: string, kind: RecordKind, limit: number): CrmRecord[] {
  const sql = 'select * from record where company_id = ? and kind = ? order by seq desc limit ?';
  return store.all<Row>(sql, companyId, kind, limit).map(toRecord);
}

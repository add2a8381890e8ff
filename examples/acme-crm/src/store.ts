import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

const schema = `
  create table if not exists setting (name text primary key, value text not null) strict;
  create table if not exists company (id text primary key, name text not null) strict;
  create table if not exists person (
    id text primary key, company_id text not null references company, email text not null unique,
    name text not null, password_hash text not null, created_at text not null) strict;
  create table if not exists session (
    token_hash text primary key, person_id text not null references person, expires_at integer not null) strict;
  create table if not exists api_key (
    id text primary key, key_hash text not null unique, preview text not null, name text not null,
    person_id text not null references person, created_at text not null) strict;
  create table if not exists oauth_client (
    client_id text primary key, company_id text not null references company, metadata text not null,
    created_at text not null) strict;
  create table if not exists oauth_artifact (
    model text not null, id text not null, payload text not null, grant_id text, uid text,
    expires_at integer, consumed_at integer, primary key (model, id)) strict;
  create index if not exists oauth_artifact_grant on oauth_artifact (grant_id);
  create index if not exists oauth_artifact_uid on oauth_artifact (uid) where uid is not null;
  create table if not exists record (
    seq integer primary key autoincrement, id text not null unique, company_id text not null references company,
    kind text not null, fields text not null, created_at text not null, updated_at text not null) strict;
  create index if not exists record_list on record (company_id, kind, seq);
  create table if not exists idempotency (
    principal text not null, key text not null, fingerprint text not null, status integer not null,
    body text not null, expires_at integer not null, primary key (principal, key)) strict;
  create index if not exists idempotency_expiry on idempotency (expires_at);
  create table if not exists webhook_subscription (
    id text primary key, company_id text not null references company, app_id text not null,
    url text not null, events text not null, secret text not null, created_at text not null) strict;
  create table if not exists webhook_delivery (
    id text primary key, subscription_id text not null references webhook_subscription on delete cascade,
    body text not null, attempts integer not null default 0, due_at integer not null,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed'))) strict;
  create index if not exists webhook_delivery_due on webhook_delivery (due_at) where state = 'pending';
`;

/** A row as SQLite gives it; the caller names the shape it selected. */
type Row = Record<string, unknown>;

/** The database of the program: SQLite in a file, or in memory when there is no data directory. */
export interface Store {
  run(sql: string, ...values: SQLInputValue[]): number;
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the row it selected
  one<T = Row>(sql: string, ...values: SQLInputValue[]): T | undefined;
  all<T = Row>(sql: string, ...values: SQLInputValue[]): T[];
  /** Runs `work` so that all of its writes are kept or none is. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/** Opens the store, making directory and tables as needed. */
export function openStore(dataDir: string | undefined): Store {
  if (dataDir !== undefined) mkdirSync(dataDir, { recursive: true });
  const db = new DatabaseSync(dataDir === undefined ? ':memory:' : join(dataDir, 'acme-crm.sqlite'));
  // WAL with NORMAL survives a killed process; only a power cut can lose the last writes.
  db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on;');
  db.exec(schema);
  const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  const statement = (sql: string) => {
    let found = prepared.get(sql);
    if (found === undefined) prepared.set(sql, (found = db.prepare(sql)));
    return found;
  };
  return {
    run: (sql, ...values) => Number(statement(sql).run(...values).changes),
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as in the interface
    one: <T>(sql: string, ...values: SQLInputValue[]) => statement(sql).get(...values) as T | undefined,
    all: <T>(sql: string, ...values: SQLInputValue[]) => statement(sql).all(...values) as T[],
    transaction(work) {
      db.exec('begin immediate');
      try {
        const result = work();
        db.exec('commit');
        return result;
      } catch (error) {
        db.exec('rollback');
        throw error;
      }
    },
    close: () => db.close(),
  };
}

/** The value of a setting, made once and kept from then on: signing keys, cookie keys. */
export function setting(store: Store, name: string, make: () => string): string {
  const row = store.one<{ value: string }>('select value from setting where name = ?', name);
  if (row !== undefined) return row.value;
  const value = make();
  store.run('insert into setting (name, value) values (?, ?)', name, value);
  return value;
}

-- What workflows remember: tables of rows, and references between our records and those of other apps.

create table data_table (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  -- null: of the whole environment; else private to this account
  linked_account_id text references linked_account on delete cascade,
  -- not persistent: gone after this execution
  execution_id text,
  name text not null,
  -- [{name, encrypted}], in order
  columns jsonb not null check (jsonb_typeof(columns) = 'array'),
  group_name text,
  record_count integer not null default 0 check (record_count >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
create unique index data_table_name
  on data_table (org_id, environment, coalesce(linked_account_id, ''), coalesce(execution_id, ''), name)
  where deleted_at is null;
create index data_table_execution on data_table (execution_id) where execution_id is not null;

create table data_record (
  table_id text not null references data_table on delete cascade,
  id uuid not null,
  org_id text not null,
  environment text not null,
  -- order of arrival
  seq bigint generated always as identity,
  -- {column: text, number or null}; the encrypted columns are in the sealed object
  fields jsonb not null,
  fields_sealed bytea,
  primary key (table_id, id)
);
create index on data_record (table_id, seq);

create table data_ref (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  linked_account_id text not null references linked_account on delete cascade,
  name text not null,
  group_name text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, linked_account_id, name)
);

create table data_ref_entry (
  ref_id text not null references data_ref on delete cascade,
  org_id text not null,
  environment text not null,
  record_id text not null,
  -- the app that knows the record by `external_id`
  slug text not null,
  external_id text not null,
  primary key (ref_id, record_id, slug)
);
create index on data_ref_entry (ref_id, external_id);

do $$
declare t text;
begin
  foreach t in array array['data_table', 'data_record', 'data_ref', 'data_ref_entry']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

-- Files that workflows make and receive, in chunks, so that every process can write and read them with bounded
-- memory; and how an environment sends mail.

create table stored_file (
  id text collate "C" not null primary key,
  org_id text not null,
  environment text not null,
  -- whose workflow made it; null: the organisation's own
  linked_account_id text,
  name text not null,
  content_type text not null,
  -- final once completed_at is set; until then nobody can read the file
  size bigint not null default 0,
  -- SHA-256 of the content
  sha256 bytea,
  -- stays the same over attempts of the node that writes it: the last attempt's file replaces an earlier one
  write_key text,
  -- null: kept until it is deleted
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  completed_at timestamptz,
  check ((completed_at is null) = (sha256 is null))
);
create index stored_file_name on stored_file (org_id, environment, linked_account_id, name);
create index stored_file_usage on stored_file (org_id, environment) include (size);
create unique index stored_file_write on stored_file (org_id, environment, write_key) where completed_at is not null;
create index stored_file_expiry on stored_file (expires_at) where expires_at is not null;
create index stored_file_unfinished on stored_file (created_at) where completed_at is null;

-- All chunks of a file but the last are of one size (files/store), so a range is found by arithmetic.
create table stored_file_chunk (
  file_id text collate "C" not null references stored_file (id) on delete cascade,
  seq integer not null,
  org_id text not null,
  environment text not null,
  bytes bytea not null,
  primary key (file_id, seq)
);
-- Most files are compressed already: trying again would only cost time.
alter table stored_file_chunk alter column bytes set storage external;

create table mail_setting (
  org_id text not null references organization (id) on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  host text not null,
  port integer not null,
  -- tls: from the first byte; starttls: asked for before anything is said; none: in clear
  security text not null check (security in ('tls', 'starttls', 'none')),
  username text,
  password_sealed bytea,
  -- used by a node that names no sender
  default_from text,
  updated_at timestamptz not null default now(),
  primary key (org_id, environment)
);

do $$
declare t text;
begin
  foreach t in array array['stored_file', 'stored_file_chunk', 'mail_setting']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

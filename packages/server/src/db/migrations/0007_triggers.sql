-- What starts workflows by time: schedules, polls of apps, and the windows of incremental syncs.
--
-- Every timer is a row with the time at which it wants attention next. A scheduler takes due rows with
-- `for update skip locked`, so any number of processes may look at once, and what a row starts commits together
-- with the row's new state.

-- The trigger of the published version, as its start node declares it, with the node's id; null while nothing is
-- published. Firing compares against it, so what an older version declared never fires.
alter table workflow add column trigger jsonb;
create index workflow_timed on workflow (id) where trigger_kind in ('schedule', 'polling');

create table schedule (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  linked_account_id text not null references linked_account on delete cascade,
  config_id text not null,
  -- One of the two: a workflow, or whatever workflow of the app has this alias when it fires.
  workflow_id text references workflow on delete cascade,
  workflow_alias text,
  app_slug text,
  -- false: derived from a published start node for an account that has the workflow switched on
  is_by_api boolean not null,
  -- when it fires, as it was written (domain/schedule-spec reads it)
  declared jsonb not null,
  payload json,
  is_paused boolean not null default false,
  inactive_from timestamptz,
  -- the occurrence that comes next; null with a next_at: not worked out yet
  due_at timestamptz,
  -- when a scheduler looks at the row: due_at and the jitter of the account; null: there is no further occurrence
  next_at timestamptz,
  -- why it could not fire the last time
  last_error text,
  failures integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((workflow_id is null) <> (workflow_alias is null))
);
create unique index schedule_derived on schedule (workflow_id, linked_account_id, config_id) where not is_by_api;
create index schedule_due on schedule (next_at) where next_at is not null and not is_paused;
create index on schedule (org_id, environment, linked_account_id, id desc);
create index on schedule (org_id, environment, id desc);
create index on schedule (workflow_id);

-- One occurrence of a schedule, at most once whoever fires it. Kept for a week.
create table schedule_tick (
  schedule_id text not null references schedule on delete cascade,
  due_at timestamptz not null,
  org_id text not null,
  environment text not null,
  -- null: nothing was started, and `reason` says why
  execution_id text,
  reason text,
  at timestamptz not null,
  primary key (schedule_id, due_at),
  check ((execution_id is null) = (reason is not null))
);
create index on schedule_tick (at);

-- A polling trigger that the organisation made for an app: any endpoint that lists records.
create table custom_poll (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  app_slug text not null,
  name text not null,
  -- the request, where the rows are, how they page and what tells them apart (domain/custom-poll reads it)
  definition jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, app_slug, name)
);

-- The state of one poll: a published workflow for one account that has it switched on.
create table poll (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  workflow_id text not null references workflow on delete cascade,
  linked_account_id text not null references linked_account on delete cascade,
  config_id text not null,
  -- of the start node: it stays the same over versions, and with it the cursor
  node_id text not null,
  -- what the cursor belongs to: app, trigger and parameters. Another one begins anew.
  target text,
  -- false: the workflow is not published at the moment; the cursor waits
  is_active boolean not null,
  -- records before this time have been seen; null: there was no first poll yet
  cursor_at timestamptz,
  next_at timestamptz not null,
  -- the poll that is on its way, while its lease lasts: only it may write the outcome
  claim text,
  last_checked_at timestamptz,
  -- records that the last successful poll started executions for, and since the beginning
  last_new integer not null default 0,
  total_new bigint not null default 0,
  last_error text,
  -- the account must authorize again: looked at seldom until it has
  needs_reauth boolean not null default false,
  failures integer not null default 0,
  created_at timestamptz not null default now(),
  unique (workflow_id, linked_account_id, config_id, node_id)
);
create index poll_due on poll (next_at) where is_active;
create index on poll (org_id, environment, linked_account_id);

-- Versions of records that a poll has listed, by hash, as long as they may be listed again.
create table poll_seen (
  poll_id text not null references poll on delete cascade,
  record_hash bytea not null,
  org_id text not null,
  environment text not null,
  listed_at timestamptz not null,
  primary key (poll_id, record_hash)
);

-- One window of an incremental sync (spec: "delta ledger"), by the execution and node that read it.
create table sync_window (
  execution_id text not null,
  node_id text not null,
  batch text not null default '',
  org_id text not null,
  environment text not null,
  linked_account_id text not null,
  workflow_id text not null,
  config_id text not null,
  from_at timestamptz not null,
  to_at timestamptz not null,
  -- open: its execution has not ended. kept: the next window begins at its end. dropped: its execution failed.
  state text not null default 'open' check (state in ('open', 'kept', 'dropped')),
  created_at timestamptz not null default now(),
  primary key (execution_id, node_id, batch)
);
create index sync_window_chain on sync_window
  (org_id, environment, linked_account_id, workflow_id, config_id, node_id, to_at desc);
create index sync_window_open on sync_window (created_at) where state = 'open';

do $$
declare t text;
begin
  foreach t in array array['schedule', 'schedule_tick', 'custom_poll', 'poll', 'poll_seen', 'sync_window']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

-- What went wrong and waits for somebody.

-- Where caught failures are kept for repair.
create table recovery_queue (
  id text collate "C" primary key,
  org_id text not null,
  environment text not null check (environment in ('test', 'production')),
  name text not null,
  -- null: workflows of any app may use it
  app_slug text,
  -- [{"name", "label"}]
  columns json not null default '[]',
  -- re-runs records of the queue
  resolution_workflow_id text,
  -- the queue of calls of which nobody knows whether they arrived
  is_built_in boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, name)
);
create unique index recovery_queue_built_in on recovery_queue (org_id, environment) where is_built_in;

-- Values are as people may see them. They stand in the row, not in `blob`, which goes with the log of executions:
-- a record is kept until somebody has dealt with it.
create table recovery_record (
  id text collate "C" primary key,
  org_id text not null,
  environment text not null,
  queue_id text not null references recovery_queue (id) on delete cascade,
  dedup_key text not null,
  status text not null default 'open' check (status in ('open', 'resolving', 'resolved', 'discarded')),
  -- how often the same failure came in while the record was open
  seen integer not null default 1,
  workflow_id text not null,
  workflow_version integer,
  execution_id text not null,
  root_execution_id text not null,
  linked_account_id text not null,
  account_id text not null,
  config_id text not null,
  app_slug text,
  batch text not null default '',
  failed_node_id text not null,
  failed_node_name text not null,
  error_class text not null,
  error_message text not null,
  column_values json not null default '{}',
  payload json not null default 'null',
  -- what masking took out of payload and columns
  secrets_sealed bytea,
  -- written by people, read by the resolution workflow
  context json not null default '{}',
  attempts integer not null default 0,
  resolving_execution_id text,
  -- `seen` when the resolution began: what came in later is not resolved by it
  resolving_seen integer,
  resolution text check (resolution in ('workflow', 'by_hand', 'arrived', 'sent_again')),
  -- what somebody said that the call had answered; retries of the execution take it for the outcome of the node
  given_sealed bytea,
  last_error text,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  ended_at timestamptz
);
create unique index recovery_record_open on recovery_record (queue_id, dedup_key)
  where status in ('open', 'resolving');
create index recovery_record_list on recovery_record (org_id, environment, queue_id, id desc);
create index recovery_record_all on recovery_record (org_id, environment, id desc);
-- what somebody looks for first, and the numbers beside the queues
create index recovery_record_waiting on recovery_record (org_id, environment, queue_id, id)
  where status in ('open', 'resolving');
create index recovery_record_given on recovery_record (execution_id) where given_sealed is not null;
create index recovery_record_ended on recovery_record (ended_at) where ended_at is not null;

-- A node that runs again after its worker died brings the same failure a second time.
create table recovery_arrival (
  org_id text not null,
  environment text not null,
  key text not null,
  record_id text not null references recovery_record (id) on delete cascade,
  -- of the node; when it has ended, nothing of it comes in again
  execution_id text not null,
  primary key (org_id, environment, key)
);
create index on recovery_arrival (record_id);

-- the record that the execution is to resolve
alter table execution add column recovery_record_id text;

-- Whatever ends a resolution, and wherever the code for it stands, settles its record in the same transaction.
create function inlay_settle_recovery() returns trigger
  language plpgsql as $$
declare
  is_resolved boolean;
begin
  select new.state = 'completed' and r.seen = r.resolving_seen into is_resolved from recovery_record r
  where r.id = new.recovery_record_id and r.org_id = new.org_id and r.environment = new.environment
    and r.resolving_execution_id = new.id and r.status = 'resolving'
  for update;
  if not found then
    return null;
  end if;
  update recovery_record r set
    status = case when is_resolved then 'resolved' else 'open' end,
    resolution = case when is_resolved then case when new.retry_of is null then 'workflow' else 'sent_again' end end,
    ended_at = case when is_resolved then new.finished_at end,
    last_error = case when is_resolved then null when new.state = 'completed' then r.error_message
      else coalesce(new.error_text, new.state) end,
    resolving_seen = null
  where r.id = new.recovery_record_id;
  return null;
end $$;

create trigger execution_settles_recovery after update of finished_at on execution
  for each row
  when (new.recovery_record_id is not null and new.finished_at is not null and old.finished_at is null)
  execute function inlay_settle_recovery();

do $$
declare t text;
begin
  foreach t in array array['recovery_queue', 'recovery_record', 'recovery_arrival']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

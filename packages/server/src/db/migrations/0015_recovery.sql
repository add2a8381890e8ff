-- What went wrong and waits for somebody, and who is told of it.

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
  last_error text,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  ended_at timestamptz
);
create unique index recovery_record_open on recovery_record (queue_id, dedup_key)
  where status in ('open', 'resolving');
create index recovery_record_list on recovery_record (org_id, environment, queue_id, id desc);

-- A node that runs again after its worker died brings the same failure a second time.
create table recovery_arrival (
  org_id text not null,
  environment text not null,
  key text not null,
  record_id text not null references recovery_record (id) on delete cascade,
  primary key (org_id, environment, key)
);
create index on recovery_arrival (record_id);

-- the record that the execution is to resolve
alter table execution add column recovery_record_id text;

-- Whatever ends a resolution, and wherever the code for it stands, settles its record in the same transaction.
create function inlay_settle_recovery() returns trigger
  language plpgsql as $$
begin
  update recovery_record r set
    status = case when new.state = 'completed' and r.seen = r.resolving_seen then 'resolved' else 'open' end,
    resolution = case when new.state = 'completed' and r.seen = r.resolving_seen then 'workflow' end,
    ended_at = case when new.state = 'completed' and r.seen = r.resolving_seen then new.finished_at end,
    last_error = case when new.state = 'completed' then null else coalesce(new.error_text, new.state) end,
    resolving_seen = null
  where r.id = new.recovery_record_id and r.org_id = new.org_id and r.environment = new.environment
    and r.resolving_execution_id = new.id and r.status = 'resolving';
  return null;
end $$;

create trigger execution_settles_recovery after update of finished_at on execution
  for each row
  when (new.recovery_record_id is not null and new.finished_at is not null and old.finished_at is null)
  execute function inlay_settle_recovery();

-- Whom to tell of what.
create table alert_rule (
  id text collate "C" primary key,
  org_id text not null,
  environment text not null check (environment in ('test', 'production')),
  name text not null,
  is_enabled boolean not null default true,
  watches text not null check (watches in ('executions', 'failure_rate', 'no_run', 'connection_expired')),
  -- of executions: the ends that are told
  states text[] not null default '{}',
  -- null: all
  app_slug text,
  workflow_ids text[],
  window_minutes integer,
  threshold_percent integer,
  least_runs integer,
  channel text not null check (channel in ('webhook', 'email')),
  url text,
  headers_sealed bytea,
  recipients text[] not null default '{}',
  -- of failure_rate and no_run: told once, until it is well again
  is_firing boolean not null default false,
  watched_since timestamptz not null,
  next_check_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((channel = 'webhook') = (url is not null))
);
create index alert_rule_tenant on alert_rule (org_id, environment);
create index alert_rule_due on alert_rule (next_check_at) where next_check_at is not null and is_enabled;

-- Outbox: written in the transaction in which the thing happened, only ever inserted there, so that nothing that
-- ends executions waits for anybody. A dispatcher takes rows out and makes deliveries of them in one transaction.
create table alert_event (
  id bigint generated always as identity primary key,
  org_id text not null,
  environment text not null,
  rule_id text not null,
  event text not null,
  execution_id text,
  connection_id text,
  detail json not null default '{}',
  at timestamptz not null
);

create table webhook_delivery (
  id text collate "C" primary key,
  org_id text not null,
  environment text not null,
  rule_id text not null references alert_rule (id) on delete cascade,
  channel text not null check (channel in ('webhook', 'email')),
  event text not null,
  execution_id text,
  -- the request body, the same for every attempt; of mail: its lines
  body text not null,
  -- events in it
  count integer not null default 1,
  status text not null default 'pending' check (status in ('pending', 'sent', 'failed')),
  attempts smallint not null default 0,
  -- when to send; while it is being sent, when somebody else may
  next_at timestamptz,
  response_status integer,
  last_error text,
  created_at timestamptz not null,
  ended_at timestamptz,
  check ((status = 'pending') = (next_at is not null))
);
create index webhook_delivery_due on webhook_delivery (next_at) where next_at is not null;
create index webhook_delivery_list on webhook_delivery (org_id, environment, rule_id, id desc);
-- the one mail of a rule that still takes lines
create unique index webhook_delivery_gathering on webhook_delivery (rule_id)
  where channel = 'email' and status = 'pending' and attempts = 0;

do $$
declare t text;
begin
  foreach t in array array['recovery_queue', 'recovery_record', 'recovery_arrival', 'alert_rule', 'alert_event', 'webhook_delivery']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

create function inlay_alert_of_execution() returns trigger
  language plpgsql as $$
begin
  insert into alert_event (org_id, environment, rule_id, event, execution_id, at)
  select r.org_id, r.environment, r.id, 'execution_' || new.state, new.id, new.finished_at
  from alert_rule r
  where r.org_id = new.org_id and r.environment = new.environment and r.is_enabled and r.watches = 'executions'
    and new.state = any(r.states)
    and (r.app_slug is null or r.app_slug = new.app_slug)
    and (r.workflow_ids is null or new.workflow_id = any(r.workflow_ids));
  return null;
end $$;

-- Tests of drafts and sub-flows that are no runs of their own are nobody's alarm.
create trigger execution_alerts after update of finished_at on execution
  for each row
  when (new.finished_at is not null and old.finished_at is null and new.state in ('errored', 'stopped', 'timed_out')
    and new.is_listed and new.workflow_version is not null)
  execute function inlay_alert_of_execution();

create function inlay_alert_of_connection() returns trigger
  language plpgsql as $$
begin
  insert into alert_event (org_id, environment, rule_id, event, connection_id, at)
  select r.org_id, r.environment, r.id, 'connection_expired', new.id, coalesce(new.expired_at, now())
  from alert_rule r
  where r.org_id = new.org_id and r.environment = new.environment and r.is_enabled
    and r.watches = 'connection_expired' and (r.app_slug is null or r.app_slug = new.app_slug);
  return null;
end $$;

create trigger connection_alerts after update of status on connection
  for each row
  when (new.status = 'expired' and old.status <> 'expired')
  execute function inlay_alert_of_connection();

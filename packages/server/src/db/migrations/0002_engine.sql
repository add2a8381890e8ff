-- The engine: executions, the journal of what their nodes did, workers with their leases, and the durable inbox.
--
-- execution, journal and inbox grow with traffic: they are partitioned by time over their time-ordered id, a week
-- each, made ahead and dropped whole at the end of retention. They have no foreign keys: a key check would lock
-- the one row of a busy linked account on every insert, and dropping a partition must not wait for anybody.
-- Ids are compared bytewise (collate "C"), which is their time order.

create table worker (
  -- new at every start and after every lost lease, so that it is the fencing token as well
  id text primary key,
  started_at timestamptz not null default now(),
  -- written once a second by the worker, judged by the database's clock only
  heartbeat_at timestamptz not null default now(),
  -- Set to false once and never back. Every flush of the worker locks this row (for key share) and requires it
  -- alive, so that after the row is dead nothing of that worker is ever written again. A heartbeat leaves the key
  -- alone and passes these locks; declaring the worker dead takes the row `for update` and waits for them.
  is_alive boolean not null default true,
  -- it shut down by its own wish: nothing speaks against the runs that it left
  is_retired boolean not null default false
) with (fillfactor = 20);

create table execution (
  id text collate "C" not null,
  org_id text not null,
  environment text not null check (environment in ('test', 'production')),
  workflow_id text not null,
  -- the published version it runs to its end; null: the document below
  workflow_version integer,
  -- only for a test run of a draft
  document json,
  linked_account_id text not null,
  -- the customer's own id, kept so that the log outlives the linked account
  account_id text not null,
  config_id text not null,
  app_slug text,
  source text not null check (source in ('event', 'schedule', 'api_call')),
  trigger_event text,
  mode text not null check (mode in ('sync', 'async')),
  state text not null check (state in
    ('queued', 'running', 'waiting', 'completed', 'errored', 'stopped', 'timed_out', 'terminated')),
  -- the worker that runs it; null while queued, waiting or finished
  owner text,
  stop_requested_at timestamptz,
  timeout_s integer not null,
  -- timeout_s after the first claim, moved on by the time spent suspended; null: not begun
  deadline_at timestamptz,
  instance_tag text,
  rerun_of text,
  -- what the Response node said and which node ended it: values stay in the journal
  response_node_id text,
  status_code integer,
  failed_node_id text,
  error_text text,
  node_count integer not null default 0,
  finished_node_count integer not null default 0,
  -- workers that were lost while they ran it
  lost_count smallint not null default 0,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  primary key (id),
  check ((state = 'running') = (owner is not null))
) partition by range (id);

create index execution_account on execution (org_id, environment, linked_account_id, id desc);
create index execution_environment on execution (org_id, environment, id desc);
-- the live ones: freed when their worker dies, counted for the caps and the depth of the queue
create index execution_owner on execution (owner) where owner is not null;
create index execution_queued on execution (org_id, environment, linked_account_id) where state = 'queued';

-- One row a step, in order, never changed. `start` is written before a call to the outside, `outcome` after it.
-- Values are json, not jsonb: a provider's text may hold U+0000, which jsonb refuses, and nothing looks inside.
-- Row-level security stays on here too: 100,000 rows in one insert take 0.46 s with it and 0.42 s without.
create table journal (
  execution_id text collate "C" not null,
  seq integer not null,
  org_id text not null,
  environment text not null,
  node_id text not null,
  batch integer not null default 0,
  attempt smallint not null default 1,
  kind text not null check (kind in ('start', 'outcome')),
  -- of an outcome; `retrying` means that another attempt follows
  status text check (status in
    ('success', 'errored', 'errored_and_skipped', 'rejected', 'stopped', 'timed_out', 'retrying')),
  -- the edge that was taken
  port text,
  status_code integer,
  duration_ms integer,
  -- settings after templating; a value above 32 KiB is in blob, under its hash
  input json,
  input_blob bytea,
  output json,
  output_blob bytea,
  -- {message, status?, body?}
  error json,
  console json,
  retry_at timestamptz,
  at timestamptz not null,
  primary key (execution_id, seq),
  check (kind = 'start' or status is not null)
) partition by range (execution_id);

-- A value too large for a row, once per tenant whatever the number of places that hold it.
create table blob (
  org_id text not null,
  environment text not null,
  -- SHA-256 of content
  hash bytea not null,
  content text not null,
  -- day of the last write that referred to it: kept at least as long as the executions of that day
  used_on date not null default current_date,
  primary key (org_id, environment, hash)
);
create index on blob (used_on);

-- Why an execution is suspended: until a time, or until somebody presents a token. It occupies no worker.
create table wait (
  execution_id text collate "C" not null,
  node_id text not null,
  batch integer not null default 0,
  org_id text not null,
  environment text not null,
  reason text not null check (reason in ('retry', 'delay', 'webhook', 'human_task')),
  due_at timestamptz,
  token_hash bytea unique,
  created_at timestamptz not null default now(),
  primary key (execution_id, node_id, batch),
  check (due_at is not null or token_hash is not null)
);

-- Everything that came in and started (or could have started) executions; written in the transaction that answers.
create table inbox (
  id text collate "C" not null,
  org_id text not null,
  environment text not null,
  event text not null,
  linked_account_id text not null,
  config_id text not null,
  app_slug text,
  payload json,
  payload_blob bytea,
  is_duplicate boolean not null default false,
  execution_count integer not null default 0,
  received_at timestamptz not null,
  primary key (id)
) partition by range (id);
create index on inbox (org_id, environment, linked_account_id, id desc);

-- A key seen inside its window. The row itself is the lock that makes two deliveries one.
create table inbox_key (
  org_id text not null,
  environment text not null,
  -- what the key belongs to: an event of an account, or a workflow
  scope text not null,
  key text not null,
  expires_at timestamptz not null,
  primary key (org_id, environment, scope, key)
);
create index on inbox_key (expires_at);

do $$
declare t text;
begin
  foreach t in array array['execution', 'journal', 'blob', 'wait', 'inbox', 'inbox_key']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

-- The smallest id of a moment: same rule as idFloor in domain/ids.
create function inlay_id_floor(at timestamptz) returns text
  language sql immutable parallel safe
  return lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '000000000000';

-- Makes the weekly partitions from the week of `first_day` on. Idempotent; called at every start and once a day.
create function inlay_make_partitions(first_day timestamptz, weeks integer) returns void
  language plpgsql as $$
declare
  t text;
  week timestamptz := date_trunc('week', first_day at time zone 'UTC') at time zone 'UTC';
  name text;
begin
  perform pg_advisory_xact_lock(hashtext('inlay_partitions'));
  for i in 0 .. weeks - 1 loop
    foreach t in array array['execution', 'journal', 'inbox'] loop
      name := t || '_' || to_char((week + i * interval '7 days') at time zone 'UTC', 'IYYY"w"IW');
      if to_regclass(name) is null then
        execute format('create table %I partition of %I for values from (%L) to (%L)', name, t,
          inlay_id_floor(week + i * interval '7 days'), inlay_id_floor(week + (i + 1) * interval '7 days'));
      end if;
    end loop;
  end loop;
end $$;

-- Drops the weeks that ended before `before`, and the blobs that nothing younger refers to.
create function inlay_drop_partitions(before timestamptz) returns integer
  language plpgsql as $$
declare
  child record;
  dropped integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('inlay_partitions'));
  for child in
    select c.relname as name, substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''([0-9a-f]{24})''\)') as upper
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent in ('execution'::regclass, 'journal'::regclass, 'inbox'::regclass)
  loop
    if child.upper collate "C" <= inlay_id_floor(before) collate "C" then
      execute format('drop table %I', child.name);
      dropped := dropped + 1;
    end if;
  end loop;
  delete from blob where used_on < before::date - 7;
  return dropped;
end $$;

-- Ids from a clock that is far off land here instead of failing.
create table execution_other partition of execution default;
create table journal_other partition of journal default;
create table inbox_other partition of inbox default;
select inlay_make_partitions(now(), 5);

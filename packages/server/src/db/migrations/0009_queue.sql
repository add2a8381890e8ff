-- The queue of executions that wait for a worker, and how many may run at the same time.

-- What the workflow's version said when the execution began; null: its workflow has no limit of its own.
alter table execution
  add column concurrency_key text,
  add column concurrency_limit integer,
  add column concurrency_overflow text check (concurrency_overflow in ('queue', 'drop', 'replace')),
  -- its place in the limit stays taken while it is suspended
  add column holds_while_waiting boolean not null default false,
  -- bytes of JSON that triggered it: what a worker takes into memory with it
  add column payload_bytes integer not null default 0,
  add check ((concurrency_key is null) = (concurrency_limit is null));

-- The live ones of an account: the depth of its queue, and what it runs. Both are counted, never kept in a counter.
drop index execution_queued;
create index execution_live on execution (org_id, environment, linked_account_id, state)
  where state in ('queued', 'running');
create index execution_concurrency on execution (concurrency_key)
  where concurrency_key is not null and finished_at is null;

-- Executions of one linked account that may run at the same time; null: as many as there is room for.
alter table linked_account add column running_limit integer check (running_limit > 0);
create table environment_limit (
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  -- for every account that has no number of its own
  running_limit integer check (running_limit > 0),
  primary key (org_id, environment)
);

-- One row a waiting execution, deleted when a worker takes it. A line is what gets its turn: a linked account, or
-- what an account has queued for one workflow with a limit. The key is the only index: a claim leaps from line to
-- line through it and reads the oldest of each, so it costs what it takes and not what is queued.
create table queue (
  line text collate "C" not null,
  execution_id text collate "C" not null,
  org_id text not null,
  environment text not null,
  linked_account_id text not null,
  concurrency_key text,
  concurrency_limit integer,
  concurrency_overflow text,
  bytes integer not null,
  queued_at timestamptz not null default clock_timestamp(),
  primary key (line, execution_id)
)
-- All of it dies soon: swept by number, not by share, and without pauses.
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);

-- Those that nobody may have before their time.
create table queue_delayed (
  execution_id text collate "C" primary key,
  org_id text not null,
  environment text not null,
  due_at timestamptz not null
);
create index on queue_delayed (due_at);

do $$
declare t text;
begin
  foreach t in array array['environment_limit', 'queue', 'queue_delayed']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

-- Who a worker is, for its operator.
alter table worker
  add column role text not null default 'all',
  add column host text not null default '',
  add column pid integer not null default 0,
  -- executions that it runs at the same time; 0: it claims none
  add column slots integer not null default 0;

-- What waited in the queue before this one.
insert into queue (line, execution_id, org_id, environment, linked_account_id, bytes)
  select linked_account_id, id, org_id, environment, linked_account_id, 0 from execution where state = 'queued';
drop schema if exists inlay_queue cascade;

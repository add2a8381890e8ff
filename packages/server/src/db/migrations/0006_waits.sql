-- breaking
-- Suspension: why an execution is out of memory, what brings it back, and which execution waits for which.
--
-- A wait is a level, not an edge: a row with something to wake it for stays visible to the waker until its execution
-- has been queued, so it does not matter whether that came before, after or while the execution was suspended.
-- Who holds the lock of a wait never asks for one of an execution; the other way round is the order of everybody.

alter table execution
  -- since when it is `waiting`: that time does not count against its deadline
  add column suspended_at timestamptz,
  add column parent_execution_id text,
  add column parent_node_id text,
  add column parent_batch text,
  -- the first of its line of sub-flows; null: it is that first one itself
  add column root_execution_id text,
  add column depth smallint not null default 0,
  -- a sub-flow is in lists only when its parent's workflow wants it there
  add column is_listed boolean not null default true;

-- a week is not dropped while one of these is in it
create index execution_waiting on execution (org_id, environment, id) where state = 'waiting';

-- Rows of the older form say nothing that the journal and the job of the execution do not say as well.
drop table wait;
create table wait (
  -- new each time a node suspends
  id text collate "C" primary key,
  execution_id text collate "C" not null,
  node_id text not null,
  batch text not null default '',
  attempt smallint not null,
  org_id text not null,
  environment text not null,
  reason text not null check (reason in ('retry', 'delay', 'webhook', 'human_task', 'sub_flow')),
  -- Everything that waits has a deadline; that of a delay is its purpose.
  due_at timestamptz not null,
  -- SHA-256: whoever presents the token resumes the execution
  token_hash bytea unique,
  -- the execution whose end resumes this one
  child_execution_id text,
  -- what the node wants to have back
  state json,
  -- Set once; the first of them wins.
  woken_by text check (woken_by in ('due', 'token', 'child')),
  -- what came with the token; it may hold secrets
  payload_sealed bytea,
  -- from when on the waker cares: due_at, or at once when woken; null: the execution has been told
  wake_at timestamptz,
  created_at timestamptz not null,
  unique (execution_id, node_id, batch)
);
create index wait_wake on wait (wake_at) where wake_at is not null;
create index wait_child on wait (child_execution_id) where child_execution_id is not null;

-- Which child a node started. The key makes a node that is run again find the child instead of starting a second one.
create table child_execution (
  parent_execution_id text collate "C" not null,
  node_id text not null,
  batch text not null default '',
  org_id text not null,
  environment text not null,
  child_execution_id text not null,
  primary key (parent_execution_id, node_id, batch)
);

-- A call that came before the node waited for it. The waker brings the two together.
create table wait_arrival (
  execution_id text collate "C" not null,
  node_id text not null,
  org_id text not null,
  environment text not null,
  payload_sealed bytea not null,
  received_at timestamptz not null default now(),
  primary key (execution_id, node_id)
);

do $$
declare t text;
begin
  foreach t in array array['wait', 'child_execution', 'wait_arrival']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

-- Whatever ends a child, and wherever the code for it stands, wakes its parent in the same transaction.
create function inlay_wake_parent() returns trigger
  language plpgsql as $$
begin
  update wait set woken_by = 'child', wake_at = '-infinity'
  where child_execution_id = new.id and woken_by is null;
  return null;
end $$;

create trigger execution_wakes_parent after update of finished_at on execution
  for each row
  when (new.parent_execution_id is not null and new.finished_at is not null and old.finished_at is null)
  execute function inlay_wake_parent();

-- As before, but nothing of an execution that still lives is dropped: it may wait for longer than logs are kept.
create or replace function inlay_drop_partitions(before timestamptz) returns integer
  language plpgsql as $$
declare
  child record;
  is_alive boolean;
  dropped integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('inlay_partitions'));
  for child in
    select c.relname as name, substring(pg_get_expr(c.relpartbound, c.oid) from 'FROM \(''([0-9a-f]{24})''\)') as lower,
      substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''([0-9a-f]{24})''\)') as upper
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent in ('journal'::regclass, 'inbox'::regclass, 'execution'::regclass)
    order by i.inhparent = 'execution'::regclass
  loop
    continue when child.upper is null or child.upper collate "C" > inlay_id_floor(before) collate "C";
    select exists (select from execution e
      where e.id >= child.lower and e.id < child.upper and e.state in ('queued', 'running', 'waiting')) into is_alive;
    continue when is_alive;
    execute format('drop table %I', child.name);
    dropped := dropped + 1;
  end loop;
  delete from blob b where b.used_on < before::date - 7
    and not exists (select from execution e
      where e.org_id = b.org_id and e.environment = b.environment and e.id < inlay_id_floor(before)
        and e.state in ('queued', 'running', 'waiting'));
  delete from child_execution where parent_execution_id < inlay_id_floor(before)
    and not exists (select from execution e where e.id = parent_execution_id);
  return dropped;
end $$;

-- A node that waited for 30 days took longer than an integer counts in milliseconds.
alter table journal alter column duration_ms type bigint;

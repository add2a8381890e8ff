-- breaking
-- How long logs are kept; who may only look at workflows, who published them, and where they come from.

alter table organization
  -- days; null: as the installation says
  add column log_retention_days integer check (log_retention_days between 1 and 3650);

-- Old logs are now dropped and deleted in steps, one short transaction each (db/retention).
drop function inlay_drop_partitions(timestamptz);

drop index blob_used_on_idx;
create index blob_age on blob (org_id, environment, used_on);
-- Of whom an execution is a child, retries of its parent included.
create index child_execution_child on child_execution (child_execution_id);

-- What stays of a span of executions although its time is over: those that live, and the children of living parents,
-- which may still ask what became of them.
create function inlay_kept_executions(from_id text, to_id text) returns setof text
  language sql stable
  as $$
    select id from execution where id >= from_id and id < to_id and state in ('queued', 'running')
    union
    select id from execution where id >= from_id and id < to_id and state = 'waiting'
    union
    select c.child_execution_id from child_execution c join execution p on p.id = c.parent_execution_id
    where c.child_execution_id >= from_id and c.child_execution_id < to_id and p.finished_at is null
  $$;

-- Drops one week of the logs whole. What has to stay moves to the default partitions, so that one execution that waits
-- does not hold on to a week; false: that would be more than `most` executions, and nothing was done.
-- The lock that this takes would stop everybody who comes after it, so it is not waited for: while somebody reads the
-- tables for long (a dump), this fails and is tried again an hour later. Half a second is less than deadlock_timeout:
-- it is this transaction that gives way.
create function inlay_drop_week(from_id text, to_id text, most integer) returns boolean
  language plpgsql
  set lock_timeout = '500ms'
  -- what has to stay is little and found by indexes, also where statistics are missing
  set enable_seqscan = off
  as $$
  declare
    part record;
    kept text[];
  begin
    perform pg_advisory_xact_lock(hashtext('inlay_partitions'));
    select count(*) as many into part from (select inlay_kept_executions(from_id, to_id) limit most + 1) few;
    if part.many > most then return false; end if;
    lock table only execution, only journal, only inbox in access exclusive mode;
    kept := array(select inlay_kept_executions(from_id, to_id));
    for part in
      select p.relname as parent, c.relname as name
      from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
      where i.inhparent in ('execution'::regclass, 'journal'::regclass, 'inbox'::regclass)
        and pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES FROM (%L) TO (%L)', from_id, to_id)
    loop
      execute format('alter table %I detach partition %I', part.parent, part.name);
      if part.parent = 'execution' then
        execute format('insert into execution select * from %I where id = any($1)', part.name) using kept;
      elsif part.parent = 'journal' then
        execute format('insert into journal select * from %I where execution_id = any($1)', part.name) using kept;
      end if;
      execute format('drop table %I', part.name);
    end loop;
    return true;
  end $$;

-- Tokens whose time is over are deleted, with the links that open with them.
create index session_token_expired on session_token (expires_at);
create index connect_link_session on connect_link (session_jti);

alter table session_token
  -- may look at workflows, and not change, switch or run them
  add column is_workflow_read_only boolean not null default false;

alter table workflow
  -- the id of the workflow that it was imported from; null: it is the first of its kind
  add column origin_id text;
create unique index workflow_origin on workflow (org_id, environment, coalesce(linked_account_id, ''), origin_id)
  where origin_id is not null;

alter table workflow_version
  -- who published it: {kind: user | api_key | linked_account, id, name}
  add column author jsonb;

alter table data_table
  -- the config for which a workflow made it: what the wire calls a data store of that config
  add column app_slug text,
  add column config_id text;

alter table human_task
  -- what was mailed, so that a person can have it mailed again, and how often that was done
  add column mail_sealed bytea,
  add column resent_count integer not null default 0;

-- Looking for executions among a million: the ones that did not go well, and those of one workflow.

create index execution_failed on execution (org_id, environment, state, id desc)
  where state in ('errored', 'stopped', 'timed_out', 'terminated');
create index execution_workflow on execution (org_id, environment, workflow_id, id desc);


-- Retries: executions that keep what another one has finished.

alter table execution
  -- the execution that it goes on from
  add column retry_of text,
  -- the first of its line of retries, whose id its idempotency keys bear; null: it is that first one itself
  add column retry_root_id text,
  -- rows of its journal up to this number are copies
  add column kept_seq integer;

-- Who repeats a request gets the execution that it made: one for each execution that was to be retried.
create table execution_retry (
  execution_id text collate "C" not null,
  request_id text not null,
  org_id text not null,
  environment text not null,
  retry_id text not null,
  created_at timestamptz not null default now(),
  primary key (execution_id, request_id)
);
create index on execution_retry (created_at);

do $$
declare t text;
begin
  foreach t in array array['execution_retry']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

create index execution_retried on execution (retry_of) where retry_of is not null;
create index execution_rerun on execution (rerun_of) where rerun_of is not null;
create index on execution_retry (org_id, environment, request_id);

-- Errors that are one error: the message without what differs from case to case.

alter table execution
  add column error_hash text,
  -- what the workflow's settings.custom_fields gave when the run ended: {name: text}
  add column custom_field_values jsonb;
create index execution_error on execution (org_id, environment, error_hash, id desc) where error_hash is not null;
create index execution_custom_fields on execution using gin (custom_field_values jsonb_path_ops)
  where custom_field_values is not null;

-- Quoted texts, addresses, ids and numbers are what differs.
create function inlay_error_shape(message text) returns text
  language sql immutable parallel safe
  return btrim(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
    lower(left(message, 2000)),
    '"[^"]*"|`[^`]*`|“[^”]*”|(?<![[:alnum:]])''[^'']*''(?![[:alnum:]])', '?', 'g'),
    '[a-z]+://[^[:space:]]+|[^[:space:]]+@[^[:space:]]+', '?', 'g'),
    '\m[0-9a-z_-]*[0-9][0-9a-z_-]*\M', '#', 'g'),
    '#([.,:]+#)+', '#', 'g'),
    '[[:space:]]+', ' ', 'g'));

create function inlay_note_error() returns trigger
  language plpgsql as $$
begin
  new.error_hash := md5(coalesce(new.app_slug, '') || chr(10) || inlay_error_shape(new.error_text));
  return new;
end $$;

-- Whatever ends an execution as errored: a run, a lost worker, the queue.
create trigger execution_notes_error before update of state on execution
  for each row
  when (new.state = 'errored' and old.state <> 'errored' and new.error_text is not null)
  execute function inlay_note_error();

-- What organisations use, by day. An execution is entered in usage_pending by the transaction that ends it, and the
-- transaction that counts it takes it out again: none is lost and none counts twice.

create table usage_pending (
  execution_id text collate "C" primary key,
  org_id text not null,
  environment text not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

create table usage_day (
  org_id text not null,
  environment text not null,
  -- UTC, of the end of the execution
  day date not null,
  linked_account_id text not null,
  -- the customer's own id, kept so that the count outlives the linked account
  account_id text not null,
  workflow_id text not null,
  completed bigint not null default 0,
  errored bigint not null default 0,
  stopped bigint not null default 0,
  timed_out bigint not null default 0,
  terminated bigint not null default 0,
  node_runs bigint not null default 0,
  app_calls bigint not null default 0,
  code_ms bigint not null default 0,
  bytes_stored bigint not null default 0,
  primary key (org_id, environment, day, linked_account_id, workflow_id)
);

do $$
declare t text;
begin
  foreach t in array array['usage_pending', 'usage_day']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

create function inlay_note_usage() returns trigger
  language plpgsql as $$
begin
  insert into usage_pending values (new.id, new.org_id, new.environment) on conflict do nothing;
  return null;
end $$;

create trigger execution_is_used after update of finished_at on execution
  for each row
  when (new.finished_at is not null and old.finished_at is null)
  execute function inlay_note_usage();

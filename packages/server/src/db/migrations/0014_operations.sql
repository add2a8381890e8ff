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

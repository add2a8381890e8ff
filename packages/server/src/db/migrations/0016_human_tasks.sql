-- Forms that people fill in, while an execution waits for them.
--
-- The row is the truth, the wait only what wakes: it is written before the mail leaves, and a form that is sent in
-- before its node has begun to wait (again) is taken up when it does.

create table human_task (
  -- of our own records; people know the task by its token
  id text collate "C" primary key,
  org_id text not null,
  environment text not null check (environment in ('test', 'production')),
  execution_id text collate "C" not null,
  node_id text not null,
  batch text not null default '',
  -- SHA-256 of the id in the link
  token_hash bytea not null unique,
  title text not null,
  receivers text[] not null,
  status text not null default 'WAITING' check (status in ('WAITING', 'SUBMITTED', 'TIMEOUT')),
  -- What is known of its mail. It leaves `due` once: what was found `sending` by another worker stays `unknown`.
  mail text not null default 'due' check (mail in ('due', 'sending', 'sent', 'unknown', 'failed')),
  -- Values may be secrets of the workflow, or of whoever filled them in.
  form_sealed bytea not null,
  answer_sealed bytea,
  due_at timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (execution_id, node_id, batch)
);
create index human_task_list on human_task (org_id, environment, id);

alter table human_task enable row level security;
alter table human_task force row level security;
create policy tenant on human_task using (inlay_tenant_visible(org_id, environment))
  with check (inlay_tenant_visible(org_id, environment));

-- The share lock makes a form that is being sent in either visible here, or wait until it can see this wait. A lock
-- of a task comes before that of its wait, everywhere.
create function inlay_wake_submitted() returns trigger
  language plpgsql as $$
declare
  task_status text;
begin
  select status into task_status from human_task
    where execution_id = new.execution_id and node_id = new.node_id and batch = new.batch for share;
  if task_status = 'SUBMITTED' then
    new.woken_by := 'token';
    new.wake_at := '-infinity';
  end if;
  return new;
end $$;

create trigger wait_is_submitted before insert on wait
  for each row when (new.reason = 'human_task') execute function inlay_wake_submitted();

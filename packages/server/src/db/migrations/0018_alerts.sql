-- Who is told of what: rules, the outbox of what they listen to, and what was sent.

create table alert_rule (
  id text collate "C" primary key,
  org_id text not null,
  environment text not null check (environment in ('test', 'production')),
  name text not null,
  is_enabled boolean not null default true,
  watches text not null check (watches in ('events', 'failure_rate', 'no_run')),
  -- what it listens to, by the names of the wire: to tell it, or to count it
  events text[] not null,
  -- null: all
  app_slug text,
  workflow_ids text[],
  window_minutes integer,
  threshold_percent integer,
  least_runs integer,
  kind text not null check (kind in ('default', 'slack', 'custom', 'email')),
  -- {url, headers, body}: the address of an incoming webhook is a password as well, and templates hold keys
  target_sealed bytea,
  method text check (method in ('POST', 'PUT', 'PATCH')),
  recipients text[] not null default '{}',
  -- of failure_rate and no_run: it was told and is not well again
  is_firing boolean not null default false,
  watched_since timestamptz not null,
  -- of failure_rate: when a look last found it broken
  broken_at timestamptz,
  -- of no_run
  last_completed_at timestamptz,
  next_check_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((kind = 'email') = (target_sealed is null))
);
create index alert_rule_tenant on alert_rule (org_id, environment);
create index alert_rule_due on alert_rule (next_check_at) where next_check_at is not null and is_enabled;

-- Outbox: written in the transaction in which the thing happened, and only ever inserted there, so that nothing that
-- ends executions waits for anybody. A dispatcher takes rows out and makes deliveries of them in one transaction.
create table alert_event (
  id bigint generated always as identity primary key,
  org_id text not null,
  environment text not null,
  rule_id text not null,
  event text not null,
  execution_id text,
  -- of what is no execution
  detail json,
  at timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- Ends a minute, of failure_rate.
create table alert_count (
  org_id text not null,
  environment text not null,
  rule_id text not null references alert_rule (id) on delete cascade,
  minute timestamptz not null,
  ended integer not null,
  failed integer not null,
  primary key (rule_id, minute)
);
create index on alert_count (minute);

create table webhook_delivery (
  id text collate "C" primary key,
  org_id text not null,
  environment text not null,
  rule_id text not null references alert_rule (id) on delete cascade,
  channel text not null check (channel in ('webhook', 'email')),
  event text not null,
  execution_id text,
  -- what is told, as JSON; of mail: its lines
  content text not null,
  -- events in it
  count integer not null default 1,
  is_test boolean not null default false,
  -- the delivery that somebody had sent again; receivers know both by its id
  repeat_of text,
  status text not null default 'pending' check (status in ('pending', 'sent', 'failed')),
  attempts smallint not null default 0,
  -- when to send; while it is being sent, when somebody else may
  next_at timestamptz,
  -- of the last attempt, as people may see them
  request json,
  response json,
  last_error text,
  created_at timestamptz not null,
  ended_at timestamptz,
  check ((status = 'pending') = (next_at is not null))
);
create index webhook_delivery_due on webhook_delivery (rule_id, next_at) where next_at is not null;
create index webhook_delivery_list on webhook_delivery (org_id, environment, id desc);
create index webhook_delivery_rule on webhook_delivery (rule_id, id desc);
create index webhook_delivery_ended on webhook_delivery (ended_at);
-- the one mail of a rule that still takes lines
create unique index webhook_delivery_gathering on webhook_delivery (rule_id)
  where channel = 'email' and status = 'pending' and attempts = 0 and repeat_of is null;

do $$
declare t text;
begin
  foreach t in array array['alert_rule', 'alert_event', 'alert_count', 'webhook_delivery']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

-- The rules that listen to an event. The planner opens it where it stands: a join by index, or nothing at all.
create function inlay_alert_listeners(of_org text, of_environment text, of_event text, of_app text, of_workflow text)
  returns table (rule_id text)
  language sql stable
begin atomic
  select r.id from alert_rule r
  where r.org_id = of_org and r.environment = of_environment and r.is_enabled and of_event = any(r.events)
    and (r.app_slug is null or r.app_slug = of_app)
    and (r.workflow_ids is null or of_workflow = any(r.workflow_ids));
end;

-- timed_out: Workflow Timed Out
create function inlay_end_event(state text) returns text
  language sql immutable parallel safe
  return 'Workflow ' || initcap(replace(state, '_', ' '));

-- Notes ends of executions, many at once, for every rule that listens. A function of its own keeps its plan: as a
-- part of the statement that ends them it would be planned anew with each of those.
create function inlay_note_ends(ids text[], orgs text[], environments text[], states text[], apps text[],
  workflows text[], ends timestamptz[]) returns void
  language plpgsql strict as $$
begin
  insert into alert_event (org_id, environment, rule_id, event, execution_id, at)
  select e.org_id, e.environment, l.rule_id, inlay_end_event(e.state), e.id, e.at
  from unnest(ids, orgs, environments, states, apps, workflows, ends)
    as e(id, org_id, environment, state, app_slug, workflow_id, at)
  cross join lateral
    inlay_alert_listeners(e.org_id, e.environment, inlay_end_event(e.state), e.app_slug, e.workflow_id) l;
end $$;

create function inlay_note_end() returns trigger
  language plpgsql as $$
begin
  perform inlay_note_ends(array[new.id], array[new.org_id], array[new.environment], array[new.state],
    array[new.app_slug], array[new.workflow_id], array[new.finished_at]);
  return null;
end $$;

-- What a worker runs it ends itself, hundreds in one statement, which notes those ends as well (db/journal-flush):
-- a trigger would cost each of them more than all of it. Every other end is noted here, wherever its code stands:
-- stopped or out of time while nobody ran it, refused by a limit, given up after lost workers. Tests of drafts and
-- sub-flows that are no runs of their own are nobody's news.
create trigger execution_alerts after update of finished_at on execution
  for each row
  when (new.finished_at is not null and old.finished_at is null
    and not (old.state = 'running' and new.lost_count = old.lost_count)
    and new.is_listed and new.workflow_version is not null)
  execute function inlay_note_end();

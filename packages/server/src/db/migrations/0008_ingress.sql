-- Everything that comes in: what may start an execution, besides an organisation's event.

alter table execution drop constraint execution_source_check;
alter table execution add constraint execution_source_check check (source in
  ('event', 'app_event', 'polling', 'webhook', 'schedule', 'api_call', 'sub_flow'));

-- The log of what came in: from where, and what became of it for each workflow that listens:
-- [{workflow_id, outcome: started | duplicate | conditions, execution_id?}].
alter table inbox
  alter column event drop not null,
  add column source text not null default 'event' check (source in ('event', 'app_event', 'webhook', 'api_call')),
  add column results json;
create index on inbox (org_id, environment, id desc);

-- What callers of a workflow's webhook URL prove themselves with. A row never changes: documents and their versions
-- name it by its id, so that a new secret goes live with the version that names it.
create table trigger_secret (
  id text primary key,
  org_id text not null,
  environment text not null,
  workflow_id text not null references workflow on delete cascade,
  secret_sealed bytea not null,
  created_at timestamptz not null default now()
);
create index on trigger_secret (org_id, environment, workflow_id);

-- What makes an app call us about one linked account: a subscription at the provider, derived from the workflows
-- that are published and switched on, or the keys of a hook that a person made there.
create table app_webhook (
  id text primary key,
  org_id text not null,
  environment text not null,
  linked_account_id text not null references linked_account on delete cascade,
  app_slug text not null,
  trigger text not null,
  is_manual boolean not null default false,
  -- some enabled workflow listens
  is_wanted boolean not null,
  -- the subscription at the provider; null: there is none
  provider_id text,
  -- by what a call of the app names this account, where all accounts share one URL
  route_key text,
  secrets_sealed bytea,
  -- when something is to be done next, and how often it failed
  due_at timestamptz,
  attempts integer not null default 0,
  renew_at timestamptz,
  error_text text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, linked_account_id, app_slug, trigger)
);
create index on app_webhook (org_id, environment, app_slug, route_key);
create index on app_webhook (linked_account_id, app_slug);
create index on app_webhook (due_at) where not is_manual;

do $$
declare t text;
begin
  foreach t in array array['trigger_secret', 'app_webhook']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

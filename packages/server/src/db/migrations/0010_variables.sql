-- Environment variables, and what the journal keeps of secrets and of variables of a run.

-- The definition belongs to the organisation, in all of its environments; only values differ.
create table variable_definition (
  id text primary key,
  org_id text not null references organization on delete cascade,
  name text not null,
  description text not null default '',
  -- where its values belong; fixed at creation
  scope text not null check (scope in ('org', 'workspace', 'linked_account', 'workflow')),
  var_format text not null check (var_format in ('string', 'number', 'url')),
  is_encrypted boolean not null default false,
  created_by text,
  updated_by text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- one name may stand in several scopes: the narrowest one that has a value wins
  unique (org_id, scope, name)
);
create index on variable_definition (org_id, created_at, id);

create table variable_value (
  id text primary key,
  definition_id text not null references variable_definition on delete cascade,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  -- set for the scopes of these names, and for those only
  linked_account_id text references linked_account on delete cascade,
  workflow_id text references workflow on delete cascade,
  -- one of the two: an encrypted variable has no readable value
  value text,
  value_sealed bytea,
  created_by text,
  updated_by text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((value is null) <> (value_sealed is null)),
  check (linked_account_id is null or workflow_id is null)
);
-- an expression, because `nulls not distinct` needs PostgreSQL 15
create unique index variable_value_target on variable_value
  (org_id, environment, definition_id, coalesce(linked_account_id, ''), coalesce(workflow_id, ''));
create index on variable_value (definition_id);
create index on variable_value (linked_account_id) where linked_account_id is not null;
create index on variable_value (workflow_id) where workflow_id is not null;

alter table variable_definition enable row level security;
alter table variable_definition force row level security;
create policy tenant on variable_definition
  using (coalesce(current_setting('inlay.scope', true), '') = 'system'
    or org_id = current_setting('inlay.org_id', true))
  with check (coalesce(current_setting('inlay.scope', true), '') = 'system'
    or org_id = current_setting('inlay.org_id', true));
alter table variable_value enable row level security;
alter table variable_value force row level security;
create policy tenant on variable_value using (inlay_tenant_visible(org_id, environment))
  with check (inlay_tenant_visible(org_id, environment));

-- input, output, error and console hold what people may see; what was masked out of output, error and variables
-- stands here, sealed, so that a run that goes on elsewhere has the true values.
alter table journal add column secrets_sealed bytea;
-- values that the step set by workflow.setVariable: {name: value}
alter table journal add column variables json;
-- for the rotation of keys, which looks for sealed rows only
create index journal_sealed on journal (execution_id, seq) where secrets_sealed is not null;

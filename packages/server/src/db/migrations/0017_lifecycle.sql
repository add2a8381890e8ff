-- What somebody keeps while trying a workflow: outputs that stand in for running a node, and payloads by name.

create table workflow_pin (
  workflow_id text not null references workflow on delete cascade,
  node_id text not null,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  output jsonb not null,
  -- the edge that it leaves by; null: the only one
  port text,
  updated_at timestamptz not null default now(),
  primary key (workflow_id, node_id)
);
create index on workflow_pin (org_id, environment);

create table workflow_payload (
  workflow_id text not null references workflow on delete cascade,
  name text not null,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  payload jsonb not null,
  updated_at timestamptz not null default now(),
  primary key (workflow_id, name)
);
create index on workflow_payload (org_id, environment);

do $$
declare t text;
begin
  foreach t in array array['workflow_pin', 'workflow_payload']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

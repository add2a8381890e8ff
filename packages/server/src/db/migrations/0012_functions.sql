-- Code that workflows share, and what agent nodes need: models, memory, and how far each of them has come.

create table code_function (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  name text not null,
  description text not null default '',
  latest_version integer not null check (latest_version > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, name)
);

-- never changed: a published workflow names the version that it was published with
create table code_function_version (
  function_id text not null references code_function on delete cascade,
  version integer not null check (version > 0),
  org_id text not null,
  environment text not null,
  language text not null check (language in ('javascript', 'python')),
  code text not null,
  -- [{name, type, required, description}], in order
  inputs jsonb not null check (jsonb_typeof(inputs) = 'array'),
  outputs jsonb not null check (jsonb_typeof(outputs) = 'array'),
  created_at timestamptz not null default now(),
  primary key (function_id, version)
);

-- where agents find their model
create table model_provider (
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  name text not null,
  kind text not null check (kind in ('openai', 'anthropic')),
  base_url text not null,
  default_model text,
  key_sealed bytea not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (org_id, environment, name)
);

-- one answer of a model, one call of a tool; written before and after, so that neither happens twice
create table agent_step (
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  -- execution root, node and batch
  run_key text not null,
  seq integer not null,
  entry_sealed bytea not null,
  created_at timestamptz not null default now(),
  primary key (org_id, environment, run_key, seq)
);
create index on agent_step (created_at);

create table agent_memory (
  id bigint generated always as identity primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  linked_account_id text not null references linked_account on delete cascade,
  store text not null,
  identifier text not null,
  -- a question and its answer are written once for each run
  run_key text not null,
  role text not null check (role in ('user', 'assistant')),
  -- what was said may hold secrets of the run
  content_sealed bytea not null,
  created_at timestamptz not null default now(),
  unique (org_id, environment, run_key, role)
);
create index on agent_memory (org_id, environment, linked_account_id, store, identifier, id desc);

do $$
declare t text;
begin
  foreach t in array array['code_function', 'code_function_version', 'model_provider', 'agent_step', 'agent_memory']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

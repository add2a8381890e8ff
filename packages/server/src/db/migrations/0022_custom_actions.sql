-- Actions that an organisation adds to an app: any endpoint of it, described once and used like the app's own.
create table custom_action (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  app_slug text not null,
  -- what workflows and API calls name it by
  action_id text not null,
  name text not null,
  description text not null default '',
  -- fields, request, paging and what becomes of the answer (connections/custom-actions/definition reads it)
  definition jsonb not null,
  -- {cert, key, passphrase, ca} of mutual TLS
  tls_sealed bytea,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, app_slug, action_id)
);

-- Where the organisation's own API is, and how calls of it prove whose account they are about.
create table own_api (
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  -- base URL, token exchange, and where its values go (connections/own-api/definition reads it); no secrets
  definition jsonb not null,
  updated_at timestamptz not null default now(),
  primary key (org_id, environment)
);

-- What a token exchange answered for an account, until it is too old.
create table own_api_token (
  org_id text not null,
  environment text not null,
  linked_account_id text not null references linked_account on delete cascade,
  token_sealed bytea not null,
  expires_at timestamptz not null,
  primary key (org_id, environment, linked_account_id),
  foreign key (org_id, environment) references own_api on delete cascade
);

do $$
declare t text;
begin
  foreach t in array array['custom_action', 'own_api', 'own_api_token']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

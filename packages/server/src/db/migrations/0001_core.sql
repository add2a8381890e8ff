-- Who we serve and what they own. Ids are 24 hex digits, time-ordered (domain/ids). Every table that a tenant
-- owns leads its key or its main index with (org_id, environment); row-level security is the second wall.

create function inlay_tenant_visible(row_org text, row_environment text) returns boolean
  language sql stable parallel safe
  return coalesce(current_setting('inlay.scope', true), '') = 'system'
      or (row_org = current_setting('inlay.org_id', true)
          and row_environment = current_setting('inlay.environment', true));

-- Console sign-in (users, sessions, memberships) belongs to better-auth and has its own migration.

create table organization (
  id text primary key,
  name text not null,
  slug text not null unique,
  logo text,
  website text,
  email text,
  -- portal branding, redirect URLs and other choices of the organisation
  settings jsonb not null default '{}',
  metadata text,
  created_at timestamptz not null default now(),
  updated_at timestamptz
);

create table api_key (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  -- the key is found by its SHA-256; the sealed copy exists because outbound webhooks are signed with it
  key_hash bytea not null unique,
  key_sealed bytea not null,
  hint text not null,
  disabled_at timestamptz,
  created_at timestamptz not null default now()
);
create index on api_key (org_id, environment, created_at);

-- What the SaaS company chose for an app in one environment. No row: the app is not enabled.
create table app_setting (
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  app_slug text not null,
  is_enabled boolean not null default true,
  credential_source text not null default 'own' check (credential_source in ('ours', 'own')),
  client_id text,
  client_secret_sealed bytea,
  optional_scopes text[] not null default '{}',
  custom_scopes text[] not null default '{}',
  -- values the connector asks of the SaaS company, such as the address of an installation
  variables jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (org_id, environment, app_slug)
);

create table linked_account (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  -- the id that the SaaS company chose for its customer
  account_id text not null,
  name text,
  -- [{_id, key_name, key_value, createdAt, updatedAt}]
  udf jsonb not null default '[]',
  -- unknown fields of the create call are kept, never refused
  extra jsonb not null default '{}',
  scope text,
  -- this customer's own credentials for the SaaS company's API: {name: value}, sealed
  org_credentials_sealed bytea,
  is_seed boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, account_id)
);
create index on linked_account (org_id, environment, created_at desc);

-- Session tokens are never stored: HS256 is deterministic, so the claims are enough to hand the same token out again.
create table session_token (
  jti text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  linked_account_id text not null references linked_account on delete cascade,
  issued_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  -- the object given to connect-url, kept verbatim for three days
  hosted_properties jsonb,
  hosted_properties_until timestamptz
);
create index on session_token (org_id, environment, linked_account_id, expires_at desc);

-- A hosted link: short-lived, bound to the first browser that opens it.
create table connect_link (
  token_hash bytea primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  linked_account_id text not null references linked_account on delete cascade,
  session_jti text not null references session_token on delete cascade,
  config_id text,
  -- SHA-256 of the cookie of the browser that opened it first
  browser_hash bytea,
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);
create index on connect_link (org_id, environment, linked_account_id);

create table connection (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  linked_account_id text not null references linked_account on delete cascade,
  app_slug text not null,
  auth_type text not null check (auth_type in ('oauth2', 'keybased')),
  status text not null check (status in ('active', 'expired')),
  -- why it expired, in words for the SaaS company; never a provider body
  status_reason text,
  -- sealed JSON: tokens or keys, and the OAuth client that obtained them
  credential_sealed bytea not null,
  -- grows with every stored credential: refresh is compare-and-set on it
  credential_version integer not null default 1,
  access_expires_at timestamptz,
  refresh_expires_at timestamptz,
  granted_scopes text[],
  -- who is behind it at the provider: text or object
  identifier jsonb,
  -- what the provider said and calls need: api_base_url_for_customer, instance_url, company id ...
  meta jsonb not null default '{}',
  -- one refresh at a time over all processes
  refresh_lease_owner text,
  refresh_lease_until timestamptz,
  refresh_failures integer not null default 0,
  refresh_retry_at timestamptz,
  expired_at timestamptz,
  connected_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, linked_account_id, app_slug, auth_type)
);
create index on connection (org_id, environment, app_slug);

-- One authorization in flight. The state travels; only its hash is stored, and it works once.
create table oauth_state (
  state_hash bytea primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  linked_account_id text not null references linked_account on delete cascade,
  app_slug text not null,
  -- sealed JSON: PKCE verifier, redirect URI, client used, pre-auth fields
  flow_sealed bytea not null,
  return_to text,
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null default now()
);
create index on oauth_state (expires_at);

-- What happened to an account's connection to an app, newest first.
create table connection_log (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  linked_account_id text not null references linked_account on delete cascade,
  app_slug text not null,
  event text not null check (event in ('created', 'reauthenticated', 'expired', 'failed', 'deleted', 'account_changed')),
  auth_type text,
  detail jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index on connection_log (org_id, environment, linked_account_id, app_slug, id desc);

-- A named signal that the SaaS company's backend sends.
create table org_event (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  name text not null,
  -- json, not jsonb: it is shown again in the order in which it was written
  sample json not null check (json_typeof(sample) = 'object'),
  json_schema jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, name)
);

create table workflow (
  id text primary key,
  -- the id that clients of the draft hold; publishing answers with `id`
  draft_id text not null unique,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  -- set: the workflow belongs to one linked account
  linked_account_id text references linked_account on delete cascade,
  -- null: internal workflow of the organisation
  app_slug text,
  alias text,
  name text not null,
  description text not null default '',
  -- the editable document: nodes, edges, settings, json_schema, sample payload (engine/workflow-document)
  draft jsonb not null,
  draft_revision integer not null default 1,
  published_version integer,
  is_auto_enabled boolean not null default false,
  is_hidden_in_config boolean not null default false,
  -- [{key, value}] conditions on the linked account's udf, and how they combine
  access_filter jsonb,
  -- what starts the published version; derived at publish so that firing is one index lookup
  trigger_kind text check (trigger_kind in ('event', 'app_event', 'polling', 'webhook', 'schedule', 'api_call')),
  trigger_event text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index workflow_alias_key on workflow (org_id, environment, coalesce(app_slug, ''), alias) where alias is not null;
create index on workflow (org_id, environment, created_at desc);
create index workflow_trigger_event on workflow (org_id, environment, trigger_event)
  where trigger_kind = 'event' and published_version is not null;

create table workflow_version (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  -- no foreign key: executions under way keep the version they started with when the workflow is deleted
  workflow_id text not null,
  version integer not null,
  document jsonb not null,
  description text,
  created_at timestamptz not null default now(),
  unique (workflow_id, version)
);

-- Definition of one thing that a customer may choose: of an app, or of one workflow.
create table config_field (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  app_slug text not null,
  workflow_id text references workflow on delete cascade,
  name text not null,
  field_type text not null,
  position integer not null default 0,
  is_required boolean not null default false,
  is_multiple boolean not null default false,
  is_hidden boolean not null default false,
  -- options, labels, parent, datasource, placeholder, help text, default, page ... (configs/fields)
  definition jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index on config_field (org_id, environment, app_slug, position);

-- What one linked account chose for one app.
create table config (
  id text primary key,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  linked_account_id text not null references linked_account on delete cascade,
  app_slug text not null,
  -- chosen by the caller; the linked account's own id by default
  config_id text not null,
  -- {field id: value}
  field_values jsonb not null default '{}',
  labels jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, environment, linked_account_id, app_slug, config_id)
);

create table config_workflow (
  config_pk text not null references config on delete cascade,
  workflow_id text not null references workflow on delete cascade,
  org_id text not null references organization on delete cascade,
  environment text not null check (environment in ('test', 'production')),
  is_enabled boolean not null default false,
  field_values jsonb not null default '{}',
  updated_at timestamptz not null default now(),
  primary key (config_pk, workflow_id)
);
create index config_workflow_enabled on config_workflow (org_id, environment, workflow_id) where is_enabled;

-- Row-level security: the second wall, for the owner of the tables too.
do $$
declare t text;
begin
  foreach t in array array['api_key', 'app_setting', 'linked_account', 'session_token', 'connect_link', 'connection',
    'oauth_state', 'connection_log', 'org_event', 'workflow', 'workflow_version', 'config_field', 'config', 'config_workflow']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy tenant on %I using (inlay_tenant_visible(org_id, environment)) with check (inlay_tenant_visible(org_id, environment))', t);
  end loop;
end $$;

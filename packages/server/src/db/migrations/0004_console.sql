-- Who signs in to the dashboard. The columns are better-auth's (api/console-auth names each one): users, their
-- sessions and password hashes, who belongs to which organisation. None of these is a tenant's data: a user may
-- belong to several organisations, so the session and not row-level security decides.

create table console_user (
  id text primary key,
  name text not null,
  email text not null unique,
  email_verified boolean not null,
  image text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table console_session (
  id text primary key,
  token text not null unique,
  user_id text not null references console_user on delete cascade,
  active_organization_id text references organization on delete set null,
  expires_at timestamptz not null,
  ip_address text,
  user_agent text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index on console_session (user_id);

create table console_account (
  id text primary key,
  user_id text not null references console_user on delete cascade,
  provider_id text not null,
  account_id text not null,
  access_token text,
  refresh_token text,
  id_token text,
  access_token_expires_at timestamptz,
  refresh_token_expires_at timestamptz,
  scope text,
  -- scrypt, salted; never readable
  password text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index on console_account (user_id);

create table console_verification (
  id text primary key,
  identifier text not null,
  value text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index on console_verification (identifier);

create table organization_member (
  id text primary key,
  organization_id text not null references organization on delete cascade,
  user_id text not null references console_user on delete cascade,
  role text not null,
  created_at timestamptz not null default now(),
  unique (user_id, organization_id)
);
create index on organization_member (organization_id);

create table organization_invitation (
  id text primary key,
  organization_id text not null references organization on delete cascade,
  inviter_id text not null references console_user on delete cascade,
  email text not null,
  role text,
  status text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);
create index on organization_invitation (organization_id);
create index on organization_invitation (email);

-- Failed sign-ins by SHA-256 of the email, known or not: all processes count together and nobody learns who exists.
create table console_sign_in_failure (
  email_hash bytea primary key,
  failures integer not null,
  locked_until timestamptz,
  last_at timestamptz not null
);

-- How long logs are kept; who may only look at workflows, who published them, and where they come from.

alter table session_token
  -- may look at workflows, and not change, switch or run them
  add column is_workflow_read_only boolean not null default false;

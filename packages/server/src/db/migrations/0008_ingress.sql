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

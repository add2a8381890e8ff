-- Everything that comes in: what may start an execution, besides an organisation's event.

alter table execution drop constraint execution_source_check;
alter table execution add constraint execution_source_check check (source in
  ('event', 'app_event', 'polling', 'webhook', 'schedule', 'api_call', 'sub_flow'));

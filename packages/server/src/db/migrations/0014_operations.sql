-- Looking for executions among a million: the ones that did not go well, and those of one workflow.

create index execution_failed on execution (org_id, environment, state, id desc)
  where state in ('errored', 'stopped', 'timed_out', 'terminated');
create index execution_workflow on execution (org_id, environment, workflow_id, id desc);

import { z } from 'zod';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import { workflowApp } from '#api/v2/workflow-app';
import type { ListedSchedule, StoredSchedule } from '#db/schedule';
import { readSchedule } from '#domain/schedule-spec';

const workflowShape = z.object({
  _id: z.string(),
  name: z.string(),
  description: z.string(),
  associated_application: z.object({ _id: z.string(), name: z.string(), icon: z.string() }),
});

/** A schedule as Cobalt spells it (spec/api §3), `cron_patten` included; below the blank line is ours. */
export const scheduleShape = z.object({
  _id: z.string(),
  event_id: z.string(),
  workflow: z.union([z.string(), workflowShape]),
  config_id: z.string(),
  linked_account_id: z.string(),
  environment: z.string(),
  org_id: z.string(),
  trigger_type: z.enum(['cron', 'interval']),
  cron_patten: z.string().optional(),
  trigger_interval: z.array(z.unknown()),
  status: z.enum(['running', 'paused']),
  inactive: z.boolean(),
  registered_by_api: z.boolean(),
  options: z.record(z.string(), z.unknown()),
  payload: z.unknown().optional(),
  triggered_instances: z.array(z.string()).optional(),
  schedule_added_at: z.string(),
  inactive_from: z.string().optional(),
  updatedAt: z.string(),

  workflow_id_alias: z.string().optional().describe('The alias that the schedule follows'),
  next_run_at: z.string().optional().describe('Absent: paused, or over'),
  last_error: z.string().optional().describe('Why it could not fire; it is tried again'),
});

/** @param ticks - given in lists, which also show the workflow and the executions of the last occurrences */
export function shapeSchedule(
  deps: ApiDeps,
  row: StoredSchedule,
  ticks?: ListedSchedule['ticks'],
): z.input<typeof scheduleShape> {
  const { declared, workflow } = row;
  const read = readSchedule(declared);
  const kind = 'spec' in read ? read.spec.kind : 'cron';
  const isOver = row.next_at === null;
  const listed =
    workflow !== null && ticks !== undefined
      ? { workflow: expand(deps, row.org_id, workflow) }
      : { workflow: workflow?.id ?? '' };
  return {
    _id: row.id,
    event_id: row.id,
    ...listed,
    config_id: row.config_id,
    linked_account_id: row.account_id,
    environment: row.environment,
    org_id: row.org_id,
    trigger_type: kind,
    ...(kind === 'cron' && 'spec' in read && { cron_patten: read.spec.cron }),
    trigger_interval: kind === 'interval' ? intervalOf(declared) : [],
    status: row.is_paused ? 'paused' : 'running',
    inactive: row.is_paused || isOver,
    registered_by_api: row.is_by_api,
    options: optionsOf(declared),
    ...(row.payload !== null && { payload: row.payload }),
    ...(ticks !== undefined && { triggered_instances: ticks.flatMap((tick) => tick.execution_id ?? []) }),
    schedule_added_at: wireTime(row.created_at),
    ...(row.inactive_from !== null && { inactive_from: wireTime(row.inactive_from) }),
    updatedAt: wireTime(row.updated_at),
    ...(row.workflow_alias !== null && { workflow_id_alias: row.workflow_alias }),
    ...(!row.is_paused && row.due_at !== null && { next_run_at: wireTime(row.due_at) }),
    ...(row.last_error !== null && { last_error: row.last_error }),
  };
}

function expand(deps: ApiDeps, orgId: string, workflow: NonNullable<StoredSchedule['workflow']>) {
  const { _id, name, icon } = workflowApp(deps, { app_slug: workflow.appSlug, org_id: orgId });
  return {
    _id: workflow.id,
    name: workflow.name,
    description: workflow.description,
    associated_application: { _id, name, icon },
  };
}

function intervalOf(declared: Readonly<Record<string, unknown>>): unknown[] {
  const dates = declared['interval_dates'] ?? declared['dates'];
  return Array.isArray(dates) ? dates : [];
}

function optionsOf(declared: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = ['startDate', 'endDate', 'tz', 'currentDate', 'trigger_type', 'catch_up'];
  return Object.fromEntries(
    names.flatMap((name) => (declared[name] === undefined ? [] : [[name, declared[name]]])),
  );
}

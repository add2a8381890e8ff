import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf } from '#api/caller';
import { contextValue } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { scheduleShape, shapeSchedule } from '#api/v2/schedule-shape';
import { page, pageOf, pageQuery } from '#api/wire';
import { AppError } from '#domain/errors';
import {
  deleteSchedule,
  pauseSchedule,
  registerSchedule,
  resumeSchedule,
  schedulesOf,
  updateSchedule,
} from '#triggers/index';

const tags = ['Schedules'];
const base = '/api/v1/workflow/public/scheduled';
const idPath = z.object({ schedule_id: z.string() });

/** The parts of a schedule that say when it fires; what is in them is read by `readSchedule`. */
const timing = [
  'trigger_type',
  'regex',
  'interval_dates',
  'startDate',
  'endDate',
  'currentDate',
  'tz',
  'catch_up',
];

const body = z.looseObject({
  trigger_type: z.unknown().describe('`cron` or `interval`').optional(),
  regex: z.unknown().describe('Cron expression of five fields; at most every five minutes').optional(),
  interval_dates: z
    .unknown()
    .describe('`[{day, month, year, hour, minute}]` in `tz`, or `[{date: {…}, tz}]`')
    .optional(),
  tz: z.unknown().describe('IANA time zone; UTC by default').optional(),
  startDate: z.unknown().describe('`YYYY-MM-DD` or ISO 8601: nothing fires before it').optional(),
  endDate: z
    .unknown()
    .describe('`YYYY-MM-DD` (that day included) or ISO 8601: nothing fires after it')
    .optional(),
  catch_up: z
    .unknown()
    .describe('What to do with occurrences missed while nothing ran: `skip`, `one` (default) or `all`')
    .optional(),
  payload: z.record(z.string(), z.unknown()).nullish().describe('What the executions get'),
});

/** Schedules of one linked account: spec/api §4.10. The paths are of version 1. */
export function scheduleRoutes(app: ApiApp, deps: ApiDeps): void {
  app.post(
    base,
    {
      config: { auth: 'account', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Run a workflow by the clock for a linked account',
        description:
          'The headers `slug` and `workflow_id_alias` name the workflow. Bound to an alias, the schedule follows the alias to whatever workflow has it.',
        operationId: 'registerSchedule',
        body,
        response: { 200: scheduleShape },
      },
    },
    async (request) => {
      const slug = contextValue(request, 'slug');
      const workflow = contextValue(request, 'workflow_id_alias');
      if (slug === undefined) throw new AppError('slug_missing', undefined);
      if (workflow === undefined) throw new AppError('missing_field', { field: 'workflow_id_alias' });
      const of = { workflow, slug, configId: contextValue(request, 'config_id') };
      return shapeSchedule(
        deps,
        await registerSchedule(deps, accountCallerOf(request), of, inputOf(request.body)),
      );
    },
  );

  app.get(
    base,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'List the schedules of a linked account, newest first',
        operationId: 'listSchedules',
        querystring: pageQuery,
        response: { 200: pageOf(scheduleShape) },
      },
    },
    async (request) => {
      const { rows, total } = await schedulesOf(deps, accountCallerOf(request), request.query);
      return page(
        rows.map((row) => shapeSchedule(deps, row, row.ticks)),
        total,
        request.query,
      );
    },
  );

  app.put(
    `${base}/:schedule_id`,
    {
      config: { auth: 'account', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Change when a schedule fires, or what its executions get',
        operationId: 'updateSchedule',
        params: idPath,
        body,
        response: { 200: scheduleShape },
      },
    },
    async (request) =>
      shapeSchedule(
        deps,
        await updateSchedule(
          deps,
          accountCallerOf(request),
          request.params.schedule_id,
          inputOf(request.body),
        ),
      ),
  );

  app.delete(
    `${base}/:schedule_id`,
    {
      config: { auth: 'account', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Delete a schedule; what it started runs on',
        operationId: 'deleteSchedule',
        params: idPath,
        response: { 200: z.object({ message: z.string() }) },
      },
    },
    async (request) => {
      await deleteSchedule(deps, accountCallerOf(request), request.params.schedule_id);
      return { message: 'Scheduled Job Deleted Successfully' };
    },
  );

  for (const [verb, operationId, summary, act] of [
    ['pause', 'pauseSchedule', 'Stop a schedule until it is resumed', pauseSchedule],
    [
      'resume',
      'resumeSchedule',
      'Let a paused schedule go on from now; what it missed is not caught up',
      resumeSchedule,
    ],
  ] as const) {
    app.put(
      `${base}/:schedule_id/${verb}`,
      {
        config: { auth: 'account', changesWorkflows: true },
        schema: { tags, summary, operationId, params: idPath, response: { 200: scheduleShape } },
      },
      async (request) =>
        shapeSchedule(deps, await act(deps, accountCallerOf(request), request.params.schedule_id)),
    );
  }
}

function inputOf(given: Readonly<Record<string, unknown>>) {
  const declared = Object.fromEntries(
    timing.flatMap((name) =>
      given[name] === undefined || given[name] === null ? [] : [[name, given[name]]],
    ),
  );
  const payload = given['payload'] as Record<string, unknown> | null | undefined;
  return { declared, ...(payload === undefined ? {} : { payload }) };
}

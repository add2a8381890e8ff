import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { AppError } from '#domain/errors';
import { changeLogRetention, logRetentionOf } from '#organizations/index';

const tags = ['Dashboard: organization'];

const retentionShape = z.object({
  days: z.int().describe('How long logs are kept'),
  chosen_days: z.int().nullable().describe('What the organization chose; null: the default'),
  default_days: z.int(),
  maximum_days: z.int(),
});

/** How long the organisation keeps its executions, their logs and what came in. */
export function adminRetentionRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/retention',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Read how long logs are kept', response: { 200: retentionShape } },
    },
    async (request) => shape(deps, await logRetentionOf(deps, consoleOf(request).orgId)),
  );

  app.put(
    '/api/admin/retention',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Choose how long logs are kept, in both environments',
        description:
          'What is older is deleted within the hour, and does not come back when more days are chosen.',
        body: z.object({
          days: z
            .int({ error: 'is no whole number of days, nor null for the default' })
            .min(1, { error: 'is at least 1' })
            .nullable(),
        }),
        response: { 200: retentionShape },
      },
    },
    async (request) => {
      const { orgId } = requireAdmin(request);
      const { days } = request.body;
      const { maximumDays } = deps.config.logRetention;
      if (days !== null && days > maximumDays) {
        const message = `is ${days}; this installation keeps logs for at most ${maximumDays} days (INLAY_LOG_RETENTION_MAX_DAYS)`;
        throw new AppError('invalid_request', { problems: [{ path: 'days', message }] });
      }
      return shape(deps, await changeLogRetention(deps, orgId, days));
    },
  );
}

function shape(deps: ApiDeps, chosen: number | null): z.output<typeof retentionShape> {
  const { defaultDays, maximumDays } = deps.config.logRetention;
  return {
    days: Math.min(chosen ?? defaultDays, maximumDays),
    chosen_days: chosen,
    default_days: defaultDays,
    maximum_days: maximumDays,
  };
}

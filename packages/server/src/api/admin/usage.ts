import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { databaseBytes, readStored, readUsage } from '#db/usage';
import { logRetentionOf } from '#organizations/index';

const count = z.number();
const usageShape = z.object({
  key: z.string().describe('The day, the account id or the workflow id'),
  executions: z.object({
    completed: count,
    errored: count,
    stopped: count,
    timed_out: count,
    terminated: count,
  }),
  node_runs: count,
  app_calls: count,
  code_seconds: count,
  bytes_stored: count,
});
const dayMs = 86_400_000;

/** What the organisation uses, for the dashboard. */
export function adminUsageRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/usage',
    {
      config: { auth: 'console' },
      schema: {
        tags: ['Dashboard: usage'],
        summary: 'Read what was used by day, account or workflow',
        querystring: z.object({
          from: z.iso.date('is a day such as 2026-11-21').optional().describe('30 days ago without it'),
          to: z.iso.date('is a day such as 2026-11-21').optional().describe('Today (UTC) without it'),
          by: z.enum(['day', 'account', 'workflow'], 'is day, account or workflow').default('day'),
        }),
        response: {
          200: z.object({
            usage: z.array(usageShape),
            stored: z
              .object({
                log_bytes: count.describe('Written to the logs by executions that are still kept'),
                log_days: z.int().describe('How long logs are kept'),
                file_bytes: count,
                table_records: count,
              })
              .describe('What the environment keeps now'),
            database_bytes: count
              .nullable()
              .describe('The database on disk; null where several organizations share it'),
          }),
        },
      },
    },
    async (request) => {
      const { from, to, by } = request.query;
      const now = deps.clock.now().getTime();
      const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
      const of = { from: from ?? day(now - 30 * dayMs), to: to ?? day(now), by };
      const { tenant } = consoleOf(request);
      const { defaultDays, maximumDays } = deps.config.logRetention;
      const chosen = await logRetentionOf(deps, tenant.orgId);
      const logDays = Math.min(chosen ?? defaultDays, maximumDays);
      const [usage, bytes, stored] = await Promise.all([
        readUsage(deps.db, tenant, of),
        databaseBytes(deps.pool),
        readStored(deps.db, tenant, day(now - logDays * dayMs)),
      ]);
      return {
        usage: usage.map(({ key, node_runs, app_calls, code_ms, bytes_stored, ...executions }) => ({
          key,
          executions,
          node_runs,
          app_calls,
          code_seconds: code_ms / 1000,
          bytes_stored,
        })),
        stored: { ...stored, log_days: logDays },
        database_bytes: bytes,
      };
    },
  );
}

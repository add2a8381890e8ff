import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { getLinkedAccount } from '#connections/index';
import { readRunningLimits, saveAccountLimit, saveEnvironmentLimit } from '#db/running-limit';

const tags = ['Dashboard: limits'];
const accountPath = z.object({ account_id: z.string() });
const limit = z
  .int('must be a whole number of executions, or null for no limit')
  .min(1, 'must be at least 1; null is no limit')
  .max(10_000, 'must be at most 10000; null is no limit')
  .nullable();
const ofEnvironment = z.object({
  running_per_account: limit.describe('Executions of one linked account that may run at the same time'),
});
const ofAccount = z.object({
  running: limit.describe("This account's own number; null: the environment's holds"),
});

/** How many executions of a linked account may run at the same time: for all of an environment, and for one. */
export function adminRunningLimitRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/limits',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Read the limits of the environment', response: { 200: ofEnvironment } },
    },
    async (request) => ({
      running_per_account: (await readRunningLimits(deps.pool, consoleOf(request).tenant)).ofEnvironment,
    }),
  );

  app.put(
    '/api/admin/limits',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change the limits of the environment',
        body: ofEnvironment,
        response: { 200: ofEnvironment },
      },
    },
    async (request) => {
      await saveEnvironmentLimit(deps.db, requireAdmin(request).tenant, request.body.running_per_account);
      return request.body;
    },
  );

  app.get(
    '/api/admin/linked-accounts/:account_id/limits',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read the limits of a linked account',
        params: accountPath,
        response: { 200: ofAccount },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { id } = await getLinkedAccount(deps, tenant, request.params.account_id);
      return { running: (await readRunningLimits(deps.pool, tenant, id)).ofAccount };
    },
  );

  app.put(
    '/api/admin/linked-accounts/:account_id/limits',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change the limits of a linked account',
        params: accountPath,
        body: ofAccount,
        response: { 200: ofAccount },
      },
    },
    async (request) => {
      const { tenant } = requireAdmin(request);
      const { id } = await getLinkedAccount(deps, tenant, request.params.account_id);
      await saveAccountLimit(deps.db, tenant, id, request.body.running);
      return request.body;
    },
  );
}

import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { getLinkedAccount } from '#connections/index';
import { accountWebhooks, saveWebhookKeys } from '#ingress/index';

const tags = ['Dashboard: linked accounts'];
const path = z.object({ account_id: z.string(), slug: z.string() });

const webhookShape = z.object({
  trigger: z.string(),
  label: z.string(),
  setup: z.enum(['automatic', 'manual']),
  url: z.string().describe('Where the app calls; to be registered there when `setup` is manual'),
  fields: z.array(z.object({ name: z.string(), label: z.string(), help: z.string().optional() })),
  steps: z.string().nullable().describe('Markdown'),
  is_ready: z.boolean(),
  problem: z.string().nullable(),
});

/** How an app's events reach us for one account, and the keys of those that are registered by hand. */
export function adminAppWebhookRoutes(app: ApiApp, deps: ApiDeps): void {
  const url = '/api/admin/linked-accounts/:account_id/apps/:slug/webhooks';
  app.get(
    url,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'How the events of an app reach us for an account',
        params: path,
        response: { 200: z.object({ webhooks: z.array(webhookShape) }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const account = await getLinkedAccount(deps, tenant, request.params.account_id);
      const webhooks = await accountWebhooks(deps, tenant, account.id, request.params.slug);
      return {
        webhooks: webhooks.map(({ fields, isReady, ...rest }) => ({
          ...rest,
          is_ready: isReady,
          fields: Object.entries(fields).map(([name, { label, help }]) => ({
            name,
            label,
            ...(help !== undefined && { help }),
          })),
        })),
      };
    },
  );

  app.put(
    `${url}/:trigger`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Keep the keys of a webhook that was registered by hand; they are never shown again',
        params: path.extend({ trigger: z.string() }),
        body: z.object({ values: z.record(z.string(), z.unknown()) }),
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { account_id: accountId, slug, trigger } = request.params;
      const account = await getLinkedAccount(deps, tenant, accountId);
      await saveWebhookKeys(
        deps,
        tenant,
        { linkedAccountId: account.id, slug, trigger },
        request.body.values,
      );
      return { ok: true as const };
    },
  );
}

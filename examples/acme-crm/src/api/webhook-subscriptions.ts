import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { eventPatterns, type Webhooks } from '../webhooks.ts';
import { requireScope } from './authenticate.ts';
import { notFound, parse } from './errors.ts';

export const subscriptionFields = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'must be an absolute http or https URL' }).max(2000),
  events: z.array(z.enum(eventPatterns)).min(1, 'must name at least one event'),
});

/** Webhook subscriptions. Each app or key sees and ends its own; a kind of event needs the scope to read it. */
export function webhookRoutes(app: FastifyInstance, { webhooks }: { webhooks: Webhooks }): void {
  app.post('/webhook-subscriptions', async ({ principal, body }, reply) => {
    const { url, events } = parse(subscriptionFields, body);
    for (const event of events)
      requireScope(principal, event.startsWith('contact') ? 'contacts:read' : 'deals:read');
    const { companyId, appId } = principal;
    return reply.code(201).send(webhooks.subscribe({ companyId, appId, url, events }));
  });

  app.get('/webhook-subscriptions', async ({ principal: { companyId, appId } }) => ({
    data: webhooks.list({ companyId, appId }),
    next_cursor: null,
  }));

  app.delete<{ Params: { id: string } }>(
    '/webhook-subscriptions/:id',
    async ({ principal, params }, reply) => {
      const owner = { companyId: principal.companyId, appId: principal.appId, id: params.id };
      if (!webhooks.unsubscribe(owner)) throw notFound('webhook subscription', params.id);
      return reply.code(204).send();
    },
  );
}

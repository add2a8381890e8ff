import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { harmlessHeaders, headerOrQuery } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { parseJsonBytes } from '#api/json-body';
import { createRateLimiter } from '#api/rate-limit';
import { AppError } from '#domain/errors';
import { createWebhookDoor, readTenantName } from '#ingress/index';

/** Spec/workflows §19: a webhook's body is JSON of at most 1 MB. */
const bodyLimit = 1024 * 1024;
const jsonType = /^application\/([\w.-]+\+)?json\s*(;|$)/i;

const path = z.object({ tenant: z.string(), workflow_id: z.string(), linked_account_id: z.string() });

/**
 * Inbound webhook URLs (spec/workflows §5). The first check that fails answers and nothing is queued: 405, 415, 413,
 * then 404 for a URL that does not answer, 401, 400, 409, 429; 200 once it is stored. The body is kept as the bytes
 * that came until the signature over them has been verified.
 */
export function webhookTriggerRoutes(app: ApiApp, deps: ApiDeps): void {
  const door = createWebhookDoor(deps);
  const takeUrlToken = createRateLimiter(deps.clock, deps.config.webhookRateLimitPerMinute);

  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit },
      (_request: FastifyRequest, bytes: Buffer, done: (error: null, body: Buffer) => void) =>
        done(null, bytes),
    );
    scope.addHook('onRequest', async ({ headers }: FastifyRequest) => {
      const type = headers['content-type'] ?? '';
      if (!jsonType.test(type)) throw new AppError('unsupported_media_type', { type });
    });
    scope.post(
      '/api/v1/webhook-trigger/:tenant/:workflow_id/:linked_account_id',
      {
        config: { auth: 'none' },
        bodyLimit,
        schema: {
          tags: ['Events'],
          summary: 'Start a workflow by its webhook URL',
          operationId: 'fireWebhookTrigger',
          params: path,
          response: { 200: z.object({ message: z.string(), execution_id: z.string().optional() }) },
        },
      },
      async (request) => {
        const {
          tenant: name,
          workflow_id: workflowId,
          linked_account_id: accountId,
        } = request.params as z.output<typeof path>;
        const tenant = readTenantName(name);
        if (tenant === undefined) throw new AppError('webhook_not_found', undefined);
        const { headers } = request;
        const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const configId = headerOrQuery(request, 'config_id');
        const webhook = await door.find({ tenant, workflowId, accountId, configId });
        await door.authenticate(webhook, headers, rawBody);
        const payload = parseJsonBytes(rawBody);
        door.validate(webhook, payload);
        // A repeat is told so even by a URL that has no calls left.
        if (!(await door.isRepeat(webhook, payload, headers))) {
          takeUrlToken(`${webhook.workflowId}/${webhook.linkedAccount.id}`);
        }
        const isWithHeaders = headerOrQuery(request, 'include-headers') === 'true';
        const executionId = await door.queue(webhook, {
          payload,
          headers,
          shownHeaders: isWithHeaders ? harmlessHeaders(request) : undefined,
          instanceTag: headerOrQuery(request, 'instance_tag'),
        });
        return {
          message: 'Webhook Fired Success',
          ...(executionId !== undefined && { execution_id: executionId }),
        };
      },
    );
  });
}

import { createHash } from 'node:crypto';
import {
  type Connector,
  type Values,
  type Webhook,
  webhookRequest,
  type WebhookRequest,
} from '@inlay/connectors/kit';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { type AppWebhook, findAppEventListeners, findCalledWebhooks } from '#db/app-webhook';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import type { Engine } from '#engine/index';
import { readTenantName } from '#ingress/tenant-name';
import { sealContext, type Vault } from '#vault/index';

/** A provider's call as it came. */
export interface ProviderCall {
  readonly slug: string;
  /** `<organisation>-<environment>`, or the record id of a linked account. */
  readonly target: string;
  readonly method: string;
  /** The public URL that was called: some signatures cover it. */
  readonly url: string;
  readonly headers: Values;
  readonly rawBody: Uint8Array;
}

export interface ProviderAnswer {
  readonly status: number;
  readonly body: string;
}

interface AppEventDeps {
  readonly pool: Pool;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly engine: Pick<Engine, 'acceptEvent'>;
  readonly connectors: ReadonlyMap<string, Connector>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Longer than any provider tries a delivery again: Stripe and Shopify do for two to three days. */
const deliveryWindowS = 3 * 24 * 3600;
const longestKey = 200;

/**
 * Takes a call of an app: answers its handshake, finds whose it is, verifies it over the bytes that came, and starts
 * the workflows that listen. What is genuine but for nobody, and what names an account that is not here, is answered
 * with success: the provider would else send it again and in the end switch the subscription off.
 *
 * @throws AppError `app_not_found` for an app without webhooks, `webhook_refused` when no known subscription signed it
 */
export async function acceptProviderCall(deps: AppEventDeps, call: ProviderCall): Promise<ProviderAnswer> {
  const triggers = webhooksOf(deps.connectors.get(call.slug));
  if (triggers.length === 0) throw new AppError('app_not_found', { slug: call.slug, orgId: call.target });
  const request = webhookRequest(call);
  for (const [, trigger] of triggers) {
    const handshake = quietly(() => trigger.handshake?.(request));
    if (handshake !== undefined) return handshake;
  }
  if (call.method !== 'POST')
    throw new AppError('method_not_allowed', { method: call.method, allowed: 'POST' });
  const hooks = await calledHooks(deps, call, request, triggers);
  const genuine = hooks.filter((hook) => {
    const trigger = triggers.find(([name]) => name === hook.trigger)?.[1];
    return trigger !== undefined && refusalOf(deps, trigger, hook, request) === undefined;
  });
  if (hooks.length > 0 && genuine.length === 0) {
    deps.log.warn(
      { slug: call.slug, target: call.target },
      'A call of an app was refused: no key of ours fits it.',
    );
    throw new AppError('webhook_refused', { reason: 'no subscription of this URL signed it' });
  }
  if (genuine.length === 0) {
    deps.log.info(
      { slug: call.slug, target: call.target },
      'An app called about an account that is not here.',
    );
  }
  for (const hook of genuine) {
    const trigger = triggers.find(([name]) => name === hook.trigger)![1];
    await startListeners(deps, hook, trigger, request);
  }
  return { status: 200, body: '{"message":"Received"}' };
}

/** The webhook triggers of a connector, by their names. */
export function webhooksOf(connector: Connector | undefined): (readonly [string, Webhook])[] {
  return Object.entries(connector?.triggers ?? {}).flatMap(([name, trigger]) =>
    trigger.kind === 'webhook' ? [[name, trigger] as const] : [],
  );
}

async function calledHooks(
  { pool }: AppEventDeps,
  { slug, target }: ProviderCall,
  request: WebhookRequest,
  triggers: readonly (readonly [string, Webhook])[],
): Promise<AppWebhook[]> {
  const tenant = readTenantName(target);
  if (tenant === undefined) return findCalledWebhooks(pool, slug, { linkedAccountId: target });
  const keys = new Set(
    triggers.flatMap(([, { route }]) => {
      const key = route === 'connection' ? undefined : quietly(() => route.by(request));
      return key === undefined ? [] : [key];
    }),
  );
  const found = await Promise.all(
    [...keys].map((routeKey) => findCalledWebhooks(pool, slug, { tenant, routeKey })),
  );
  return found.flat();
}

function refusalOf(
  { vault, clock }: AppEventDeps,
  trigger: Webhook,
  hook: AppWebhook,
  request: WebhookRequest,
): string | undefined {
  const context = sealContext('app_webhook.secrets_sealed', hook.id);
  const secrets = vault.openJson(hook.secrets_sealed!, context) as Values;
  try {
    return trigger.verify(request, secrets, clock.now());
  } catch {
    return 'it cannot be read';
  }
}

async function startListeners(
  deps: AppEventDeps,
  hook: AppWebhook,
  trigger: Webhook,
  request: WebhookRequest,
): Promise<void> {
  const tenant: Tenant = { orgId: hook.org_id, environment: hook.environment };
  const event = appEventName(hook.app_slug, hook.trigger);
  const happened = quietly(() => trigger.events(request)) ?? [];
  for (const { id, data } of happened) {
    const listeners = await findAppEventListeners(deps.pool, tenant, event, hook.linked_account_id);
    await deps.engine.acceptEvent(tenant, {
      source: 'app_event',
      event,
      payload: data,
      requestHeaders: request.headers,
      linkedAccount: { id: hook.linked_account_id, accountId: hook.account_id },
      configId: hook.account_id,
      slug: hook.app_slug,
      listeners,
      dedup: {
        scope: `app:${event}:${hook.linked_account_id}`,
        key: id.length <= longestKey ? id : createHash('sha256').update(id).digest('hex'),
        windowS: deliveryWindowS,
      },
    });
  }
}

/** How an app's event is called where events of all kinds stand together. */
export function appEventName(slug: string, trigger: string): string {
  return `${slug}/${trigger}`;
}

/** A connector reads a stranger's body: what it cannot read is nothing. */
function quietly<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

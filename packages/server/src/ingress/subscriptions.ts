import { randomBytes } from 'node:crypto';
import {
  type Connector,
  durationMs,
  type Values,
  type Webhook,
  type WebhookSetup,
} from '@inlay/connectors/kit';
import type { Logger } from 'pino';
import { type ConnectionDeps, sendWithConnection } from '#connections/index';
import {
  type AppWebhook,
  claimDueWebhooks,
  delayWebhook,
  deleteAppWebhook,
  storeSubscription,
  wantAppWebhooks,
} from '#db/app-webhook';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { appEventName, webhooksOf } from '#ingress/app-events';
import { tenantName } from '#ingress/tenant-name';
import { sealContext } from '#vault/index';

/** Keeps the subscriptions at the providers in line with the workflows that are switched on. */
export interface Subscriptions {
  /** Brings everything in line once; resolves when nothing more is due now. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

interface SubscriptionDeps extends Omit<ConnectionDeps, 'log'> {
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

type AutomaticSetup = Extract<WebhookSetup, { readonly subscribe: unknown }>;

const everyMs = 5_000;
const atOnce = 20;
const leaseS = 60;
const longestDelayS = 3_600;

/** Where an app's calls about an account come in: one URL for all accounts of an app that names them, else its own. */
export function appWebhookUrl(
  publicUrl: string,
  trigger: Pick<Webhook, 'route'>,
  of: { readonly tenant: Tenant; readonly slug: string; readonly linkedAccountId: string },
): string {
  const target = trigger.route === 'connection' ? of.linkedAccountId : tenantName(of.tenant);
  return `${publicUrl}/api/v1/webhook/${of.slug}/${target}`;
}

/** Starts it; any number of processes may, each row is one process's at a time. */
export function startSubscriptions(deps: SubscriptionDeps): Subscriptions {
  const { pool, log } = deps;
  const subscribable = [...deps.connectors.values()].flatMap((connector) =>
    webhooksOf(connector).flatMap(([name, { setup }]) =>
      'subscribe' in setup ? [appEventName(connector.slug, name)] : [],
    ),
  );
  let running: Promise<void> | undefined;

  async function settle(): Promise<void> {
    await wantAppWebhooks(pool, subscribable);
    for (;;) {
      const due = await claimDueWebhooks(pool, atOnce, leaseS);
      if (due.length === 0) return;
      await Promise.all(due.map((hook) => bringInLine(deps, hook)));
    }
  }

  const timer = setInterval(() => {
    running ??= settle()
      .catch((error: unknown) => log.warn({ err: error }, 'Subscriptions of apps could not be looked after.'))
      .finally(() => (running = undefined));
  }, everyMs);

  return {
    settle,
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

async function bringInLine(deps: SubscriptionDeps, hook: AppWebhook): Promise<void> {
  const connector = deps.connectors.get(hook.app_slug);
  const trigger = webhooksOf(connector).find(([name]) => name === hook.trigger)?.[1];
  try {
    if (connector === undefined || trigger === undefined || !('subscribe' in trigger.setup)) {
      await deleteAppWebhook(deps.pool, { ...hook, is_wanted: false });
    } else if (hook.is_wanted) {
      await subscribe(deps, connector, trigger, trigger.setup, hook);
    } else {
      if (hook.provider_id !== null) await unsubscribe(deps, trigger.setup, hook);
      await deleteAppWebhook(deps.pool, hook);
    }
  } catch (error) {
    // An account that is no longer connected has nothing left at the provider that we could end.
    if (!hook.is_wanted && error instanceof AppError && unreachable.has(error.code)) {
      await deleteAppWebhook(deps.pool, hook);
      return;
    }
    const reason = error instanceof Error ? error.message : 'it failed';
    deps.log.warn({ slug: hook.app_slug, trigger: hook.trigger, reason }, 'A subscription at an app failed.');
    const afterS = Math.min(longestDelayS, 5 * 2 ** hook.attempts);
    await delayWebhook(deps.pool, hook, { afterS, reason: reason.slice(0, 500) });
  }
}

const unreachable: ReadonlySet<string> = new Set([
  'not_connected',
  'connection_needs_reauth',
  'app_not_found',
]);

async function subscribe(
  deps: SubscriptionDeps,
  connector: Connector,
  trigger: Webhook,
  setup: AutomaticSetup,
  hook: AppWebhook,
): Promise<void> {
  const tenant = tenantOf(hook);
  const url = appWebhookUrl(deps.config.publicUrl, trigger, {
    tenant,
    slug: hook.app_slug,
    linkedAccountId: hook.linked_account_id,
  });
  const context = { url, secret: randomBytes(32).toString('base64url'), input: {} };
  const { response, meta } = await sendWithConnection(deps, targetOf(hook), setup.subscribe(context));
  if (response.status >= 300) {
    throw new Error(`${connector.name} refused the subscription with status ${response.status}`);
  }
  const { id, secrets } = setup.read(response.body, context);
  await storeSubscription(deps.pool, hook, {
    providerId: id,
    sealed: sealSecrets(deps, hook.id, secrets),
    routeKey: trigger.route === 'connection' ? undefined : trigger.route.of(meta),
    renewAfterMs: setup.renewEvery === undefined ? undefined : durationMs(setup.renewEvery),
  });
  // Renewed: the one before is ended once the new one is kept, so that no call falls between them.
  if (hook.provider_id !== null && hook.provider_id !== id) await unsubscribe(deps, setup, hook);
}

async function unsubscribe(deps: SubscriptionDeps, setup: AutomaticSetup, hook: AppWebhook): Promise<void> {
  const context = sealContext('app_webhook.secrets_sealed', hook.id);
  const secrets =
    hook.secrets_sealed === null ? {} : (deps.vault.openJson(hook.secrets_sealed, context) as Values);
  const request = setup.unsubscribe({ id: hook.provider_id!, secrets });
  const { response } = await sendWithConnection(deps, targetOf(hook), request);
  // 404 and 410: somebody else has ended it.
  if (response.status >= 300 && response.status !== 404 && response.status !== 410) {
    throw new Error(`the app refused to end the subscription with status ${response.status}`);
  }
}

/** Seals what verifies an app's calls, bound to the row that keeps it. */
export function sealSecrets({ vault }: Pick<SubscriptionDeps, 'vault'>, id: string, secrets: Values): Buffer {
  return vault.sealJson(secrets, sealContext('app_webhook.secrets_sealed', id));
}

function tenantOf(hook: AppWebhook): Tenant {
  return { orgId: hook.org_id, environment: hook.environment };
}

function targetOf(hook: AppWebhook) {
  return { tenant: tenantOf(hook), linkedAccountId: hook.linked_account_id, slug: hook.app_slug };
}

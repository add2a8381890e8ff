import { readFile } from 'node:fs/promises';
import { type Connector, type Fields, InputError, parseInput, type Values } from '@inlay/connectors/kit';
import type { Pool } from 'pg';
import { listAppWebhooks, saveManualWebhook } from '#db/app-webhook';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { webhooksOf } from '#ingress/app-events';
import { appWebhookUrl, sealSecrets } from '#ingress/subscriptions';
import type { Vault } from '#vault/index';

interface Deps {
  readonly pool: Pool;
  readonly vault: Vault;
  readonly connectors: ReadonlyMap<string, Connector>;
  readonly config: { readonly publicUrl: string };
}

/** How one event of an app reaches us for one account. */
export interface AccountWebhook {
  readonly trigger: string;
  readonly label: string;
  /** `automatic`: we subscribe by ourselves; `manual`: somebody registers the URL at the app. */
  readonly setup: 'automatic' | 'manual';
  readonly url: string;
  /** What the person has to bring back from the app, and how to do it; for a manual one. */
  readonly fields: Fields;
  readonly steps: string | null;
  readonly isReady: boolean;
  readonly problem: string | null;
}

/** The events that an app can send about an account. @throws AppError `app_not_found` */
export async function accountWebhooks(
  deps: Deps,
  tenant: Tenant,
  linkedAccountId: string,
  slug: string,
): Promise<AccountWebhook[]> {
  const connector = deps.connectors.get(slug);
  if (connector === undefined) throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
  const rows = await listAppWebhooks(deps.pool, tenant, linkedAccountId, slug);
  return Promise.all(
    webhooksOf(connector).map(async ([name, trigger]) => {
      const row = rows.find((one) => one.trigger === name);
      const { setup } = trigger;
      const isManual = 'manual' in setup;
      return {
        trigger: name,
        label: trigger.label,
        setup: isManual ? ('manual' as const) : ('automatic' as const),
        url: appWebhookUrl(deps.config.publicUrl, trigger, { tenant, slug, linkedAccountId }),
        fields: isManual ? setup.manual : {},
        steps: isManual ? await readFile(connector.files.webhookSetup, 'utf8') : null,
        isReady: row !== undefined && row.secrets_sealed !== null,
        problem: row?.error_text ?? null,
      };
    }),
  );
}

/**
 * Keeps the keys that a person brought from the app, sealed; they replace those before.
 *
 * @throws AppError `app_not_found`, `not_found`, `invalid_request` naming the field
 */
export async function saveWebhookKeys(
  deps: Deps,
  tenant: Tenant,
  of: { readonly linkedAccountId: string; readonly slug: string; readonly trigger: string },
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  const connector = deps.connectors.get(of.slug);
  if (connector === undefined) throw new AppError('app_not_found', { slug: of.slug, orgId: tenant.orgId });
  const trigger = webhooksOf(connector).find(([name]) => name === of.trigger)?.[1];
  if (trigger === undefined || !('manual' in trigger.setup)) {
    throw new AppError('not_found', { what: 'Webhook that is registered by hand', id: of.trigger });
  }
  const secrets = readKeys(trigger.setup.manual, values);
  await saveManualWebhook(deps.pool, tenant, { ...of, seal: (id) => sealSecrets(deps, id, secrets) });
}

function readKeys(fields: Fields, values: Readonly<Record<string, unknown>>): Values {
  try {
    const read = parseInput(fields, values);
    return Object.fromEntries(
      Object.entries(read).filter(([, value]) => typeof value === 'string'),
    ) as Values;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new AppError(
      'invalid_request',
      { problems: [{ path: 'values', message: error.message }] },
      { cause: error },
    );
  }
}

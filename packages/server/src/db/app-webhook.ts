import type { Pool } from 'pg';
import type { UserDefinedField } from '#db/schema';
import type { Listener } from '#db/workflow-listeners';
import { accountSwitchesEverywhere, isSwitchedOn } from '#db/workflow-listeners';
import { passesAccessFilter, readAccessFilter } from '#domain/access-filter';
import { newId } from '#domain/ids';
import type { Environment, Tenant } from '#domain/tenant';

/**
 * What makes an app call us about one linked account: a subscription that we made at the provider, or keys of a hook
 * that a person made there.
 */
export interface AppWebhook {
  readonly id: string;
  readonly org_id: string;
  readonly environment: Environment;
  readonly linked_account_id: string;
  readonly account_id: string;
  readonly app_slug: string;
  readonly trigger: string;
  readonly is_manual: boolean;
  /** Some enabled workflow listens. */
  readonly is_wanted: boolean;
  /** The subscription's id at the provider; null while there is none. */
  readonly provider_id: string | null;
  readonly secrets_sealed: Buffer | null;
  readonly attempts: number;
  readonly error_text: string | null;
}

const columns = `h.id, h.org_id, h.environment, h.linked_account_id, a.account_id, h.app_slug, h.trigger, h.is_manual,
  h.is_wanted, h.provider_id, h.secrets_sealed, h.attempts, h.error_text`;
const withAccount = 'app_webhook h join linked_account a on a.id = h.linked_account_id';

/**
 * Those that a call may be for: of one linked account by the URL, or of all accounts under a key that the call names.
 * A call to an account's own URL names the tenant by that account.
 */
export async function findCalledWebhooks(
  pool: Pool,
  slug: string,
  called: { readonly linkedAccountId: string } | { readonly tenant: Tenant; readonly routeKey: string },
): Promise<AppWebhook[]> {
  const { rows } = await ('linkedAccountId' in called
    ? pool.query<AppWebhook>(
        `select ${columns} from ${withAccount}
         where h.linked_account_id = $1 and h.app_slug = $2 and h.secrets_sealed is not null`,
        [called.linkedAccountId, slug],
      )
    : pool.query<AppWebhook>(
        `select ${columns} from ${withAccount}
         where h.org_id = $1 and h.environment = $2 and h.app_slug = $3 and h.route_key = $4
           and h.secrets_sealed is not null`,
        [called.tenant.orgId, called.tenant.environment, slug, called.routeKey],
      ));
  return rows;
}

/** Every webhook of an account for an app, for the dashboard. */
export async function listAppWebhooks(
  pool: Pool,
  tenant: Tenant,
  linkedAccountId: string,
  slug: string,
): Promise<AppWebhook[]> {
  const { rows } = await pool.query<AppWebhook>(
    `select ${columns} from ${withAccount}
     where h.org_id = $1 and h.environment = $2 and h.linked_account_id = $3 and h.app_slug = $4`,
    [tenant.orgId, tenant.environment, linkedAccountId, slug],
  );
  return rows;
}

/** Stores the keys of a hook that a person made at the provider, over those that were there. */
export async function saveManualWebhook(
  pool: Pool,
  tenant: Tenant,
  hook: {
    readonly linkedAccountId: string;
    readonly slug: string;
    readonly trigger: string;
    readonly seal: (id: string) => Buffer;
  },
): Promise<void> {
  const found = (await listAppWebhooks(pool, tenant, hook.linkedAccountId, hook.slug)).find(
    ({ trigger }) => trigger === hook.trigger,
  );
  // The sealed value is bound to the id of its row, so the row comes first.
  const id = found?.id ?? (await insertManual(pool, tenant, hook));
  await pool.query(
    `update app_webhook set secrets_sealed = $4, updated_at = now()
     where org_id = $1 and environment = $2 and id = $3`,
    [tenant.orgId, tenant.environment, id, hook.seal(id)],
  );
}

async function insertManual(
  pool: Pool,
  tenant: Tenant,
  hook: { readonly linkedAccountId: string; readonly slug: string; readonly trigger: string },
): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    `insert into app_webhook (id, org_id, environment, linked_account_id, app_slug, trigger, is_manual, is_wanted)
     values ($1, $2, $3, $4, $5, $6, true, true)
     on conflict (org_id, environment, linked_account_id, app_slug, trigger) do update set is_manual = true
     returning id`,
    [newId(), tenant.orgId, tenant.environment, hook.linkedAccountId, hook.slug, hook.trigger],
  );
  return rows[0]!.id;
}

/**
 * Brings the table in line with the workflows that are published and switched on: a row for each account, app and
 * trigger that some workflow listens to, and none wanted beside them.
 *
 * @param subscribable - `slug/trigger` of those that a connector can subscribe to
 */
export async function wantAppWebhooks(pool: Pool, subscribable: readonly string[]): Promise<void> {
  await pool.query({ name: 'inlay-want-app-webhooks', text: want, values: [subscribable] });
}

const want = `with wanted as materialized (
    select distinct a.org_id, a.environment, a.id as linked_account_id, k.app_slug,
      split_part(w.trigger_event, '/', 2) as trigger
    from workflow w
    join connection k on k.org_id = w.org_id and k.environment = w.environment and k.status = 'active'
      and k.app_slug = split_part(w.trigger_event, '/', 1)
    join linked_account a on a.id = k.linked_account_id
    ${accountSwitchesEverywhere}
    where w.trigger_kind = 'app_event' and w.trigger_event = any($1) and w.published_version is not null
      and ${isSwitchedOn}
  ), made as (
    insert into app_webhook (id, org_id, environment, linked_account_id, app_slug, trigger, is_wanted, due_at)
    select substr(md5(random()::text || linked_account_id || app_slug || trigger), 1, 24), org_id, environment, linked_account_id, app_slug, trigger, true, now()
    from wanted
    on conflict (org_id, environment, linked_account_id, app_slug, trigger) do update
      set is_wanted = true, due_at = now(), attempts = 0
      where not app_webhook.is_wanted and not app_webhook.is_manual
  )
  update app_webhook h set is_wanted = false, due_at = now(), attempts = 0
  where h.is_wanted and not h.is_manual and not exists (
    select from wanted w where w.org_id = h.org_id and w.environment = h.environment
      and w.linked_account_id = h.linked_account_id and w.app_slug = h.app_slug and w.trigger = h.trigger)`;

/**
 * Takes webhooks that something is to be done about at the provider; nobody else gets them for `leaseS`, so that one
 * whose process dies is tried again.
 */
export async function claimDueWebhooks(pool: Pool, limit: number, leaseS: number): Promise<AppWebhook[]> {
  const { rows } = await pool.query<AppWebhook>(
    `with due as (
       select id from app_webhook
       where not is_manual and due_at <= now()
         and (is_wanted <> (provider_id is not null) or not is_wanted or renew_at <= now())
       order by due_at limit $1 for update skip locked
     )
     update app_webhook h set due_at = now() + $2 * interval '1 second', attempts = h.attempts + 1
     from due, linked_account a where due.id = h.id and a.id = h.linked_account_id
     returning ${columns}`,
    [limit, leaseS],
  );
  return rows;
}

export async function storeSubscription(
  pool: Pool,
  hook: AppWebhook,
  made: {
    readonly providerId: string;
    readonly sealed: Buffer;
    readonly routeKey: string | undefined;
    readonly renewAfterMs: number | undefined;
  },
): Promise<void> {
  await pool.query(
    `update app_webhook set provider_id = $4, secrets_sealed = $5, route_key = $6, attempts = 0, error_text = null,
       due_at = coalesce(now() + $7 * interval '1 millisecond', now()),
       renew_at = now() + $7 * interval '1 millisecond', updated_at = now()
     where org_id = $1 and environment = $2 and id = $3`,
    [
      hook.org_id,
      hook.environment,
      hook.id,
      made.providerId,
      made.sealed,
      made.routeKey ?? null,
      made.renewAfterMs ?? null,
    ],
  );
}

export async function delayWebhook(
  pool: Pool,
  hook: AppWebhook,
  retry: { readonly afterS: number; readonly reason: string },
): Promise<void> {
  await pool.query(
    `update app_webhook set due_at = now() + $4 * interval '1 second', error_text = $5, updated_at = now()
     where org_id = $1 and environment = $2 and id = $3`,
    [hook.org_id, hook.environment, hook.id, retry.afterS, retry.reason],
  );
}

/** Forgets a webhook, unless a workflow was switched on meanwhile: then it is subscribed to anew. */
export async function deleteAppWebhook(pool: Pool, hook: AppWebhook): Promise<void> {
  await pool.query(
    `with gone as (
       delete from app_webhook where org_id = $1 and environment = $2 and id = $3 and not is_wanted
     )
     update app_webhook set provider_id = null, secrets_sealed = null, due_at = now()
     where org_id = $1 and environment = $2 and id = $3 and is_wanted`,
    [hook.org_id, hook.environment, hook.id],
  );
}

/** The workflows that an app's event starts for an account, each in every config that it is switched on in. */
export async function findAppEventListeners(
  pool: Pool,
  tenant: Tenant,
  event: string,
  linkedAccountId: string,
): Promise<(Listener & { readonly configId: string })[]> {
  const { rows } = await pool.query<{
    id: string;
    published_version: number;
    app_slug: string | null;
    access_filter: unknown;
    udf: UserDefinedField[];
    config_id: string;
  }>({
    name: 'app_event_listeners',
    text: `select w.id, w.published_version, w.app_slug, w.access_filter, a.udf,
        coalesce(c.config_id, a.account_id) as config_id
      from workflow w
      join linked_account a on a.org_id = w.org_id and a.environment = w.environment and a.id = $4
      ${accountSwitchesEverywhere}
      where w.org_id = $1 and w.environment = $2 and w.trigger_kind = 'app_event' and w.trigger_event = $3
        and w.published_version is not null and ${isSwitchedOn}
      order by w.created_at, w.id`,
    values: [tenant.orgId, tenant.environment, event, linkedAccountId],
  });
  return rows
    .filter((row) => passesAccessFilter(readAccessFilter(row.access_filter), row.udf))
    .map((row) => ({
      workflowId: row.id,
      version: row.published_version,
      slug: row.app_slug ?? undefined,
      configId: row.config_id,
    }));
}

import { sql, type RawBuilder } from 'kysely';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** Whose registrations to look at. */
export type RegistrationScope =
  | { readonly tenant: Tenant; readonly workflowId: string }
  | { readonly tenant: Tenant; readonly linkedAccountId: string }
  | 'all';

/**
 * For whom each workflow runs by itself: the account that owns it, unless it switched it off; every config of its app in which it is switched on
 * (or switches itself on and was never switched off); and every account, when it belongs to no app and switches itself
 * on. The same accounts whose events start it (db/workflow-listeners). Access filters are judged when it fires.
 */
const targets = `
  select w.id as workflow_id, a.id as linked_account_id, a.account_id as config_id, w.org_id, w.environment
  from workflow w
  join linked_account a on a.id = w.linked_account_id and a.org_id = w.org_id and a.environment = w.environment
  where not exists (select from config c join config_workflow s on s.config_pk = c.id and s.workflow_id = w.id
    where c.org_id = w.org_id and c.environment = w.environment and c.linked_account_id = a.id
      and c.app_slug = w.app_slug and c.config_id = a.account_id and not s.is_enabled)
  union all
  select w.id, c.linked_account_id, c.config_id, w.org_id, w.environment
  from workflow w
  join config c on c.org_id = w.org_id and c.environment = w.environment and c.app_slug = w.app_slug
  left join config_workflow s on s.config_pk = c.id and s.workflow_id = w.id
  where w.linked_account_id is null and coalesce(s.is_enabled, w.is_auto_enabled)
  union all
  select w.id, a.id, a.account_id, w.org_id, w.environment
  from workflow w
  join linked_account a on a.org_id = w.org_id and a.environment = w.environment
  where w.linked_account_id is null and w.app_slug is null and w.is_auto_enabled`;

/** Whether a row of `alias` is for an account that has its workflow switched on. */
export function isTarget(alias: string): string {
  return `exists (select from (${targets}) t where t.workflow_id = ${alias}.workflow_id
    and t.linked_account_id = ${alias}.linked_account_id and t.config_id = ${alias}.config_id)`;
}

const newId = `left(inlay_id_floor(clock_timestamp()), 12) || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)`;

/**
 * Makes the schedules and polls in a scope follow from what is published and switched on: adds what is missing, takes
 * away what nobody wants any more. Called in every transaction that publishes, unpublishes, enables or disables; a
 * sweep calls it for everything, so that what a way in between missed is put right.
 *
 * - A schedule is worked out anew when the published start node says another one, and gone while nothing is published.
 * - A poll keeps its cursor over versions and while nothing is published, and loses it when it is switched off.
 */
export async function deriveTriggers(db: Db, scope: RegistrationScope): Promise<void> {
  const of = (alias: string): RawBuilder<unknown> => within(scope, alias);
  const raw = (text: string): RawBuilder<unknown> => sql.raw(text);

  await sql`delete from schedule s using workflow w
    where w.id = s.workflow_id and not s.is_by_api and ${of('s')}
      and (w.trigger_kind is distinct from 'schedule' or not ${raw(isTarget('s'))})`.execute(db);
  await sql`update schedule s set declared = w.trigger, due_at = null, next_at = 'epoch', updated_at = now()
    from workflow w
    where w.id = s.workflow_id and not s.is_by_api and ${of('s')} and s.declared <> w.trigger`.execute(db);
  await sql`insert into schedule
      (id, org_id, environment, linked_account_id, config_id, workflow_id, is_by_api, declared, next_at)
    select ${raw(newId)}, s.org_id, s.environment, s.linked_account_id, s.config_id, w.id, false, w.trigger, 'epoch'
    from workflow w join (${raw(targets)}) s on s.workflow_id = w.id
    where w.trigger_kind = 'schedule' and ${of('s')}
    on conflict (workflow_id, linked_account_id, config_id) where not is_by_api do nothing`.execute(db);

  await sql`delete from poll s using workflow w
    where w.id = s.workflow_id and ${of('s')}
      and ((w.trigger_kind is not null and w.trigger_kind <> 'polling')
        or s.node_id <> w.trigger ->> 'node_id' or not ${raw(isTarget('s'))})`.execute(db);
  await sql`update poll s set is_active = w.trigger_kind is not null, next_at = 'epoch', claim = null
    from workflow w
    where w.id = s.workflow_id and ${of('s')} and s.is_active <> (w.trigger_kind is not null)`.execute(db);
  await sql`insert into poll
      (id, org_id, environment, workflow_id, linked_account_id, config_id, node_id, is_active, next_at)
    select ${raw(newId)}, s.org_id, s.environment, w.id, s.linked_account_id, s.config_id, w.trigger ->> 'node_id',
      true, 'epoch'
    from workflow w join (${raw(targets)}) s on s.workflow_id = w.id
    where w.trigger_kind = 'polling' and ${of('s')}
    on conflict (workflow_id, linked_account_id, config_id, node_id) do nothing`.execute(db);
}

function within(scope: RegistrationScope, alias: string): RawBuilder<unknown> {
  if (scope === 'all') return sql`true`;
  const { tenant } = scope;
  const [column, value] =
    'workflowId' in scope ? ['workflow_id', scope.workflowId] : ['linked_account_id', scope.linkedAccountId];
  return sql`${sql.ref(`${alias}.org_id`)} = ${tenant.orgId}
    and ${sql.ref(`${alias}.environment`)} = ${tenant.environment}
    and ${sql.ref(`${alias}.${column}`)} = ${value}`;
}

/** The schedules that were made by call for a config stop when the config is gone. */
export async function stopSchedulesOfConfig(
  db: Db,
  tenant: Tenant,
  of: { readonly linkedAccountId: string; readonly configId: string; readonly slug: string },
): Promise<void> {
  await sql`update schedule s set is_paused = true, inactive_from = now(), updated_at = now()
    where s.org_id = ${tenant.orgId} and s.environment = ${tenant.environment}
      and s.linked_account_id = ${of.linkedAccountId} and s.config_id = ${of.configId}
      and s.is_by_api and not s.is_paused
      and (s.app_slug = ${of.slug} or exists (
        select from workflow w where w.id = s.workflow_id and w.app_slug = ${of.slug}))`.execute(db);
}

/** An account that has authorized again: its polls of the app go on at once; of somebody else, they begin anew. */
export async function resumePolls(
  db: Db,
  tenant: Tenant,
  of: { readonly linkedAccountId: string; readonly slug: string; readonly isOtherAccount: boolean },
): Promise<void> {
  await sql`update poll p set next_at = 'epoch', failures = 0,
      target = case when ${of.isOtherAccount} then null else p.target end
    from workflow w
    where w.id = p.workflow_id and coalesce(w.trigger ->> 'app', w.trigger ->> 'slug', w.app_slug) = ${of.slug}
      and p.org_id = ${tenant.orgId} and p.environment = ${tenant.environment}
      and p.linked_account_id = ${of.linkedAccountId}
      and (p.needs_reauth or p.failures > 0 or ${of.isOtherAccount})`.execute(db);
}

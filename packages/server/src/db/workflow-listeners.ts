import type { Db } from '#db/schema';
import { sql } from 'kysely';
import type { Tenant } from '#domain/tenant';

/** A published workflow that an event starts. */
export interface Listener {
  readonly workflowId: string;
  readonly version: number;
  readonly slug: string | null;
}

/**
 * The published workflows that listen to an event for one account and config: the organisation's that are enabled
 * in the config, and the account's own.
 */
export async function findListeners(
  db: Db,
  tenant: Tenant,
  of: { event: string; linkedAccountId: string; configId: string; slug?: string | undefined },
): Promise<Listener[]> {
  const { rows } = await sql<Listener>`
    select w.id as "workflowId", w.published_version as version, w.app_slug as slug
    from workflow w
    where w.org_id = ${tenant.orgId} and w.environment = ${tenant.environment}
      and w.trigger_kind = 'event' and w.published_version is not null and w.trigger_event = ${of.event}
      and (${of.slug ?? null}::text is null or w.app_slug = ${of.slug ?? null})
      and case when w.linked_account_id is not null then w.linked_account_id = ${of.linkedAccountId}
        else exists (
          select from config c join config_workflow e on e.config_pk = c.id and e.workflow_id = w.id and e.is_enabled
          where c.org_id = w.org_id and c.environment = w.environment
            and c.linked_account_id = ${of.linkedAccountId} and c.config_id = ${of.configId}) end
    order by w.id`.execute(db);
  return rows;
}

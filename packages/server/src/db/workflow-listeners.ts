import type { Pool } from 'pg';
import type { UserDefinedField } from '#db/schema';
import { passesAccessFilter, readAccessFilter } from '#domain/access-filter';
import type { Tenant } from '#domain/tenant';

/** A published workflow that an event starts for one linked account. */
export interface Listener {
  readonly workflowId: string;
  readonly version: number;
  readonly slug: string | undefined;
}

export interface ListenerQuery {
  readonly event: string;
  /** Record id of the linked account. */
  readonly linkedAccountId: string;
  readonly configId: string;
  /** Only workflows of this app. */
  readonly slug?: string | undefined;
}

interface ListenerRow {
  readonly id: string;
  readonly published_version: number;
  readonly app_slug: string | null;
  readonly access_filter: unknown;
  readonly udf: UserDefinedField[];
}

/**
 * The workflows that an event starts, in one statement on the index of (tenant, event):
 * - the account's own published workflows, unless they were switched off in the chosen config;
 * - the organisation's that are switched on in the chosen config, or switch themselves on and were never
 *   switched off there. Without a config a connection to the app is enough for the latter.
 */
export async function findListeners(pool: Pool, tenant: Tenant, query: ListenerQuery): Promise<Listener[]> {
  const { rows } = await pool.query<ListenerRow>({
    name: 'event_listeners',
    text: listeners,
    values: [
      tenant.orgId,
      tenant.environment,
      query.event,
      query.linkedAccountId,
      query.configId,
      query.slug ?? null,
    ],
  });
  return rows
    .filter((row) => passesAccessFilter(readAccessFilter(row.access_filter), row.udf))
    .map((row) => ({ workflowId: row.id, version: row.published_version, slug: row.app_slug ?? undefined }));
}

/** The configs `c` and switches `s` of account `a` for workflow `w`; of one config when `$5` is asked for. */
const switches = (ofConfig: string): string => `
  left join config c
    on c.org_id = w.org_id and c.environment = w.environment and c.linked_account_id = a.id
    and c.app_slug = w.app_slug ${ofConfig}
  left join config_workflow s on s.config_pk = c.id and s.workflow_id = w.id`;

/** As {@link isSwitchedOn} needs them, in the config `$5`. */
export const accountSwitches = switches('and c.config_id = $5');

/** The same in every config of the account. */
export const accountSwitchesEverywhere = switches('');

/** That workflow `w` may run for account `a`. */
export const isSwitchedOn = `((w.linked_account_id = a.id and coalesce(s.is_enabled, true))
      or (w.linked_account_id is null
        and coalesce(s.is_enabled, w.is_auto_enabled)
        and (w.app_slug is null or c.id is not null or exists (
          select from connection n
          where n.org_id = w.org_id and n.environment = w.environment
            and n.linked_account_id = a.id and n.app_slug = w.app_slug))))`;

const listeners = `
  select w.id, w.published_version, w.app_slug, w.access_filter, a.udf
  from workflow w
  join linked_account a on a.org_id = w.org_id and a.environment = w.environment and a.id = $4
  ${accountSwitches}
  where w.org_id = $1 and w.environment = $2
    and w.trigger_kind = 'event' and w.trigger_event = $3
    and w.published_version is not null
    and ($6::text is null or w.app_slug = $6)
    and ${isSwitchedOn}
  order by w.created_at, w.id`;

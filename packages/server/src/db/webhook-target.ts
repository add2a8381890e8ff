import type { Pool } from 'pg';
import type { UserDefinedField } from '#db/schema';
import { accountSwitches, isSwitchedOn } from '#db/workflow-listeners';
import { passesAccessFilter, readAccessFilter } from '#domain/access-filter';
import type { Tenant } from '#domain/tenant';

/** The workflow and the account behind an inbound webhook URL. */
export interface WebhookTarget {
  readonly workflowId: string;
  readonly version: number;
  readonly slug: string | undefined;
  readonly linkedAccount: { readonly id: string; readonly accountId: string };
}

export interface WebhookAddress {
  readonly tenant: Tenant;
  /** Of the workflow or of its draft: clients hold either. */
  readonly workflowId: string;
  /** The SaaS company's own id of the account. */
  readonly accountId: string;
  /** Absent: the account's default. */
  readonly configId: string | undefined;
}

interface Row {
  readonly id: string;
  readonly published_version: number;
  readonly app_slug: string | null;
  readonly access_filter: unknown;
  readonly account_record: string;
  readonly account_id: string;
  readonly udf: UserDefinedField[];
}

/**
 * Looks an inbound webhook URL up, each time anew: what was unpublished, disabled or deleted a moment ago is not
 * there. A workflow of one account is there under that account only.
 */
export async function findWebhookTarget(
  pool: Pool,
  address: WebhookAddress,
): Promise<WebhookTarget | undefined> {
  const { tenant, workflowId, accountId, configId } = address;
  const { rows } = await pool.query<Row>({
    name: 'webhook_target',
    text: findTarget,
    values: [tenant.orgId, tenant.environment, workflowId, accountId, configId ?? accountId],
  });
  const [row] = rows;
  if (row === undefined || !passesAccessFilter(readAccessFilter(row.access_filter), row.udf))
    return undefined;
  return {
    workflowId: row.id,
    version: row.published_version,
    slug: row.app_slug ?? undefined,
    linkedAccount: { id: row.account_record, accountId: row.account_id },
  };
}

const findTarget = `
  select w.id, w.published_version, w.app_slug, w.access_filter, a.id as account_record, a.account_id, a.udf
  from workflow w
  join linked_account a on a.org_id = w.org_id and a.environment = w.environment and a.account_id = $4
  ${accountSwitches}
  where w.org_id = $1 and w.environment = $2 and (w.id = $3 or w.draft_id = $3)
    and w.trigger_kind = 'webhook' and w.published_version is not null and ${isSwitchedOn}`;

import type { Pool } from 'pg';
import type { InboxResult, InboxSource } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** One arrival as the log shows it. */
export interface InboxEntry {
  readonly id: string;
  readonly source: InboxSource;
  readonly event: string | null;
  readonly linked_account_id: string;
  /** The SaaS company's own id of the account; null once the account is deleted. */
  readonly account_id: string | null;
  readonly config_id: string;
  readonly app_slug: string | null;
  readonly is_duplicate: boolean;
  readonly execution_count: number;
  readonly results: readonly InboxResult[] | null;
  readonly received_at: Date;
}

export interface InboxFilter {
  readonly source?: InboxSource | undefined;
  readonly event?: string | undefined;
  readonly accountId?: string | undefined;
  readonly isDuplicate?: boolean | undefined;
  /** Entries before this one: the last of the page before. */
  readonly before?: string | undefined;
}

const columns = `i.id, i.source, i.event, i.linked_account_id, a.account_id, i.config_id, i.app_slug, i.is_duplicate,
  i.execution_count, i.results, i.received_at`;

/** A page of what came in, newest first, without payloads. */
export async function listInbox(
  pool: Pool,
  tenant: Tenant,
  filter: InboxFilter,
  limit: number,
): Promise<InboxEntry[]> {
  const { rows } = await pool.query<InboxEntry>(
    `select ${columns} from inbox i left join linked_account a on a.id = i.linked_account_id
     where i.org_id = $1 and i.environment = $2
       and ($3::text is null or i.source = $3) and ($4::text is null or i.event = $4)
       and ($5::text is null or a.account_id = $5) and ($6::boolean is null or i.is_duplicate = $6)
       and ($7::text is null or i.id < $7)
     order by i.id desc limit $8`,
    [
      tenant.orgId,
      tenant.environment,
      filter.source ?? null,
      filter.event ?? null,
      filter.accountId ?? null,
      filter.isDuplicate ?? null,
      filter.before ?? null,
      limit,
    ],
  );
  return rows;
}

/** One arrival with its payload. */
export async function findInboxEntry(
  pool: Pool,
  tenant: Tenant,
  id: string,
): Promise<(InboxEntry & { readonly payload: unknown }) | undefined> {
  const { rows } = await pool.query<InboxEntry & { payload: unknown; content: string | null }>(
    `select ${columns}, i.payload, b.content
     from inbox i left join linked_account a on a.id = i.linked_account_id
     left join blob b on b.org_id = i.org_id and b.environment = i.environment and b.hash = i.payload_blob
     where i.org_id = $1 and i.environment = $2 and i.id = $3`,
    [tenant.orgId, tenant.environment, id],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { content, ...entry } = row;
  return content === null ? entry : { ...entry, payload: JSON.parse(content) as unknown };
}

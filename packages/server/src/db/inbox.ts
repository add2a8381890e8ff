import type { PoolClient } from 'pg';
import { hashOf, jsonOf, type StoredValue } from '#db/journal-flush';
import type { Tenant } from '#domain/tenant';

/** Something that came in, as the log of events keeps it. */
export interface InboxRow {
  readonly id: string;
  readonly tenant: Tenant;
  readonly event: string;
  readonly linkedAccountId: string;
  readonly configId: string;
  readonly appSlug: string | null;
  readonly payload: StoredValue;
  readonly isDuplicate: boolean;
  readonly executionCount: number;
  readonly receivedAt: Date;
}

export async function insertInbox(client: PoolClient, rows: readonly InboxRow[]): Promise<void> {
  await client.query({
    name: 'inlay-inbox',
    text: `insert into inbox (id, org_id, environment, event, linked_account_id, config_id, app_slug, payload,
        payload_blob, is_duplicate, execution_count, received_at)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::json[], $9::bytea[], $10::boolean[], $11::int[], $12::timestamptz[])`,
    values: [
      rows.map((row) => row.id),
      rows.map((row) => row.tenant.orgId),
      rows.map((row) => row.tenant.environment),
      rows.map((row) => row.event),
      rows.map((row) => row.linkedAccountId),
      rows.map((row) => row.configId),
      rows.map((row) => row.appSlug),
      rows.map((row) => jsonOf(row.payload)),
      rows.map((row) => hashOf(row.payload)),
      rows.map((row) => row.isDuplicate),
      rows.map((row) => row.executionCount),
      rows.map((row) => row.receivedAt),
    ],
  });
}

export interface InboxKey {
  readonly tenant: Tenant;
  readonly scope: string;
  readonly key: string;
}

/**
 * Takes keys for the length of the window. A key that somebody took inside the window is not taken again; two
 * transactions with the same key wait for each other at its row.
 *
 * @param keys - distinct
 * @returns which were taken, in the form of {@link inboxKeyText}
 */
export async function takeInboxKeys(
  client: PoolClient,
  keys: readonly InboxKey[],
  windowS: number,
): Promise<Set<string>> {
  if (keys.length === 0) return new Set();
  // In one order everywhere, so that two batches cannot wait for each other in a circle.
  const ordered = [...keys].sort((a, b) => (inboxKeyText(a) < inboxKeyText(b) ? -1 : 1));
  const { rows } = await client.query<{
    org_id: string;
    environment: Tenant['environment'];
    scope: string;
    key: string;
  }>({
    name: 'inlay-inbox-keys',
    text: `insert into inbox_key (org_id, environment, scope, key, expires_at)
      select u.*, now() + $5 * interval '1 second'
      from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as u(org_id, environment, scope, key)
      on conflict (org_id, environment, scope, key) do update set expires_at = excluded.expires_at
        where inbox_key.expires_at <= now()
      returning org_id, environment, scope, key`,
    values: [
      ordered.map((key) => key.tenant.orgId),
      ordered.map((key) => key.tenant.environment),
      ordered.map((key) => key.scope),
      ordered.map((key) => key.key),
      windowS,
    ],
  });
  return new Set(
    rows.map(({ org_id, environment, scope, key }) =>
      inboxKeyText({ tenant: { orgId: org_id, environment }, scope, key }),
    ),
  );
}

export function inboxKeyText({ tenant, scope, key }: InboxKey): string {
  return JSON.stringify([tenant.orgId, tenant.environment, scope, key]);
}

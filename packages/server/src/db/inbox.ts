import { createHash } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import { hashOf, jsonOf, type StoredValue } from '#db/journal-flush';
import type { InboxResult, InboxSource } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** Something that came in, as the log of events keeps it. */
export interface InboxRow {
  readonly id: string;
  readonly tenant: Tenant;
  readonly source: InboxSource;
  /** The name of an event; of an app's event `slug/trigger`; null for anything else. */
  readonly event: string | null;
  readonly linkedAccountId: string;
  readonly configId: string;
  readonly appSlug: string | null;
  readonly payload: StoredValue;
  readonly isDuplicate: boolean;
  readonly executionCount: number;
  readonly results: readonly InboxResult[];
  readonly receivedAt: Date;
}

export async function insertInbox(client: PoolClient, rows: readonly InboxRow[]): Promise<void> {
  await client.query({
    name: 'inlay-inbox',
    text: `insert into inbox (id, org_id, environment, event, linked_account_id, config_id, app_slug, payload,
        payload_blob, is_duplicate, execution_count, received_at, source, results)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::json[], $9::bytea[], $10::boolean[], $11::int[], $12::timestamptz[], $13::text[], $14::json[])`,
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
      rows.map((row) => row.source),
      rows.map((row) => JSON.stringify(row.results)),
    ],
  });
}

export interface InboxKey {
  readonly tenant: Tenant;
  /** What the key belongs to; {@link triggerScope} for a workflow's. */
  readonly scope: string;
  readonly key: string;
  /** How long repeats count as repeats, in seconds. */
  readonly windowS: number;
}

/** A workflow's keys are an account's own: two customers may send the same order number. */
export function triggerScope(workflowId: string, linkedAccountId: string): string {
  return `workflow:${workflowId}:${linkedAccountId}`;
}

/** Whether a key was taken inside its window; only a look, which decides nothing. */
export async function isInboxKeyTaken(pool: Pool, { tenant, scope, key }: InboxKey): Promise<boolean> {
  const { rows } = await pool.query(
    `select from inbox_key
     where org_id = $1 and environment = $2 and scope = $3 and key = $4 and expires_at > now()`,
    [tenant.orgId, tenant.environment, scope, storedKey(key)],
  );
  return rows.length > 0;
}

/**
 * Takes keys, each for the length of its window. A key that somebody took inside the window is not taken again; two
 * transactions with the same key wait for each other at its row.
 *
 * @param keys - distinct
 * @returns which were taken, in the form of {@link inboxKeyText}
 */
export async function takeInboxKeys(client: PoolClient, keys: readonly InboxKey[]): Promise<Set<string>> {
  if (keys.length === 0) return new Set();
  // In one order everywhere, so that two batches cannot wait for each other in a circle.
  const ordered = keys
    .map(({ key, ...rest }) => ({ ...rest, key: storedKey(key) }))
    .sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1));
  const { rows } = await client.query<{
    org_id: string;
    environment: Tenant['environment'];
    scope: string;
    key: string;
  }>({
    name: 'inlay-inbox-keys',
    text: `insert into inbox_key (org_id, environment, scope, key, expires_at)
      select u.org_id, u.environment, u.scope, u.key, now() + u.window_s * interval '1 second'
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[])
        as u(org_id, environment, scope, key, window_s)
      on conflict (org_id, environment, scope, key) do update set expires_at = excluded.expires_at
        where inbox_key.expires_at <= now()
      returning org_id, environment, scope, key`,
    values: [
      ordered.map((key) => key.tenant.orgId),
      ordered.map((key) => key.tenant.environment),
      ordered.map((key) => key.scope),
      ordered.map((key) => key.key),
      ordered.map((key) => key.windowS),
    ],
  });
  return new Set(
    rows.map(({ org_id, environment, scope, key }) =>
      keyText({ tenant: { orgId: org_id, environment }, scope, key }),
    ),
  );
}

export function inboxKeyText({ key, ...rest }: Omit<InboxKey, 'windowS'>): string {
  return keyText({ ...rest, key: storedKey(key) });
}

function keyText({ tenant, scope, key }: Omit<InboxKey, 'windowS'>): string {
  return JSON.stringify([tenant.orgId, tenant.environment, scope, key]);
}

/** Keys are only ever compared. Hashed, none of them says what came in, which may be secret. */
function storedKey(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}

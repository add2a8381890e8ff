import type { Pool, PoolClient } from 'pg';
import type { UserDefinedField } from '#db/schema';
import { isTarget } from '#db/trigger-registration';
import type { Environment, Tenant } from '#domain/tenant';

/** A poll that was taken, with what it is to do. */
export interface ClaimedPoll {
  readonly id: string;
  readonly org_id: string;
  readonly environment: Environment;
  readonly workflow_id: string;
  readonly linked_account_id: string;
  readonly account_id: string;
  readonly config_id: string;
  readonly target: string | null;
  readonly cursor_at: Date | null;
  readonly failures: number;
  readonly app_slug: string | null;
  readonly trigger: Readonly<Record<string, unknown>> | null;
  readonly access_filter: unknown;
  readonly udf: readonly UserDefinedField[];
  readonly is_target: boolean;
}

/**
 * Takes polls that are due: accounts take turns, so that one with many polls does not hold up the others. For the time
 * of the lease nobody else takes them; who ends without a word leaves them due again.
 *
 * @param claim - unguessable; whoever writes the outcome shows it
 */
export async function claimPolls(
  pool: Pool,
  of: { readonly now: Date; readonly limit: number; readonly claim: string; readonly leaseMs: number },
): Promise<ClaimedPoll[]> {
  const { rows } = await pool.query<ClaimedPoll>({
    name: 'inlay-claim-polls',
    text: `with turns as (
        select id, next_at, row_number() over (partition by linked_account_id order by next_at, id) as turn
        from poll where is_active and next_at <= $1
      ), due as materialized (
        select id from poll where is_active and next_at <= $1
          and id in (select id from turns order by turn, next_at limit $2)
        for update skip locked
      ), taken as (
        update poll p set claim = $3, next_at = $4 from due where p.id = due.id returning p.*
      )
      select p.id, p.org_id, p.environment, p.workflow_id, p.linked_account_id, a.account_id, p.config_id, p.target,
        p.cursor_at, p.failures, w.app_slug, w.trigger, w.access_filter, a.udf, ${isTarget('p')} as is_target
      from taken p join workflow w on w.id = p.workflow_id join linked_account a on a.id = p.linked_account_id`,
    values: [of.now, of.limit, of.claim, new Date(of.now.getTime() + of.leaseMs)],
  });
  return rows;
}

/**
 * Locks a claimed poll to the end of the transaction.
 *
 * @returns the version that is published now; undefined when the poll is not ours any more, or polls another thing
 */
export async function holdPoll(
  client: PoolClient,
  poll: ClaimedPoll,
  claim: string,
): Promise<{ readonly version: number } | undefined> {
  const { rows } = await client.query<{ version: number }>(
    `select w.published_version as version from poll p join workflow w on w.id = p.workflow_id
     where p.id = $1 and p.claim = $2 and p.is_active and w.published_version is not null and w.trigger = $3::jsonb
     for update of p`,
    [poll.id, claim, JSON.stringify(poll.trigger)],
  );
  return rows[0];
}

/** Remembers record versions by hash. @returns those that were not known, as hex */
export async function rememberRecords(
  client: PoolClient,
  poll: ClaimedPoll,
  hashes: readonly Buffer[],
  now: Date,
): Promise<ReadonlySet<string>> {
  if (hashes.length === 0) return new Set();
  const { rows } = await client.query<{ record_hash: Buffer; is_new: boolean }>(
    `insert into poll_seen (poll_id, record_hash, org_id, environment, listed_at)
     select $1, u.hash, $2, $3, $5 from unnest($4::bytea[]) as u(hash)
     on conflict (poll_id, record_hash) do update set listed_at = excluded.listed_at
     returning record_hash, xmax = 0 as is_new`,
    [poll.id, poll.org_id, poll.environment, hashes, now],
  );
  return new Set(rows.filter((row) => row.is_new).map((row) => row.record_hash.toString('hex')));
}

/** Ends a poll that read everything: the cursor, and when to look again. */
export async function finishPoll(
  client: PoolClient,
  poll: ClaimedPoll,
  of: {
    readonly target: string;
    readonly cursorAt: Date;
    readonly nextAt: Date;
    readonly now: Date;
    readonly forgetBefore: Date;
    readonly started: number;
    readonly warning: string | null;
  },
): Promise<void> {
  await client.query(
    `update poll set target = $2, cursor_at = $3, next_at = $4, last_checked_at = $5, last_new = $6::int,
       total_new = total_new + $6::int, last_error = $7, needs_reauth = false, failures = 0, claim = null
     where id = $1`,
    [poll.id, of.target, of.cursorAt, of.nextAt, of.now, of.started, of.warning],
  );
  await client.query('delete from poll_seen where poll_id = $1 and listed_at < $2', [
    poll.id,
    of.forgetBefore,
  ]);
}

/** Part of a long poll is done: the lease lasts longer, the cursor stays. */
export async function extendPoll(client: PoolClient, poll: ClaimedPoll, until: Date): Promise<void> {
  await client.query('update poll set next_at = $2 where id = $1', [poll.id, until]);
}

/** Ends a poll without an outcome. Nothing that it would have written is written. */
export async function releasePoll(
  pool: Pool,
  poll: ClaimedPoll,
  claim: string,
  of: {
    readonly nextAt: Date;
    /** Why it failed; undefined: it was not asked. */
    readonly failure?: { readonly reason: string; readonly needsReauth: boolean; readonly at: Date };
  },
): Promise<void> {
  await pool.query(
    `update poll set next_at = $3, claim = null, last_error = coalesce($4, last_error),
       needs_reauth = coalesce($5, needs_reauth), last_checked_at = coalesce($6, last_checked_at),
       failures = failures + case when $4::text is null then 0 else 1 end
     where id = $1 and claim = $2`,
    [
      poll.id,
      claim,
      of.nextAt,
      of.failure?.reason ?? null,
      of.failure?.needsReauth ?? null,
      of.failure?.at ?? null,
    ],
  );
}

/** A poll as the dashboard shows it. */
export interface ListedPoll {
  readonly id: string;
  readonly workflow_id: string;
  readonly workflow_name: string;
  readonly account_id: string;
  readonly config_id: string;
  readonly trigger: Readonly<Record<string, unknown>> | null;
  readonly is_active: boolean;
  readonly needs_reauth: boolean;
  readonly last_checked_at: Date | null;
  readonly next_at: Date;
  readonly last_new: number;
  readonly total_new: number;
  readonly last_error: string | null;
}

/** A page of polls, newest first; with an account, only that account's. */
export async function listPolls(
  pool: Pool,
  tenant: Tenant,
  linkedAccountId: string | undefined,
  page: { readonly page: number; readonly limit: number },
): Promise<{ rows: ListedPoll[]; total: number }> {
  const where = 'p.org_id = $1 and p.environment = $2 and ($3::text is null or p.linked_account_id = $3)';
  const values = [tenant.orgId, tenant.environment, linkedAccountId ?? null];
  const [{ rows }, { rows: counted }] = await Promise.all([
    pool.query<ListedPoll>(
      `select p.id, p.workflow_id, w.name as workflow_name, a.account_id, p.config_id, w.trigger, p.is_active,
         p.needs_reauth, p.last_checked_at, p.next_at, p.last_new, p.total_new, p.last_error
       from poll p join workflow w on w.id = p.workflow_id join linked_account a on a.id = p.linked_account_id
       where ${where} order by p.id desc limit $4 offset $5`,
      [...values, page.limit, (page.page - 1) * page.limit],
    ),
    pool.query<{ total: number }>(`select count(*) as total from poll p where ${where}`, values),
  ]);
  return { rows, total: counted[0]!.total };
}

import type { PoolClient } from 'pg';
import type { AlertEvent } from '#db/alert-event';
import type { Environment } from '#domain/tenant';

/** Adds ends to the minutes of the rules that count them. */
export async function countEnds(
  client: PoolClient,
  ends: readonly (AlertEvent & { readonly isFailure: boolean })[],
): Promise<void> {
  if (ends.length === 0) return;
  await client.query(
    `insert into alert_count as c (org_id, environment, rule_id, minute, ended, failed)
     select org_id, environment, rule_id, date_trunc('minute', at), count(*), count(*) filter (where is_failure)
     from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[])
       as u(org_id, environment, rule_id, at, is_failure)
     group by 1, 2, 3, 4
     on conflict (rule_id, minute) do update
       set ended = c.ended + excluded.ended, failed = c.failed + excluded.failed`,
    [
      ends.map(({ orgId }) => orgId),
      ends.map(({ environment }) => environment),
      ends.map(({ ruleId }) => ruleId),
      ends.map(({ at }) => at),
      ends.map(({ isFailure }) => isFailure),
    ],
  );
}

/** Notes for rules that miss runs when the last one completed. */
export async function noteCompleted(client: PoolClient, ends: readonly AlertEvent[]): Promise<void> {
  if (ends.length === 0) return;
  await client.query(
    `update alert_rule r set last_completed_at = greatest(r.last_completed_at, u.at)
     from (select rule_id, max(at) as at from unnest($1::text[], $2::timestamptz[]) as u(rule_id, at) group by 1) u
     where r.id = u.rule_id`,
    [ends.map(({ ruleId }) => ruleId), ends.map(({ at }) => at)],
  );
}

/** A rule about a stretch of time, with what was counted in it. */
export interface WindowRule {
  readonly id: string;
  readonly orgId: string;
  readonly environment: Environment;
  readonly watches: 'failure_rate' | 'no_run';
  readonly appSlug: string | null;
  readonly workflowIds: readonly string[] | null;
  readonly windowMinutes: number;
  readonly thresholdPercent: number | null;
  readonly leastRuns: number | null;
  readonly isFiring: boolean;
  readonly watchedSince: Date;
  readonly brokenAt: Date | null;
  readonly lastCompletedAt: Date | null;
  /** Of the last `windowMinutes` minutes, the one under way among them. */
  readonly ended: number;
  readonly failed: number;
}

/** Holds rules that are due, for the rest of the transaction. */
export async function takeWindowRules(
  client: PoolClient,
  now: Date,
  limit: number,
): Promise<readonly WindowRule[]> {
  const { rows } = await client.query<WindowRule>(
    `with due as (
       select * from alert_rule where is_enabled and next_check_at <= $1 order by next_check_at limit $2
       for update skip locked)
     select d.id, d.org_id as "orgId", d.environment, d.watches, d.app_slug as "appSlug",
       d.workflow_ids as "workflowIds", d.window_minutes as "windowMinutes",
       d.threshold_percent as "thresholdPercent", d.least_runs as "leastRuns", d.is_firing as "isFiring",
       d.watched_since as "watchedSince", d.broken_at as "brokenAt", d.last_completed_at as "lastCompletedAt",
       c.ended, c.failed
     from due d cross join lateral (
       select coalesce(sum(ended), 0)::int as ended, coalesce(sum(failed), 0)::int as failed from alert_count
       where rule_id = d.id and minute > $1::timestamptz - d.window_minutes * interval '1 minute') c`,
    [now, limit],
  );
  return rows;
}

/** Notes what a look at the rule found. */
export async function noteWindow(
  client: PoolClient,
  { orgId, environment, id }: WindowRule,
  found: { readonly isFiring: boolean; readonly brokenAt: Date | null; readonly nextCheckAt: Date },
): Promise<void> {
  await client.query(
    `update alert_rule set is_firing = $4, broken_at = $5, next_check_at = $6
     where org_id = $1 and environment = $2 and id = $3`,
    [orgId, environment, id, found.isFiring, found.brokenAt, found.nextCheckAt],
  );
}

/** Minutes that no window reaches any more go. */
export async function deleteOldCounts(client: { query: PoolClient['query'] }, before: Date): Promise<void> {
  await client.query(`delete from alert_count where minute < $1`, [before]);
}

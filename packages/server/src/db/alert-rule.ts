import type { Pool } from 'pg';
import type { Environment, Tenant } from '#domain/tenant';

export type AlertKind = 'default' | 'slack' | 'custom' | 'email';
export type AlertWatch = 'events' | 'failure_rate' | 'no_run';

/** Whom to tell of what, as it is stored. */
export interface StoredAlertRule {
  readonly id: string;
  readonly name: string;
  readonly isEnabled: boolean;
  readonly watches: AlertWatch;
  readonly events: readonly string[];
  readonly appSlug: string | null;
  readonly workflowIds: readonly string[] | null;
  readonly windowMinutes: number | null;
  readonly thresholdPercent: number | null;
  readonly leastRuns: number | null;
  readonly kind: AlertKind;
  /** `{url, headers, body}`; null: mail. */
  readonly targetSealed: Buffer | null;
  readonly method: 'POST' | 'PUT' | 'PATCH' | null;
  readonly recipients: readonly string[];
  readonly isFiring: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What somebody decides about a rule; the rest comes of itself. */
export type WrittenAlertRule = Omit<StoredAlertRule, 'isFiring' | 'createdAt' | 'updatedAt'>;

export const alertRuleColumns = `r.id, r.name, r.is_enabled as "isEnabled", r.watches, r.events,
  r.app_slug as "appSlug", r.workflow_ids as "workflowIds", r.window_minutes as "windowMinutes",
  r.threshold_percent as "thresholdPercent", r.least_runs as "leastRuns", r.kind, r.target_sealed as "targetSealed",
  r.method, r.recipients, r.is_firing as "isFiring", r.created_at as "createdAt",
  r.updated_at as "updatedAt"`;

export async function listAlertRules(pool: Pool, tenant: Tenant): Promise<readonly StoredAlertRule[]> {
  const { rows } = await pool.query<StoredAlertRule>(
    `select ${alertRuleColumns} from alert_rule r where org_id = $1 and environment = $2 order by id`,
    [tenant.orgId, tenant.environment],
  );
  return rows;
}

export async function findAlertRule(
  pool: Pool,
  tenant: Tenant,
  id: string,
): Promise<StoredAlertRule | undefined> {
  const { rows } = await pool.query<StoredAlertRule>(
    `select ${alertRuleColumns} from alert_rule r where org_id = $1 and environment = $2 and id = $3`,
    [tenant.orgId, tenant.environment, id],
  );
  return rows[0];
}

/**
 * Writes a rule anew or over. What it watches over time is judged from now on, unless only its name or its receiver
 * changed: an old alarm must not keep a changed rule silent, nor a new name ring it twice.
 */
export async function putAlertRule(
  pool: Pool,
  tenant: Tenant,
  rule: WrittenAlertRule,
  now: Date,
): Promise<void> {
  const isSameWatch = `(r.watches, r.is_enabled, r.app_slug, r.workflow_ids, r.window_minutes, r.threshold_percent,
      r.least_runs) is not distinct from (excluded.watches, excluded.is_enabled, excluded.app_slug,
      excluded.workflow_ids, excluded.window_minutes, excluded.threshold_percent, excluded.least_runs)`;
  await pool.query(
    `with written as (
       insert into alert_rule as r (id, org_id, environment, name, is_enabled, watches, events, app_slug, workflow_ids,
         window_minutes, threshold_percent, least_runs, kind, target_sealed, method, recipients, watched_since,
         next_check_at, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $17, $17)
       on conflict (id) do update set name = excluded.name, is_enabled = excluded.is_enabled,
         watches = excluded.watches, events = excluded.events, app_slug = excluded.app_slug,
         workflow_ids = excluded.workflow_ids, window_minutes = excluded.window_minutes,
         threshold_percent = excluded.threshold_percent, least_runs = excluded.least_runs, kind = excluded.kind,
         target_sealed = excluded.target_sealed, method = excluded.method,
         recipients = excluded.recipients, updated_at = excluded.updated_at, next_check_at = excluded.next_check_at,
         is_firing = r.is_firing and ${isSameWatch},
         broken_at = case when ${isSameWatch} then r.broken_at end,
         last_completed_at = case when ${isSameWatch} then r.last_completed_at end,
         watched_since = case when ${isSameWatch} then r.watched_since else excluded.watched_since end
       where r.org_id = excluded.org_id and r.environment = excluded.environment
       returning r.id, r.watched_since)
     delete from alert_count c using written w where c.rule_id = w.id and w.watched_since = $17`,
    [
      rule.id,
      tenant.orgId,
      tenant.environment,
      rule.name,
      rule.isEnabled,
      rule.watches,
      rule.events,
      rule.appSlug,
      rule.workflowIds,
      rule.windowMinutes,
      rule.thresholdPercent,
      rule.leastRuns,
      rule.kind,
      rule.targetSealed,
      rule.method,
      rule.recipients,
      now,
      rule.watches === 'events' ? null : now,
    ],
  );
}

/** Its deliveries go with it. */
export async function deleteAlertRule(pool: Pool, tenant: Tenant, id: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    `delete from alert_rule where org_id = $1 and environment = $2 and id = $3`,
    [tenant.orgId, tenant.environment, id],
  );
  return rowCount === 1;
}

/** The parts of a rule that the dispatcher needs, as it finds them beside an event. */
export interface RuleOfEvent {
  readonly orgId: string;
  readonly environment: Environment;
  readonly ruleId: string;
  readonly ruleName: string;
  readonly watches: AlertWatch;
  readonly kind: AlertKind;
}

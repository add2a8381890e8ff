import type { Pool } from 'pg';
import {
  deleteAlertRule,
  findAlertRule,
  listAlertRules,
  putAlertRule,
  type StoredAlertRule,
} from '#db/alert-rule';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { Vault } from '#vault/index';
import { countedEnds } from '#webhooks/events';
import type { AlertRuleInput } from '#webhooks/rule-input';
import { openTarget, sealTarget, type Target } from '#webhooks/target';

export interface AlertRuleDeps {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'sealJson' | 'openJson'>;
}

/** A rule with its target opened; who shows it leaves out what is secret. */
export interface AlertRule extends Omit<StoredAlertRule, 'targetSealed'> {
  readonly target: Target | null;
}

const mostRules = 100;

export async function alertRules(deps: AlertRuleDeps, tenant: Tenant): Promise<readonly AlertRule[]> {
  return (await listAlertRules(deps.pool, tenant)).map((rule) => opened(deps, rule));
}

/** @throws AppError `not_found` */
export async function alertRule(deps: AlertRuleDeps, tenant: Tenant, id: string): Promise<AlertRule> {
  return opened(deps, await storedRule(deps, tenant, id));
}

/** @throws AppError `wrong_state` above 100 rules, `invalid_request` for a webhook without an address */
export async function makeAlertRule(
  deps: AlertRuleDeps,
  tenant: Tenant,
  input: AlertRuleInput,
): Promise<AlertRule> {
  if ((await listAlertRules(deps.pool, tenant)).length >= mostRules) {
    throw new AppError('wrong_state', {
      reason: `An environment may have ${mostRules} alert rules. Remove one, or let one watch more workflows.`,
    });
  }
  return put(deps, tenant, newId(), input, null);
}

/**
 * Writes a rule over. Stored address, headers and body stay when they are left out.
 *
 * @throws AppError `not_found`; `invalid_request` when stored headers would go to another server
 */
export async function changeAlertRule(
  deps: AlertRuleDeps,
  tenant: Tenant,
  id: string,
  input: AlertRuleInput,
): Promise<AlertRule> {
  return put(deps, tenant, id, input, (await alertRule(deps, tenant, id)).target);
}

/** Its deliveries go with it. @throws AppError `not_found` */
export async function removeAlertRule(deps: AlertRuleDeps, tenant: Tenant, id: string): Promise<void> {
  if (!(await deleteAlertRule(deps.pool, tenant, id))) throw notFound(id);
}

/** @throws AppError `not_found` */
export async function storedRule(
  deps: Pick<AlertRuleDeps, 'pool'>,
  tenant: Tenant,
  id: string,
): Promise<StoredAlertRule> {
  const rule = await findAlertRule(deps.pool, tenant, id);
  if (rule === undefined) throw notFound(id);
  return rule;
}

async function put(
  deps: AlertRuleDeps,
  tenant: Tenant,
  id: string,
  input: AlertRuleInput,
  before: Target | null,
): Promise<AlertRule> {
  const target = input.kind === 'email' ? null : targetOf(input, before);
  await putAlertRule(
    deps.pool,
    tenant,
    {
      id,
      name: input.name,
      isEnabled: input.is_enabled,
      watches: input.watches,
      events: eventsOf(input),
      appSlug: input.app_slug,
      workflowIds: input.workflow_ids,
      windowMinutes: input.window_minutes ?? null,
      thresholdPercent: input.threshold_percent ?? null,
      leastRuns: input.watches === 'failure_rate' ? (input.least_runs ?? 1) : null,
      kind: input.kind,
      targetSealed: target && sealTarget(deps.vault, id, target),
      method: target && (input.method ?? 'POST'),
      recipients: input.recipients ?? [],
    },
    deps.clock.now(),
  );
  return alertRule(deps, tenant, id);
}

/** What is noted for a rule: to be told, or to be counted. */
function eventsOf({ watches, events }: AlertRuleInput): readonly string[] {
  if (watches === 'events') return [...new Set(events)];
  return watches === 'no_run' ? ['Workflow Completed'] : countedEnds;
}

function targetOf(input: AlertRuleInput, before: Target | null): Target {
  const url = input.url ?? before?.url;
  if (url === undefined) throw invalid('url', 'is required for webhooks');
  const kept = before?.headers ?? {};
  const isElsewhere = before !== null && new URL(url).origin !== new URL(before.url).origin;
  if (input.headers === undefined && isElsewhere && Object.keys(kept).length > 0) {
    const message = `the stored ones go to ${new URL(before.url).origin} only; give them again, or {} for none`;
    throw invalid('headers', message);
  }
  const given = input.body === undefined ? before?.body : input.body;
  const body = input.kind === 'custom' ? (given ?? null) : null;
  return { url, headers: input.headers ?? kept, body };
}

function opened(deps: AlertRuleDeps, { targetSealed, ...rule }: StoredAlertRule): AlertRule {
  return { ...rule, target: targetSealed && openTarget(deps.vault, rule.id, targetSealed) };
}

function invalid(path: string, message: string): AppError<'invalid_request'> {
  return new AppError('invalid_request', { problems: [{ path, message }] });
}

function notFound(id: string): AppError<'not_found'> {
  return new AppError('not_found', { what: 'Alert rule', id });
}

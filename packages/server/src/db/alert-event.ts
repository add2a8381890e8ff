import { sql } from 'kysely';
import type { PoolClient } from 'pg';
import type { RuleOfEvent } from '#db/alert-rule';
import type { Db } from '#db/schema';
import type { Environment, Tenant } from '#domain/tenant';

/** What there is to say about something that is no execution. */
export type EventDetail = Readonly<Record<string, unknown>>;

/** Something that a rule listens to, taken out of the outbox. */
export interface AlertEvent extends RuleOfEvent {
  readonly event: string;
  readonly executionId: string | null;
  readonly detail: EventDetail | null;
  readonly at: Date;
}

/**
 * Notes what became of a connection for every rule that listens, in the caller's transaction.
 *
 * @param linkedAccountId - our own id of the account
 */
export async function noteConnectionEvent(
  transaction: Db,
  {
    orgId,
    environment,
    linkedAccountId,
    slug,
  }: Tenant & { readonly linkedAccountId: string; readonly slug: string },
  event: 'Connection Created' | 'Connection Deleted' | 'Connection Expired',
  at: Date,
): Promise<void> {
  await sql`
    insert into alert_event (org_id, environment, rule_id, event, detail, at)
    select ${orgId}, ${environment}, l.rule_id, ${event},
      json_build_object('linked_account_id', a.account_id, 'slug', ${slug}::text), ${at}::timestamptz
    from inlay_alert_listeners(${orgId}, ${environment}, ${event}, ${slug}, null) l
    join linked_account a on a.org_id = ${orgId} and a.environment = ${environment} and a.id = ${linkedAccountId}`.execute(
    transaction,
  );
}

/**
 * Takes events out of the outbox, oldest first; whatever is made of them must commit with the same transaction. One
 * dispatcher at a time.
 *
 * @returns those whose rules still listen, and whether there may be more; undefined: somebody else is at it
 */
export async function takeAlertEvents(
  client: PoolClient,
  limit: number,
): Promise<{ readonly events: readonly AlertEvent[]; readonly mayBeMore: boolean } | undefined> {
  const { rows: locks } = await client.query<{ isMine: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext('inlay_alerts')) as "isMine"`,
  );
  if (!locks[0]!.isMine) return undefined;
  const { rows } = await client.query<AlertEvent & { readonly hasRule: boolean }>(
    `with taken as (
       delete from alert_event where id in (select id from alert_event order by id limit $1) returning *)
     select t.org_id as "orgId", t.environment, t.rule_id as "ruleId", r.name as "ruleName", r.watches, r.kind, t.event,
       t.execution_id as "executionId", t.detail, t.at, r.id is not null as "hasRule"
     from taken t
     left join alert_rule r on r.id = t.rule_id and r.org_id = t.org_id and r.environment = t.environment and r.is_enabled
     order by t.id`,
    [limit],
  );
  return { events: rows.filter(({ hasRule }) => hasRule), mayBeMore: rows.length === limit };
}

/** Puts an event of a rule's own into the outbox, in the caller's transaction. */
export async function insertAlertEvent(
  client: PoolClient,
  rule: { readonly id: string; readonly orgId: string; readonly environment: Environment },
  event: string,
  detail: EventDetail,
  at: Date,
): Promise<void> {
  await client.query(
    `insert into alert_event (org_id, environment, rule_id, event, detail, at) values ($1, $2, $3, $4, $5, $6)`,
    [rule.orgId, rule.environment, rule.id, event, JSON.stringify(detail), at],
  );
}

/** How an execution ended, with the last outcome of the node that failed, as the log shows it. */
export interface EndedExecution {
  readonly id: string;
  readonly state: string;
  readonly workflowId: string;
  readonly workflowName: string | null;
  readonly configId: string;
  readonly accountId: string;
  readonly appSlug: string | null;
  readonly errorText: string | null;
  readonly failedNodeId: string | null;
  readonly attempts: number | null;
  readonly nodeError: { readonly status?: number; readonly body?: unknown } | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date;
}

export async function describeEnds(
  client: PoolClient,
  ids: readonly string[],
): Promise<ReadonlyMap<string, EndedExecution>> {
  if (ids.length === 0) return new Map();
  const { rows } = await client.query<EndedExecution>(
    `select e.id, e.state, e.workflow_id as "workflowId", w.name as "workflowName", e.config_id as "configId",
       e.account_id as "accountId", e.app_slug as "appSlug", e.error_text as "errorText",
       e.failed_node_id as "failedNodeId", j.attempt as attempts, j.error as "nodeError", e.started_at as "startedAt",
       e.finished_at as "finishedAt"
     from execution e
     left join workflow w on w.id = e.workflow_id and w.org_id = e.org_id and w.environment = e.environment
     left join lateral (
       select attempt, error from journal
       where execution_id = e.id and node_id = e.failed_node_id and kind = 'outcome' and error is not null
       order by seq desc limit 1) j on true
     where e.id = any($1::text[])`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** What there is to do for alerts, in one look. */
export async function alertWork(
  client: { query: PoolClient['query'] },
  now: Date,
): Promise<{ readonly hasEvents: boolean; readonly hasChecks: boolean; readonly hasDeliveries: boolean }> {
  const { rows } = await client.query<{ hasEvents: boolean; hasChecks: boolean; hasDeliveries: boolean }>({
    name: 'inlay-alert-work',
    text: `select exists (select from alert_event) as "hasEvents",
      exists (select from alert_rule where is_enabled and next_check_at <= $1) as "hasChecks",
      exists (select from webhook_delivery where next_at <= $1) as "hasDeliveries"`,
    values: [now],
  });
  return rows[0]!;
}

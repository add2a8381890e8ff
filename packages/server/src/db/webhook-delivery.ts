import type { Pool, PoolClient } from 'pg';
import { alertRuleColumns, type StoredAlertRule } from '#db/alert-rule';
import type { Environment, Tenant } from '#domain/tenant';

export interface NewDelivery {
  readonly id: string;
  readonly orgId: string;
  readonly environment: Environment;
  readonly ruleId: string;
  readonly channel: 'webhook' | 'email';
  readonly event: string;
  readonly executionId: string | null;
  readonly content: string;
  readonly count: number;
  readonly nextAt: Date;
  readonly createdAt: Date;
}

const insertion = `insert into webhook_delivery as d (id, org_id, environment, rule_id, channel, event, execution_id,
  content, count, next_at, created_at)`;

function valuesOf(deliveries: readonly NewDelivery[]): unknown[] {
  return [
    deliveries.map(({ id }) => id),
    deliveries.map(({ orgId }) => orgId),
    deliveries.map(({ environment }) => environment),
    deliveries.map(({ ruleId }) => ruleId),
    deliveries.map(({ channel }) => channel),
    deliveries.map(({ event }) => event),
    deliveries.map(({ executionId }) => executionId),
    deliveries.map(({ content }) => content),
    deliveries.map(({ count }) => count),
    deliveries.map(({ nextAt }) => nextAt),
    deliveries.map(({ createdAt }) => createdAt),
  ];
}

const rows = `select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
  $8::text[], $9::int[], $10::timestamptz[], $11::timestamptz[])`;

export async function insertDeliveries(
  client: PoolClient,
  deliveries: readonly NewDelivery[],
): Promise<void> {
  if (deliveries.length > 0) await client.query(`${insertion} ${rows}`, valuesOf(deliveries));
}

/**
 * Adds lines to the mails of rules that have not been taken for sending, or begins new ones; one mail a rule. Lines
 * above `mostLines` are counted only.
 */
export async function gatherMails(
  client: PoolClient,
  mails: readonly NewDelivery[],
  mostLines: number,
): Promise<void> {
  if (mails.length === 0) return;
  await client.query(
    `${insertion} ${rows}
     on conflict (rule_id) where channel = 'email' and status = 'pending' and attempts = 0 and repeat_of is null
     do update set count = d.count + excluded.count,
       content = case when d.count < $12 then d.content || E'\\n' || excluded.content else d.content end`,
    [...valuesOf(mails), mostLines],
  );
}

/** A delivery that this process is to send, until its time is over, with its rule as it is now. */
export interface ClaimedDelivery extends Omit<NewDelivery, 'createdAt' | 'nextAt'> {
  /** Counts from 1. */
  readonly attempt: number;
  readonly repeatOf: string | null;
  readonly isTest: boolean;
  readonly rule: StoredAlertRule;
}

const claimedColumns = `d.id as "deliveryId", d.org_id as "orgId", d.environment, d.rule_id as "ruleId", d.channel,
  d.event, d.execution_id as "executionId", d.content, d.count, d.attempts as attempt, d.repeat_of as "repeatOf",
  d.is_test as "isTest", ${alertRuleColumns}`;

/**
 * Takes deliveries that are due, a few of each rule, so that a receiver that does not answer holds up nobody else.
 * Whoever dies with one leaves it to the others when its time is over.
 *
 * @param of.busy - rules to leave out
 * @param of.slow - rules of which one is enough
 */
export async function claimDeliveries(
  pool: Pool,
  of: {
    readonly now: Date;
    readonly until: { readonly webhook: Date; readonly email: Date };
    readonly limit: number;
    readonly perRule: number;
    readonly busy: readonly string[];
    readonly slow: readonly string[];
  },
): Promise<readonly ClaimedDelivery[]> {
  const { rows: claimed } = await pool.query<
    Omit<ClaimedDelivery, 'id' | 'rule'> & StoredAlertRule & { readonly deliveryId: string }
  >({
    name: 'inlay-claim-deliveries',
    text: `with recursive waiting as (
       (select rule_id from webhook_delivery where next_at is not null order by rule_id limit 1)
       union all
       select next.rule_id from waiting cross join lateral (
         select d.rule_id from webhook_delivery d where d.next_at is not null and d.rule_id > waiting.rule_id
         order by d.rule_id limit 1) next
     ), due as (
       select front.id from waiting cross join lateral (
         select d.id, d.next_at from webhook_delivery d where d.rule_id = waiting.rule_id and d.next_at <= $1
         order by d.next_at limit case when waiting.rule_id = any($6::text[]) then 1 else $4::int end
         for update skip locked) front
       where waiting.rule_id <> all($5::text[])
       order by front.next_at limit $3
     )
     update webhook_delivery d set attempts = d.attempts + 1, next_at = case d.channel when 'email' then $7 else $2::timestamptz end
     from due, alert_rule r
     where d.id = due.id and r.id = d.rule_id
     returning ${claimedColumns}`,
    values: [of.now, of.until.webhook, of.limit, of.perRule, of.busy, of.slow, of.until.email],
  });
  return claimed.map(({ deliveryId, ...row }) => ({
    ...row,
    id: deliveryId,
    rule: { ...row, id: row.ruleId },
  }));
}

/** Writes a delivery that is a trial of its rule, claimed by its caller until `nextAt`. */
export async function insertTestDelivery(pool: Pool, delivery: NewDelivery): Promise<void> {
  await pool.query(
    `insert into webhook_delivery (id, org_id, environment, rule_id, channel, event, content, next_at, created_at,
       is_test, attempts) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, true, 1)`,
    [
      delivery.id,
      delivery.orgId,
      delivery.environment,
      delivery.ruleId,
      delivery.channel,
      delivery.event,
      delivery.content,
      delivery.nextAt,
      delivery.createdAt,
    ],
  );
}

/** What went out and what came back, as people may see it. */
export interface Exchange {
  readonly request?: object | undefined;
  readonly response?: object | undefined;
  readonly error?: string | undefined;
}

/** What became of an attempt; one whose time was over says nothing any more. */
export async function settleDelivery(
  pool: Pool,
  { orgId, environment, id, attempt }: ClaimedDelivery,
  outcome:
    | { readonly status: 'sent' | 'failed'; readonly at: Date }
    | { readonly status: 'pending'; readonly nextAt: Date },
  { request, response, error }: Exchange,
): Promise<void> {
  const isPending = outcome.status === 'pending';
  await pool.query(
    `update webhook_delivery set status = $5, next_at = $6, ended_at = $7, request = $8, response = $9, last_error = $10
     where org_id = $1 and environment = $2 and id = $3 and attempts = $4 and status = 'pending'`,
    [
      orgId,
      environment,
      id,
      attempt,
      outcome.status,
      isPending ? outcome.nextAt : null,
      isPending ? null : outcome.at,
      request === undefined ? null : JSON.stringify(request),
      response === undefined ? null : JSON.stringify(response),
      error ?? null,
    ],
  );
}

export type DeliveryStatus = 'pending' | 'sent' | 'failed';

/** A delivery as lists show it. */
export interface DeliveryRow {
  readonly id: string;
  readonly ruleId: string;
  readonly ruleName: string;
  readonly channel: 'webhook' | 'email';
  readonly event: string;
  readonly executionId: string | null;
  readonly count: number;
  readonly isTest: boolean;
  readonly repeatOf: string | null;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly responseStatus: number | null;
  readonly lastError: string | null;
  readonly nextAt: Date | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

const shownColumns = `d.id, d.rule_id as "ruleId", r.name as "ruleName", d.channel, d.event,
  d.execution_id as "executionId", d.count, d.is_test as "isTest", d.repeat_of as "repeatOf", d.status, d.attempts,
  (d.response ->> 'status')::int as "responseStatus", d.last_error as "lastError", d.next_at as "nextAt",
  d.created_at as "createdAt", d.ended_at as "endedAt"`;

/** Deliveries, newest first, of one rule or all. */
export async function listDeliveries(
  pool: Pool,
  tenant: Tenant,
  of: {
    readonly ruleId?: string | undefined;
    readonly status?: DeliveryStatus | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  },
): Promise<readonly DeliveryRow[]> {
  const { rows: found } = await pool.query<DeliveryRow>(
    `select ${shownColumns} from webhook_delivery d join alert_rule r on r.id = d.rule_id
     where d.org_id = $1 and d.environment = $2 and ($3::text is null or d.rule_id = $3)
       and ($4::text is null or d.status = $4) and ($5::text is null or d.id < $5) order by d.id desc limit $6`,
    [tenant.orgId, tenant.environment, of.ruleId ?? null, of.status ?? null, of.before ?? null, of.limit],
  );
  return found;
}

/** One delivery with what it told and what it was answered. */
export interface DeliveryDetail extends DeliveryRow {
  readonly content: string;
  readonly request: unknown;
  readonly response: unknown;
}

export async function findDelivery(
  pool: Pool,
  tenant: Tenant,
  id: string,
): Promise<DeliveryDetail | undefined> {
  const { rows: found } = await pool.query<DeliveryDetail>(
    `select ${shownColumns}, d.content, d.request, d.response
     from webhook_delivery d join alert_rule r on r.id = d.rule_id
     where d.org_id = $1 and d.environment = $2 and d.id = $3`,
    [tenant.orgId, tenant.environment, id],
  );
  return found[0];
}

/** Sends a delivery that ended once more, as a delivery of its own; false: there is none, or it has not ended. */
export async function repeatDelivery(
  pool: Pool,
  tenant: Tenant,
  id: string,
  repeat: { readonly id: string; readonly now: Date },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `insert into webhook_delivery (id, org_id, environment, rule_id, channel, event, execution_id, content, count,
       is_test, repeat_of, next_at, created_at)
     select $4, org_id, environment, rule_id, channel, event, execution_id, content, count, is_test,
       coalesce(repeat_of, id), $5, $5
     from webhook_delivery where org_id = $1 and environment = $2 and id = $3 and status <> 'pending'`,
    [tenant.orgId, tenant.environment, id, repeat.id, repeat.now],
  );
  return rowCount === 1;
}

/** Gives up what could not be tried to the end: a receiver that hangs takes longer than its events need to come. */
export async function giveUpDeliveries(pool: Pool, before: Date, now: Date): Promise<void> {
  await pool.query(
    `update webhook_delivery set status = 'failed', next_at = null, ended_at = $2,
       last_error = coalesce(last_error || ' ', '') || 'Given up: it could not be sent within a day.'
     where next_at is not null and created_at < $1`,
    [before, now],
  );
}

/** Deliveries that ended long ago go. */
export async function deleteOldDeliveries(pool: Pool, before: Date): Promise<void> {
  await pool.query(`delete from webhook_delivery where ended_at < $1`, [before]);
}

import { sql, type RawBuilder } from 'kysely';
import type { Pool } from 'pg';
import { loadJournals, type StoredJournalRow } from '#db/execution-claim';
import type { Db, ExecutionMode, ExecutionSource, ExecutionState, WaitReason } from '#db/schema';
import type { Environment, Tenant } from '#domain/tenant';

/** An execution as lists and details show it. */
export interface ExecutionHeader {
  readonly id: string;
  readonly orgId: string;
  readonly environment: Environment;
  readonly workflowId: string;
  readonly workflowVersion: number | null;
  readonly workflowName: string | null;
  readonly document: unknown;
  readonly linkedAccountId: string;
  readonly accountId: string;
  readonly configId: string;
  readonly appSlug: string | null;
  readonly source: ExecutionSource;
  readonly triggerEvent: string | null;
  readonly mode: ExecutionMode;
  readonly state: ExecutionState;
  readonly stopRequestedAt: Date | null;
  readonly instanceTag: string | null;
  readonly rerunOf: string | null;
  /** The execution that it went on from, keeping what had finished there. */
  readonly retryOf: string | null;
  readonly responseNodeId: string | null;
  readonly statusCode: number | null;
  readonly failedNodeId: string | null;
  readonly errorText: string | null;
  /** The same for all errors of an app that differ in names and numbers only. */
  readonly errorHash: string | null;
  readonly customFieldValues: Readonly<Record<string, string>> | null;
  readonly nodeCount: number;
  readonly finishedNodeCount: number;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** The execution that started it as a sub-flow. */
  readonly parentExecutionId: string | null;
  /** Why it is suspended. */
  readonly waitsFor: WaitReason | null;
}

const columns = sql`e.id, e.org_id as "orgId", e.environment, e.workflow_id as "workflowId",
  e.workflow_version as "workflowVersion", w.name as "workflowName", e.linked_account_id as "linkedAccountId",
  e.account_id as "accountId", e.config_id as "configId", e.app_slug as "appSlug", e.source,
  e.trigger_event as "triggerEvent", e.mode, e.state, e.stop_requested_at as "stopRequestedAt",
  e.instance_tag as "instanceTag", e.rerun_of as "rerunOf", e.retry_of as "retryOf", e.response_node_id as "responseNodeId",
  e.status_code as "statusCode", e.failed_node_id as "failedNodeId", e.error_text as "errorText",
  e.error_hash as "errorHash", e.custom_field_values as "customFieldValues",
  e.node_count as "nodeCount", e.finished_node_count as "finishedNodeCount", e.created_at as "createdAt",
  e.started_at as "startedAt", e.finished_at as "finishedAt", e.parent_execution_id as "parentExecutionId",
  case when e.state = 'waiting' then (select x.reason from wait x where x.execution_id = e.id and x.woken_by is null
    order by x.reason = 'retry', x.due_at limit 1) end as "waitsFor"`;

const withWorkflow = sql`execution e left join workflow w
  on w.org_id = e.org_id and w.environment = e.environment and w.id = e.workflow_id`;

/** One execution of a tenant; with an account, only that account's. */
export async function findExecution(
  db: Db,
  tenant: Tenant,
  executionId: string,
  linkedAccountId?: string,
): Promise<ExecutionHeader | undefined> {
  const { rows } = await sql<ExecutionHeader>`
    select ${columns}, e.document from ${withWorkflow}
    where e.org_id = ${tenant.orgId} and e.environment = ${tenant.environment} and e.id = ${executionId}
      and (${linkedAccountId ?? null}::text is null or e.linked_account_id = ${linkedAccountId ?? null})`.execute(
    db,
  );
  return rows[0];
}

/** What to show of the log. Empty lists and absent fields are no filter. */
export interface ExecutionFilter {
  readonly linkedAccountId?: string | undefined;
  readonly executionId?: string | undefined;
  readonly workflowId?: string | undefined;
  readonly workflowName?: string | undefined;
  readonly slugs?: readonly string[] | undefined;
  readonly states?: readonly ExecutionState[] | undefined;
  /** True: running ones that were asked to stop; false: the others. */
  readonly isStopping?: boolean | undefined;
  readonly sources?: readonly ExecutionSource[] | undefined;
  readonly mode?: ExecutionMode | undefined;
  readonly instanceTag?: string | undefined;
  readonly errorHash?: string | undefined;
  /** Custom fields and their whole values. */
  readonly customFields?: Readonly<Record<string, string>> | undefined;
  /** Stands in the error, the instance tag or a custom field, whatever the case. */
  readonly text?: string | undefined;
  /** True: nobody has retried or rerun it. */
  readonly isUntouched?: boolean | undefined;
  /** Bounds on the time-ordered id: from inclusive, to exclusive. */
  readonly idFrom?: string | undefined;
  readonly idTo?: string | undefined;
}

export interface ExecutionPage {
  readonly offset: number;
  readonly limit: number;
  readonly isOldestFirst?: boolean | undefined;
  /** Nobody wants to know how many there are. */
  readonly isUncounted?: boolean | undefined;
}

/** No list counts further: nobody reads page five hundred, and counting a million rows takes a second. */
const countedAtMost = 5_000;
/** Nor does it look at more rows to find some that no index leads to. */
const lookedAtMost = 20_000;

/**
 * A page of the log, newest first unless `isOldestFirst`, and how many there are: exact up to five thousand, and as long
 * as no more than twenty thousand have to be looked at; beyond that at least as many as the page
 * shows, so that a reader who goes on always finds the next one.
 */
export async function listExecutions(
  db: Db,
  tenant: Tenant,
  filter: ExecutionFilter,
  at: ExecutionPage,
): Promise<{ executions: ExecutionHeader[]; total: number }> {
  const found = await conditions(db, tenant, filter);
  if (found === undefined) return { executions: [], total: 0 };
  const indexed = sql.join(found.indexed, sql` and `);
  const others = found.others.length === 0 ? sql`true` : sql.join(found.others, sql` and `);
  const order = at.isOldestFirst === true ? sql`e.id asc` : sql`e.id desc`;
  // Ids first, which the indexes hold; rows and their workflows only for what is shown.
  const [page, count] = await Promise.all([
    sql<ExecutionHeader>`select ${columns} from (
        select e.id from execution e where ${indexed} and ${others}
        order by ${order} limit ${at.limit + 1} offset ${at.offset}
      ) k cross join lateral (select * from execution where id = k.id limit 1) e
      left join workflow w on w.org_id = e.org_id and w.environment = e.environment and w.id = e.workflow_id
      order by ${order}`.execute(db),
    sql<{ total: number }>`select count(*)::int as total from (
      select from (select ${others} as is_meant from execution e where ${indexed}
        limit ${found.others.length === 0 ? countedAtMost : lookedAtMost}) looked
      where is_meant limit ${at.isUncounted === true ? 0 : countedAtMost}) counted`.execute(db),
  ]);
  return {
    executions: page.rows.slice(0, at.limit),
    total: Math.max(count.rows[0]?.total ?? 0, page.rows.length === 0 ? 0 : at.offset + page.rows.length),
  };
}

interface Conditions {
  /** Those that an index may serve. */
  readonly indexed: readonly RawBuilder<unknown>[];
  /** Those that rows are looked at for. */
  readonly others: readonly RawBuilder<unknown>[];
}

/** The filter in SQL; undefined: nothing can match it. Each state is spelt so that an index of its own serves it. */
async function conditions(db: Db, tenant: Tenant, filter: ExecutionFilter): Promise<Conditions | undefined> {
  const indexed = [sql`e.org_id = ${tenant.orgId} and e.environment = ${tenant.environment}`];
  const others: RawBuilder<unknown>[] = [];
  if (filter.linkedAccountId !== undefined)
    indexed.push(sql`e.linked_account_id = ${filter.linkedAccountId}`);
  if (filter.executionId === undefined) indexed.push(sql`e.is_listed`);
  else indexed.push(sql`e.id = ${filter.executionId}`);
  if (filter.workflowId !== undefined) indexed.push(sql`e.workflow_id = ${filter.workflowId}`);
  if (filter.workflowName !== undefined) {
    const ids = await workflowsNamed(db, tenant, filter.workflowName);
    if (ids.length === 0) return undefined;
    indexed.push(ids.length === 1 ? sql`e.workflow_id = ${ids[0]}` : sql`e.workflow_id = any(${ids})`);
  }
  if (filter.idFrom !== undefined) indexed.push(sql`e.id >= ${filter.idFrom}`);
  if (filter.idTo !== undefined) indexed.push(sql`e.id < ${filter.idTo}`);
  if (filter.states !== undefined && filter.states.length > 0)
    indexed.push(...stateConditions(filter.states));
  if (filter.instanceTag !== undefined) indexed.push(sql`e.instance_tag = ${filter.instanceTag}`);
  if (filter.errorHash !== undefined) indexed.push(sql`e.error_hash = ${filter.errorHash}`);
  if (filter.customFields !== undefined) {
    // Containment itself can use no index under row-level security, which asks it last: it is not leak-proof.
    indexed.push(sql`e.custom_field_values is not null`);
    others.push(sql`e.custom_field_values @> ${JSON.stringify(filter.customFields)}::jsonb`);
  }
  if (filter.slugs !== undefined && filter.slugs.length > 0)
    others.push(sql`e.app_slug = any(${filter.slugs})`);
  if (filter.isStopping !== undefined)
    others.push(sql`(e.stop_requested_at is not null) = ${filter.isStopping}`);
  if (filter.sources !== undefined) others.push(sql`e.source = any(${filter.sources})`);
  if (filter.mode !== undefined) others.push(sql`e.mode = ${filter.mode}`);
  if (filter.text !== undefined) {
    const part = filter.text.toLowerCase();
    others.push(sql`(strpos(lower(e.error_text), ${part}) > 0 or strpos(lower(e.instance_tag), ${part}) > 0
      or e.custom_field_values is not null and exists (
        select from jsonb_each_text(e.custom_field_values) f where strpos(lower(f.value), ${part}) > 0))`);
  }
  if (filter.isUntouched === true) {
    others.push(sql`not exists (select from execution r where r.retry_of = e.id)
      and not exists (select from execution r where r.rerun_of = e.id)`);
  }
  return { indexed, others };
}

/** Besides the states themselves what the planner cannot know of them and the table's own checks say. */
function stateConditions(states: readonly ExecutionState[]): RawBuilder<unknown>[] {
  const terms = [sql`e.state = any(${states})`];
  if (states.every((state) => state === 'running')) terms.push(sql`e.owner is not null`);
  else if (states.every((state) => state === 'running' || state === 'waiting'))
    terms.push(sql`(e.owner is not null or e.state = 'waiting')`);
  if (states.every((state) => failedStates.has(state)))
    terms.push(sql`e.state in ('errored', 'stopped', 'timed_out', 'terminated')`);
  return terms;
}

const failedStates: ReadonlySet<ExecutionState> = new Set(['errored', 'stopped', 'timed_out', 'terminated']);

async function workflowsNamed(db: Db, tenant: Tenant, part: string): Promise<string[]> {
  const rows = await db
    .selectFrom('workflow')
    .select('id')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where(sql<boolean>`strpos(lower(name), lower(${part})) > 0`)
    .execute();
  return rows.map(({ id }) => id);
}

/** Everything that was written of one execution, in order. The caller has checked whose it is. */
export async function readJournal(pool: Pool, executionId: string): Promise<StoredJournalRow[]> {
  return (await loadJournals(pool, [executionId])).get(executionId) ?? [];
}

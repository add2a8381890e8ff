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

/**
 * A page of the log, newest first unless `isOldestFirst`, and how many there are: exact up to five thousand, beyond
 * that at least as many as the page shows, so that a reader who goes on always finds the next one.
 */
export async function listExecutions(
  db: Db,
  tenant: Tenant,
  filter: ExecutionFilter,
  at: ExecutionPage,
): Promise<{ executions: ExecutionHeader[]; total: number }> {
  const where = await conditions(db, tenant, filter);
  if (where === undefined) return { executions: [], total: 0 };
  const order = at.isOldestFirst === true ? sql`e.id asc` : sql`e.id desc`;
  // The page first, its workflows after: a join would be made for every row that the offset passes over.
  const [page, count] = await Promise.all([
    sql<ExecutionHeader>`select ${columns} from (
        select * from execution e where ${where} order by ${order} limit ${at.limit + 1} offset ${at.offset}
      ) e left join workflow w on w.org_id = e.org_id and w.environment = e.environment and w.id = e.workflow_id
      order by ${order}`.execute(db),
    sql<{ total: number }>`select count(*)::int as total from (
      select from execution e where ${where} limit ${at.isUncounted === true ? 0 : countedAtMost}) counted`.execute(
      db,
    ),
  ]);
  return {
    executions: page.rows.slice(0, at.limit),
    total: Math.max(count.rows[0]?.total ?? 0, page.rows.length === 0 ? 0 : at.offset + page.rows.length),
  };
}

/** The filter in SQL; undefined: nothing can match it. Each state is spelt so that an index of its own serves it. */
async function conditions(
  db: Db,
  tenant: Tenant,
  filter: ExecutionFilter,
): Promise<RawBuilder<unknown> | undefined> {
  const terms = [sql`e.org_id = ${tenant.orgId} and e.environment = ${tenant.environment}`];
  if (filter.linkedAccountId !== undefined) terms.push(sql`e.linked_account_id = ${filter.linkedAccountId}`);
  if (filter.executionId === undefined) terms.push(sql`e.is_listed`);
  else terms.push(sql`e.id = ${filter.executionId}`);
  if (filter.workflowId !== undefined) terms.push(sql`e.workflow_id = ${filter.workflowId}`);
  if (filter.workflowName !== undefined) {
    const ids = await workflowsNamed(db, tenant, filter.workflowName);
    if (ids.length === 0) return undefined;
    terms.push(sql`e.workflow_id = any(${ids})`);
  }
  if (filter.slugs !== undefined && filter.slugs.length > 0)
    terms.push(sql`e.app_slug = any(${filter.slugs})`);
  if (filter.states !== undefined && filter.states.length > 0) {
    terms.push(sql`e.state = any(${filter.states})`);
    // What the planner cannot know and the table's own checks say.
    if (filter.states.every((state) => state === 'running')) terms.push(sql`e.owner is not null`);
    if (filter.states.every((state) => failedStates.has(state)))
      terms.push(sql`e.state in ('errored', 'stopped', 'timed_out', 'terminated')`);
  }
  if (filter.isStopping !== undefined)
    terms.push(sql`(e.stop_requested_at is not null) = ${filter.isStopping}`);
  if (filter.sources !== undefined) terms.push(sql`e.source = any(${filter.sources})`);
  if (filter.mode !== undefined) terms.push(sql`e.mode = ${filter.mode}`);
  if (filter.instanceTag !== undefined) terms.push(sql`e.instance_tag = ${filter.instanceTag}`);
  if (filter.errorHash !== undefined) terms.push(sql`e.error_hash = ${filter.errorHash}`);
  if (filter.customFields !== undefined)
    terms.push(sql`e.custom_field_values @> ${JSON.stringify(filter.customFields)}::jsonb`);
  if (filter.text !== undefined) {
    const part = filter.text.toLowerCase();
    terms.push(sql`(strpos(lower(e.error_text), ${part}) > 0 or strpos(lower(e.instance_tag), ${part}) > 0
      or exists (select from jsonb_each_text(e.custom_field_values) f where strpos(lower(f.value), ${part}) > 0))`);
  }
  if (filter.isUntouched === true) {
    terms.push(sql`not exists (select from execution r where r.retry_of = e.id)
      and not exists (select from execution r where r.rerun_of = e.id)`);
  }
  if (filter.idFrom !== undefined) terms.push(sql`e.id >= ${filter.idFrom}`);
  if (filter.idTo !== undefined) terms.push(sql`e.id < ${filter.idTo}`);
  return sql.join(terms, sql` and `);
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

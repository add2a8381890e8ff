import type { Pool, PoolClient } from 'pg';
import type { ExecutionState, TriggerKind } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** Where a child is started: its parent's node, in one iteration. */
export interface ChildPlace {
  readonly executionId: string;
  readonly nodeId: string;
  readonly batch: string;
}

/** How a node starts a child. */
export interface NewChildPlace extends ChildPlace {
  /** `batch` with the first repetition of each try block in it. */
  readonly firstBatch: string;
  readonly isAwaited: boolean;
}

/** The child that a node has started already. */
export async function findChild(
  client: Pool | PoolClient,
  tenant: Tenant,
  parent: ChildPlace,
): Promise<string | undefined> {
  const { rows } = await client.query<{ child_execution_id: string }>(
    `select child_execution_id from child_execution
     where org_id = $1 and environment = $2 and parent_execution_id = $3 and node_id = $4 and batch = $5`,
    [tenant.orgId, tenant.environment, parent.executionId, parent.nodeId, parent.batch],
  );
  return rows[0]?.child_execution_id;
}

/** The child that a node started in the latest repetition before of a try block around it. */
export async function findChildOfEarlierTry(
  pool: Pool,
  tenant: Tenant,
  parent: NewChildPlace,
): Promise<{ id: string; state: ExecutionState; workflowId: string } | undefined> {
  if (parent.batch === parent.firstBatch) return undefined;
  const { rows } = await pool.query<{ id: string; state: ExecutionState; workflowId: string }>(
    `select e.id, e.state, e.workflow_id as "workflowId"
     from child_execution c join execution e on e.id = c.child_execution_id
     where c.org_id = $1 and c.environment = $2 and c.parent_execution_id = $3 and c.node_id = $4
       and c.first_batch = $5 and c.batch <> $6
     order by e.id desc limit 1`,
    [tenant.orgId, tenant.environment, parent.executionId, parent.nodeId, parent.firstBatch, parent.batch],
  );
  return rows[0];
}

/**
 * Whether an execution, or one that waits for its end, keeps a place in a limit while it waits. A child that is
 * awaited in there would wait for the place of somebody who waits for it.
 */
export async function isPlaceHeldAbove(
  client: Pool | PoolClient,
  tenant: Tenant,
  executionId: string,
  concurrencyKey: string,
): Promise<boolean> {
  const { rows } = await client.query<{ is_held: boolean }>(
    `with recursive line as (
       select id, concurrency_key, holds_while_waiting from execution
       where org_id = $1 and environment = $2 and id = $3
       union all
       select p.id, p.concurrency_key, p.holds_while_waiting
       from line join child_execution c on c.child_execution_id = line.id and c.is_awaited
       join execution p on p.id = c.parent_execution_id and p.finished_at is null
     )
     select exists (select from line where concurrency_key = $4 and holds_while_waiting) as is_held`,
    [tenant.orgId, tenant.environment, executionId, concurrencyKey],
  );
  return rows[0]!.is_held;
}

/** What a workflow says of itself to those who want it as a sub-flow, and what the parent says of its children. */
export interface SubFlowWorkflow {
  readonly id: string;
  readonly name: string;
  readonly alias: string | null;
  readonly description: string;
  readonly linkedAccountId: string | null;
  readonly slug: string | null;
  readonly version: number | null;
  readonly triggerKind: TriggerKind | null;
  readonly jsonSchema: Readonly<Record<string, unknown>> | null;
}

/** A workflow by its id, its draft's id or its alias, which is unique inside an app. */
export async function findSubFlowWorkflow(
  pool: Pool,
  tenant: Tenant,
  idOrAlias: string,
  slug: string | undefined,
): Promise<SubFlowWorkflow | undefined> {
  const { rows } = await pool.query<SubFlowWorkflow>(
    `select w.id, w.name, w.alias, w.description, w.linked_account_id as "linkedAccountId", w.app_slug as slug, w.published_version as version,
       w.trigger_kind as "triggerKind", v.document -> 'json_schema' as "jsonSchema"
     from workflow w left join workflow_version v on v.workflow_id = w.id and v.version = w.published_version
       and v.org_id = w.org_id and v.environment = w.environment
     where w.org_id = $1 and w.environment = $2 and (w.id = $3 or w.draft_id = $3 or w.alias = $3)
     order by w.alias is distinct from $3 desc, w.app_slug is not distinct from $4 desc, w.id limit 1`,
    [tenant.orgId, tenant.environment, idOrAlias, slug ?? null],
  );
  return rows[0];
}

export interface ParentFacts {
  readonly rootId: string;
  /** 0 of an execution that nobody started as a sub-flow. */
  readonly depth: number;
  readonly instanceTag: string | null;
  /** Its workflow wants its sub-flows in the lists. */
  readonly listsChildren: boolean;
}

/** The line that an execution stands in. */
export async function findParentFacts(
  pool: Pool,
  tenant: Tenant,
  executionId: string,
): Promise<ParentFacts | undefined> {
  const { rows } = await pool.query<ParentFacts>(
    `select coalesce(e.root_execution_id, e.id) as "rootId", e.depth, e.instance_tag as "instanceTag",
       coalesce(e.document -> 'settings' ->> 'allow_subflow_execution_in_logs',
         v.document -> 'settings' ->> 'allow_subflow_execution_in_logs', 'false') = 'true' as "listsChildren"
     from execution e left join workflow_version v on v.org_id = e.org_id and v.environment = e.environment
       and v.workflow_id = e.workflow_id and v.version = e.workflow_version
     where e.org_id = $1 and e.environment = $2 and e.id = $3`,
    [tenant.orgId, tenant.environment, executionId],
  );
  return rows[0];
}

/**
 * Takes a node's right to start its one child. Holds the parent for the rest of the transaction: a stop of it
 * comes before, and is seen here, or after, and finds the child.
 *
 * @returns `taken`; `stopped`: the parent starts nothing any longer; else the id of the child that it has
 */
export async function takeChildPlace(
  client: PoolClient,
  tenant: Tenant,
  parent: NewChildPlace,
  childId: string,
): Promise<'taken' | 'stopped' | { readonly childId: string }> {
  const { rowCount: parents } = await client.query(
    `select from execution where org_id = $1 and environment = $2 and id = $3
       and finished_at is null and stop_requested_at is null for share`,
    [tenant.orgId, tenant.environment, parent.executionId],
  );
  if (parents === 0) return 'stopped';
  const { rowCount: taken } = await client.query(
    `insert into child_execution (parent_execution_id, node_id, batch, org_id, environment, child_execution_id,
       first_batch, is_awaited)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (parent_execution_id, node_id, batch) do nothing`,
    [
      parent.executionId,
      parent.nodeId,
      parent.batch,
      tenant.orgId,
      tenant.environment,
      childId,
      parent.firstBatch,
      parent.isAwaited,
    ],
  );
  if (taken === 1) return 'taken';
  return { childId: (await findChild(client, tenant, parent))! };
}

/** Notes on an execution that was just written whose child it is. */
export async function linkChild(
  client: PoolClient,
  childId: string,
  parent: ChildPlace,
  facts: ParentFacts,
): Promise<void> {
  await client.query(
    `update execution set parent_execution_id = $2, parent_node_id = $3, parent_batch = $4, root_execution_id = $5,
       depth = $6, is_listed = $7 where id = $1`,
    [
      childId,
      parent.executionId,
      parent.nodeId,
      parent.batch,
      facts.rootId,
      facts.depth + 1,
      facts.listsChildren,
    ],
  );
}

/** Whether an execution has ended, and whether anything below it waits for more than the end of a sub-flow. */
export async function lookAtTree(
  pool: Pool,
  executionId: string,
): Promise<{ isFinished: boolean; isHeldUp: boolean }> {
  const { rows } = await pool.query<{ isFinished: boolean; isHeldUp: boolean }>({
    name: 'inlay-tree',
    text: `with recursive tree as (
        select $1::text as id
        union
        select c.child_execution_id from tree t join child_execution c on c.parent_execution_id = t.id
      )
      select exists (select from execution e where e.id = $1 and e.finished_at is not null) as "isFinished",
        exists (select from tree t join wait w on w.execution_id = t.id
          where w.reason <> 'sub_flow' and w.woken_by is null) as "isHeldUp"`,
    values: [executionId],
  });
  return rows[0]!;
}

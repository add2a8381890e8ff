import type { Pool } from 'pg';
import { findExecution, readJournal, type ExecutionHeader } from '#db/execution-log';
import type { Db, JournalStatus } from '#db/schema';
import type { Tenant } from '#domain/tenant';
import type { PlanCache } from '#engine/plan-cache';
import { historyOf, type HistoryEntry } from '#engine/run-history';
import type { Plan } from '#engine/workflow-plan';

/** How one node of an execution went, over all its attempts. */
export interface NodeRun {
  readonly nodeId: string;
  readonly name: string;
  readonly type: string;
  /** `running` while its last attempt has no outcome. */
  readonly status: Exclude<JournalStatus, 'retrying'> | 'running';
  readonly attempts: readonly HistoryEntry[];
  readonly maxAttempts: number;
  readonly durationMs: number;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: HistoryEntry['error'];
  readonly statusCode: number | null;
  readonly console: readonly { readonly level: string; readonly text: string }[];
  readonly enteredAt: Date;
}

export interface ExecutionDetail {
  readonly header: ExecutionHeader;
  /** In the order in which they were entered; nodes that were not reached are not in it. */
  readonly nodes: readonly NodeRun[];
}

interface ReadDeps {
  readonly db: Db;
  readonly pool: Pool;
  readonly plans: PlanCache;
}

/** One execution with what its nodes did; with an account, only that account's. */
export async function readExecution(
  deps: ReadDeps,
  tenant: Tenant,
  executionId: string,
  linkedAccountId?: string,
): Promise<ExecutionDetail | undefined> {
  const header = await findExecution(deps.db, tenant, executionId, linkedAccountId);
  if (header === undefined) return undefined;
  const [rows, plan] = await Promise.all([readJournal(deps.pool, executionId), planOf(deps, tenant, header)]);
  return { header, nodes: nodeRuns(historyOf(rows), plan, header.state === 'running') };
}

/** The log survives the version it ran: without its document names and limits are missing, nothing else. */
async function planOf(
  { plans }: ReadDeps,
  tenant: Tenant,
  header: ExecutionHeader,
): Promise<Plan | undefined> {
  try {
    return header.workflowVersion === null
      ? plans.of(header.document)
      : await plans.get(tenant, header.workflowId, header.workflowVersion);
  } catch {
    return undefined;
  }
}

function nodeRuns(history: readonly HistoryEntry[], plan: Plan | undefined, isRunning: boolean): NodeRun[] {
  const byNode = Map.groupBy(history, (entry) => entry.nodeId);
  return Array.from(byNode.entries(), ([nodeId, entries]) => nodeRun(nodeId, entries, plan, isRunning));
}

function nodeRun(
  nodeId: string,
  entries: readonly HistoryEntry[],
  plan: Plan | undefined,
  isRunning: boolean,
): NodeRun {
  const node = plan?.nodes.find(({ id }) => id === nodeId);
  const outcomes = entries.filter((entry) => entry.kind === 'outcome');
  const last = outcomes.at(-1);
  const isOpen = last === undefined || last.status === 'retrying' || entries.at(-1)?.kind === 'start';
  const isStart = node !== undefined && plan?.start === node.index;
  return {
    nodeId,
    name: node?.name ?? nodeId,
    type: node?.type ?? 'unknown',
    status: isOpen ? (isRunning ? 'running' : 'stopped') : finalStatus(last.status),
    attempts: entries,
    maxAttempts: isStart ? 1 : (node?.retry.maxAttempts ?? 1),
    durationMs: outcomes.reduce((sum, entry) => sum + (entry.durationMs ?? 0), 0),
    // The start node's row holds the caller's headers there.
    input: isStart ? last?.output : (entries.findLast((entry) => entry.input !== null)?.input ?? null),
    output: last?.output ?? null,
    error: last?.error ?? null,
    statusCode: last?.statusCode ?? null,
    console: outcomes.flatMap((entry) => entry.console ?? []),
    enteredAt: entries[0]!.at,
  };
}

function finalStatus(status: JournalStatus | null): NodeRun['status'] {
  return status === null || status === 'retrying' ? 'running' : status;
}

/** What the caller of an execution gets: the Response node's data. */
export function responseOf({ header, nodes }: ExecutionDetail): unknown {
  const answered =
    header.responseNodeId ??
    nodes.find((node) => node.type === 'response' && node.status === 'success')?.nodeId;
  return nodes.find((node) => node.nodeId === answered)?.output ?? null;
}

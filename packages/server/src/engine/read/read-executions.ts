import type { Pool } from 'pg';
import { firstAnswer } from '#db/batch-journal';
import { findExecution, readJournal, type ExecutionHeader } from '#db/execution-log';
import type { Db, JournalStatus } from '#db/schema';
import type { Tenant } from '#domain/tenant';
import type { PlanCache } from '#engine/plan/plan-cache';
import { logPreview } from '#engine/run/log-preview';
import { variablesOf } from '#engine/recording/run-variables';
import type { OpenRow } from '#engine/recording/sealed-parts';
import { historyOf, type HistoryEntry } from '#engine/run/run-history';
import type { Plan } from '#engine/plan/workflow-plan';

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
  /** Its requests as cURL commands, where they are traced. */
  readonly curl: readonly string[];
  /** It runs once an item or page: its batches are read on their own. */
  readonly isBatch: boolean;
  /** It did not run: a test run was given its output. */
  readonly isPinned: boolean;
  /** Input or output is too large to be shown whole in a log. */
  readonly isCut: boolean;
  readonly enteredAt: Date;
}

export interface ExecutionDetail {
  readonly header: ExecutionHeader;
  /** In the order in which they were entered; nodes that were not reached are not in it. */
  readonly nodes: readonly NodeRun[];
  /** What its caller gets. */
  readonly answer: unknown;
  /** What custom code keeps by name. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Secrets in all this; none unless they were opened. */
  readonly secrets: readonly unknown[];
}

export interface ReadDeps {
  readonly db: Db;
  readonly pool: Pool;
  readonly plans: PlanCache;
}

export interface ReadOptions {
  /** Values however large they are; without it the log shows a part of huge ones. */
  readonly isWhole?: boolean;
  /** Puts secrets back in their place: for the answer of an execution, which is data, and for nothing else. */
  readonly open?: OpenRow;
}

/** One execution with what its nodes did; with an account, only that account's. */
export async function readExecution(
  deps: ReadDeps,
  tenant: Tenant,
  executionId: string,
  linkedAccountId?: string,
  { isWhole = false, open }: ReadOptions = {},
): Promise<ExecutionDetail | undefined> {
  const header = await findExecution(deps.db, tenant, executionId, linkedAccountId);
  if (header === undefined) return undefined;
  const [rows, plan] = await Promise.all([readJournal(deps.pool, executionId), planOf(deps, tenant, header)]);
  const history = historyOf(rows, open);
  const nodes = nodeRuns(
    history.filter(({ batch }) => batch === ''),
    plan,
    header.finishedAt === null,
  );
  const { output: answer, secrets } = await answerOf(deps, header, nodes, plan, open);
  const shown = isWhole ? nodes : nodes.map(cutForLog);
  return {
    header,
    nodes: shown,
    answer,
    variables: variablesOf(history),
    secrets: [...history.flatMap((entry) => entry.secrets), ...secrets],
  };
}

/** The log survives the version it ran: without its document names and limits are missing, nothing else. */
export async function planOf(
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

export function nodeRuns(
  history: readonly HistoryEntry[],
  plan: Plan | undefined,
  isRunning: boolean,
): NodeRun[] {
  // Pages and iterations are read on their own, and so is what is inside them.
  const steps = history.filter((entry) => entry.kind !== 'batch');
  const byNode = Map.groupBy(steps, (entry) => entry.nodeId);
  return Array.from(byNode.entries(), ([nodeId, entries]) => nodeRun(nodeId, entries, plan, isRunning));
}

function nodeRun(
  nodeId: string,
  entries: readonly HistoryEntry[],
  plan: Plan | undefined,
  isRunning: boolean,
): NodeRun {
  const node = plan?.byId.get(nodeId);
  const outcomes = entries.filter((entry) => entry.kind === 'outcome');
  const last = outcomes.at(-1);
  const isOpen = last === undefined || last.status === 'retrying' || entries.at(-1)?.kind === 'start';
  const lines = outcomes.flatMap((entry) => entry.console ?? []);
  const isStart = node !== undefined && plan?.nodes[plan.start] === node;
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
    console: lines.filter(({ level }) => level !== 'curl'),
    curl: lines.filter(({ level }) => level === 'curl').map(({ text }) => text),
    isBatch: node?.type === 'loop' || node?.hasPages === true,
    isPinned: node?.pinned !== undefined,
    isCut: false,
    enteredAt: entries[0]!.at,
  };
}

export function cutForLog(node: NodeRun): NodeRun {
  const input = logPreview(node.input);
  const output = logPreview(node.output);
  const error = logPreview(node.error);
  if (!input.isCut && !output.isCut && !error.isCut) return node;
  return {
    ...node,
    input: input.shown,
    output: output.shown,
    error: error.shown as NodeRun['error'],
    isCut: true,
  };
}

function finalStatus(status: JournalStatus | null): NodeRun['status'] {
  return status === null || status === 'retrying' ? 'running' : status;
}

/** What the caller of an execution gets: the Response node's data, wherever in the workflow that node stands. */
export function responseOf({ answer }: ExecutionDetail): unknown {
  return answer;
}

async function answerOf(
  { pool }: ReadDeps,
  header: ExecutionHeader,
  nodes: readonly NodeRun[],
  plan: Plan | undefined,
  open: OpenRow | undefined,
): Promise<Pick<HistoryEntry, 'output' | 'secrets'>> {
  const answered =
    header.responseNodeId ??
    nodes.find((node) => node.type === 'response' && node.status === 'success')?.nodeId;
  const node = nodes.find(({ nodeId }) => nodeId === answered);
  // Its secrets are among those of the history.
  if (node !== undefined) return { output: node.output, secrets: [] };
  const inside = [...(plan?.byId.values() ?? [])].filter(({ type }) => type === 'response');
  const ids = answered === undefined ? inside.map(({ id }) => id) : [answered];
  const row = ids.length === 0 ? undefined : await firstAnswer(pool, header.id, ids);
  const [entry] = row === undefined ? [] : historyOf([row], open);
  return entry ?? { output: null, secrets: [] };
}

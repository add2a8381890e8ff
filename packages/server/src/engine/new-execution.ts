import type { NewExecution } from '#db/execution-start';
import type { ExecutionMode } from '#db/schema';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { StartInput } from '#engine/start-input';
import type { RunInput } from '#engine/run-state';
import { storedValue } from '#engine/stored-value';
import type { Plan } from '#engine/workflow-plan';

/** The row of an execution that is about to begin. `owner` is the worker that runs it at once, for a sync call. */
export function newExecution(
  tenant: Tenant,
  input: StartInput,
  plan: Plan,
  begin: { mode: ExecutionMode; owner: string | null; now: Date },
): NewExecution {
  return {
    id: newId(begin.now.getTime()),
    tenant,
    workflowId: input.workflowId,
    workflowVersion: input.version ?? null,
    document: input.version === undefined ? JSON.stringify(input.document) : null,
    linkedAccountId: input.linkedAccount.id,
    accountId: input.linkedAccount.accountId,
    configId: input.configId,
    appSlug: input.slug ?? null,
    source: input.source,
    triggerEvent: input.triggerEvent ?? null,
    mode: begin.mode,
    owner: begin.owner,
    timeoutS: plan.timeoutS,
    instanceTag: input.instanceTag ?? null,
    rerunOf: input.rerunOf ?? null,
    startNodeId: plan.nodes[plan.start]!.id,
    payload: storedValue(input.payload),
    headers: input.headers === undefined ? undefined : storedValue({ headers: input.headers }),
    nodeCount: plan.nodes.length,
    concurrency: concurrencyOf(input, plan),
    createdAt: begin.now,
  };
}

function concurrencyOf(input: StartInput, { concurrency }: Plan): NewExecution['concurrency'] {
  if (concurrency === undefined) return undefined;
  const { limit, overflow, per, hold_while_waiting: holdsWhileWaiting } = concurrency;
  const key = per === 'account' ? `${input.workflowId}:${input.linkedAccount.id}` : input.workflowId;
  return { key, limit, overflow, holdsWhileWaiting };
}

/** What the worker that created an execution needs to run it, without reading it back. */
export function firstRunInput(row: NewExecution, input: StartInput, plan: Plan): RunInput {
  return {
    tenant: row.tenant,
    linkedAccountId: row.linkedAccountId,
    appSlug: row.appSlug,
    mode: row.mode,
    isSubFlow: false,
    isStopRequested: false,
    isTest: row.workflowVersion === null,
    plan,
    history: [],
    lastSeq: 0,
    waits: [],
    batches: 0,
    response: undefined,
    terminations: new Map(),
    facts: {
      executionId: row.id,
      lineageId: row.id,
      workflowId: row.workflowId,
      configId: row.configId,
      accountId: row.accountId,
      eventName: row.triggerEvent,
      source: row.source,
      createdAt: row.createdAt,
      payload: input.payload,
      headers: input.headers,
    },
  };
}

import { isDeepStrictEqual } from 'node:util';
import type { Pool } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import { findExecution, readJournal } from '#db/execution-log';
import { findEarlierChild } from '#db/execution-retry';
import type { EndState } from '#db/journal-flush';
import type { Db } from '#db/schema';
import {
  findChild,
  findChildOfEarlierTry,
  findParentFacts,
  findSubFlowWorkflow,
  isPlaceHeldAbove,
  linkChild,
  takeChildPlace,
  type SubFlowWorkflow,
} from '#db/sub-flow';
import type { Clock } from '#domain/clock';
import type { MakeExecution } from '#engine/start/new-execution';
import type { ChildResult, SubFlowCall, SubFlows } from '#engine/node-services';
import { createPayloadChecker } from '#engine/start/payload-schema';
import type { PlanCache } from '#engine/plan/plan-cache';
import type { Queue } from '#engine/workers/queue';
import { responseOf, type ExecutionDetail } from '#engine/read/read-executions';
import { rowOpener, type RowVault } from '#engine/recording/sealed-parts';
import { draftRetry, writeRetry, type RetryDraft } from '#engine/retries/write-retry';
import { historyOf } from '#engine/run/run-history';
import { writeExecutions } from '#engine/start/start-executions';
import type { Tenant } from '#domain/tenant';

const deepest = 1_000;
const failedStates: ReadonlySet<string> = new Set(['errored', 'stopped', 'timed_out']);

/** Starts executions as children of others, each node's one child once, and reads what became of them. */
export function createSubFlows(deps: {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly plans: PlanCache;
  readonly queue: Queue;
  readonly workerId: () => string;
  readonly wake: () => void;
  readonly db: Db;
  readonly vault: RowVault;
  readonly newExecution: MakeExecution;
  readonly read: (tenant: Tenant, executionId: string) => Promise<ExecutionDetail | undefined>;
}): SubFlows {
  const { pool } = deps;
  const checker = createPayloadChecker();

  async function start(call: SubFlowCall): ReturnType<SubFlows['start']> {
    const { tenant, parent } = call;
    const known = await findChild(pool, tenant, parent);
    if (known !== undefined) return { executionId: known };
    const [workflow, facts] = await Promise.all([
      findSubFlowWorkflow(pool, tenant, call.workflow, call.appSlug),
      findParentFacts(pool, tenant, parent.executionId),
    ]);
    if (workflow === undefined || isForeign(workflow, call) || facts === undefined) {
      return { refusal: `Workflow with id ${call.workflow} not found` };
    }
    const refusal = refusalOf(workflow, facts.depth, call);
    if (refusal !== undefined) return { refusal };
    const version = workflow.version!;
    const plan = await deps.plans.get(tenant, workflow.id, version);
    const written = await deps.newExecution(
      tenant,
      {
        workflowId: workflow.id,
        version,
        linkedAccount: call.linkedAccount,
        configId: call.configId,
        slug: workflow.slug ?? undefined,
        source: 'sub_flow',
        payload: call.payload,
        secrets: call.secrets,
        instanceTag: facts.instanceTag ?? undefined,
      },
      plan,
      { mode: call.mode, owner: null, now: deps.clock.now() },
    );
    const key = written.concurrency?.holdsWhileWaiting === true ? written.concurrency.key : undefined;
    // Who waits for this child holds the place that it would wait for: it runs in that place.
    const isInside =
      key !== undefined &&
      parent.isAwaited &&
      (await isPlaceHeldAbove(pool, tenant, parent.executionId, key));
    const row = isInside ? { ...written, concurrency: undefined } : written;
    const earlier = await earlierChild(call, workflow.id);
    const reused = earlier !== undefined && 'reused' in earlier ? earlier.reused : undefined;
    const place = await clientTransaction(pool, async (client) => {
      const taken = await takeChildPlace(client, tenant, parent, reused ?? row.id);
      if (taken !== 'taken') return taken;
      if (reused !== undefined) return { childId: reused };
      if (earlier === undefined || 'reused' in earlier) {
        await writeExecutions(client, { queue: deps.queue, workerId: deps.workerId() }, [row]);
      } else {
        await writeRetry(client, deps, earlier, { id: row.id, mode: call.mode, at: row.createdAt });
      }
      await linkChild(client, row.id, parent, facts);
      return taken;
    });
    if (place === 'stopped') return { refusal: 'The execution was stopped before it started the sub-flow.' };
    if (place !== 'taken') return { executionId: place.childId };
    deps.wake();
    return { executionId: row.id };
  }

  async function describe(
    call: Pick<SubFlowCall, 'tenant' | 'workflow' | 'linkedAccount' | 'appSlug'>,
  ): ReturnType<SubFlows['describe']> {
    const workflow = await findSubFlowWorkflow(pool, call.tenant, call.workflow, call.appSlug);
    if (workflow === undefined || isForeign(workflow, call)) {
      return { refusal: `Workflow with id ${call.workflow} not found` };
    }
    const refusal = kindRefusal(workflow, call);
    if (refusal !== undefined) return { refusal };
    const schema = workflow.jsonSchema;
    return {
      name: workflow.alias ?? workflow.name,
      slug: workflow.slug ?? undefined,
      description: workflow.description === '' ? workflow.name : workflow.description,
      // Models take schemas of objects only; what no schema narrows is any object.
      parameters: schema !== null && schema['type'] === 'object' ? schema : { type: 'object' },
    };
  }

  /**
   * What there is of this very work: a child that the node had in an earlier repetition of a try block around it, or
   * in the execution that this one is a retry of. One that did its work, or is at it, is not started again; one that
   * failed goes on from where it failed. Another payload is other work.
   */
  async function earlierChild(
    call: SubFlowCall,
    workflowId: string,
  ): Promise<RetryDraft | { readonly reused: string } | undefined> {
    const { tenant, parent } = call;
    const repeated = await findChildOfEarlierTry(pool, tenant, parent);
    const earlier = repeated ?? (await findEarlierChild(pool, tenant, parent));
    if (earlier?.workflowId !== workflowId) return undefined;
    const hasFailed = failedStates.has(earlier.state);
    if (!hasFailed && repeated === undefined) return undefined;
    const [trigger] = historyOf(await readJournal(pool, earlier.id), rowOpener(deps.vault));
    if (!isDeepStrictEqual(trigger?.output, JSON.parse(JSON.stringify(call.payload)))) return undefined;
    // Nobody waits for its end, so its failure was not the reason of the repetition.
    if (!hasFailed || (repeated !== undefined && !parent.isAwaited)) return { reused: earlier.id };
    const header = await findExecution(deps.db, tenant, earlier.id);
    if (header?.workflowVersion === undefined || header.workflowVersion === null) return undefined;
    const plan = await deps.plans.get(tenant, workflowId, header.workflowVersion);
    return draftRetry(deps, tenant, header, plan);
  }

  function refusalOf(workflow: SubFlowWorkflow, depth: number, call: SubFlowCall): string | undefined {
    const { payload, workflow: written } = call;
    const refusal = kindRefusal(workflow, call);
    if (refusal !== undefined) return refusal;
    if (depth + 1 > deepest) {
      return `Sub-flows may be ${deepest} deep, and this would be one more. Does the workflow start itself without an end?`;
    }
    const problems = workflow.jsonSchema === null ? [] : checker.problems(workflow.jsonSchema, payload);
    if (problems.length === 0) return undefined;
    const named = problems.map(({ path, message }) => `${path || 'payload'} ${message}`).join('; ');
    return `The payload does not fit the schema of workflow "${written}": ${named}`;
  }

  async function result(tenant: Tenant, executionId: string): Promise<ChildResult> {
    const detail = await deps.read(tenant, executionId);
    if (detail === undefined) return { state: 'gone' };
    const { header } = detail;
    if (header.finishedAt === null) return { state: 'unfinished' };
    const failed = detail.nodes.find((node) => node.nodeId === header.failedNodeId);
    const terminated = detail.nodes.findLast((node) => node.type === 'terminate' && node.output !== null);
    return {
      state: header.state as EndState,
      returnValue: responseOf(detail),
      secrets: detail.secrets,
      termination: terminated?.output,
      error: {
        message: header.errorText ?? failed?.error?.message ?? '',
        status: failed?.error?.status,
        body: failed?.error?.body,
      },
    };
  }

  return { start, result, describe };
}

/** The workflow of another linked account is as if it were not there. */
function isForeign(
  { linkedAccountId }: SubFlowWorkflow,
  { linkedAccount }: Pick<SubFlowCall, 'linkedAccount'>,
): boolean {
  return linkedAccountId !== null && linkedAccountId !== linkedAccount.id;
}

/** Why a workflow can be no sub-flow, whatever its payload. */
function kindRefusal(
  workflow: SubFlowWorkflow,
  { workflow: written, appSlug }: Pick<SubFlowCall, 'workflow' | 'appSlug'>,
): string | undefined {
  if (workflow.version === null) {
    return `Workflow "${written}" is not published: publish it, then it can be a sub-flow.`;
  }
  if (workflow.triggerKind !== null && workflow.triggerKind !== 'api_call') {
    return `Workflow "${written}" is started by ${workflow.triggerKind}; a sub-flow is a workflow with the API call trigger.`;
  }
  if (appSlug !== undefined && workflow.slug !== null && workflow.slug !== appSlug) {
    return `Workflow "${written}" belongs to the app "${workflow.slug}"; a sub-flow is of the same app ("${appSlug}") or of none.`;
  }
  return undefined;
}

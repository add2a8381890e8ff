import type { Pool, PoolClient } from 'pg';
import type { NewExecution } from '#db/execution-start';
import type { StoredValue } from '#db/journal-flush';
import type { ExecutionMode } from '#db/schema';
import { newId } from '#domain/ids';
import { createMasker } from '#domain/masking/index';
import { includedBody } from '#domain/node-output';
import type { Tenant } from '#domain/tenant';
import { readableSecrets } from '#engine/account-values';
import { maskedRow } from '#engine/recording/masked-row';
import type { StartInput } from '#engine/start/start-input';
import type { RunInput } from '#engine/run/run-state';
import { storedValue } from '#engine/stored-value';
import type { Plan } from '#engine/plan/workflow-plan';
import type { Vault } from '#vault/index';

/** An execution that is about to begin. `owner` is the worker that runs it at once, for a sync call. */
interface Begin {
  readonly mode: ExecutionMode;
  readonly owner: string | null;
  readonly now: Date;
}

/** Makes the row of an execution that is about to begin. What started it is masked and sealed by then. */
export type MakeExecution = (
  tenant: Tenant,
  input: StartInput,
  plan: Plan,
  begin: Begin,
  /** Of the caller's transaction. */
  client?: PoolClient,
) => Promise<NewExecution>;

export function executionMaker(deps: { readonly pool: Pool; readonly vault: Vault }): MakeExecution {
  return async (tenant, input, plan, begin, client) => {
    const known = await secretsInTrigger(deps, tenant, input, plan, client);
    return newExecution(deps.vault, tenant, { ...input, secrets: known }, plan, begin);
  };
}

/** What may not be shown of what starts an execution: all that its templates may read, and what its starter names. */
export async function secretsInTrigger(
  deps: { readonly pool: Pool; readonly vault: Vault },
  tenant: Tenant,
  { workflowId, linkedAccount, secrets = [] }: Pick<StartInput, 'workflowId' | 'linkedAccount' | 'secrets'>,
  plan: Plan,
  client?: PoolClient,
): Promise<readonly unknown[]> {
  const of = { plan, tenant, workflowId, linkedAccountId: linkedAccount.id };
  return [...secrets, ...(await readableSecrets(client ?? deps.pool, deps.vault, of))];
}

/** The row of an execution, all of whose secrets are known. */
export function newExecution(
  vault: Vault,
  tenant: Tenant,
  input: StartInput,
  plan: Plan,
  begin: Begin,
): NewExecution {
  const id = newId(begin.now.getTime());
  return {
    id,
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
    startNodeId: startOf(plan).id,
    ...shownTrigger(vault, id, tenant, input, plan, begin.now),
    nodeCount: plan.nodes.length,
    concurrency: concurrencyOf(input, plan),
    createdAt: begin.now,
  };
}

function startOf(plan: Plan): Plan['nodes'][number] {
  return plan.nodes[plan.start]!;
}

/** What started the execution as people may see it, with the rest sealed beside it, as of any other node. */
function shownTrigger(
  vault: Vault,
  executionId: string,
  tenant: Tenant,
  { payload, headers, secrets = [] }: StartInput,
  plan: Plan,
  at: Date,
): Pick<NewExecution, 'payload' | 'headers' | 'secretsSealed'> {
  const { id: nodeId, output: rules } = startOf(plan);
  const masker = createMasker();
  masker.learn(secrets);
  const place = { executionId, seq: 0, tenant, nodeId, batch: '', attempt: 1, kind: 'outcome', at } as const;
  const row = maskedRow(vault, masker, rules, {
    ...place,
    input: headers === undefined ? undefined : storedValue({ headers }),
    output: storedValue(includedBody(rules, payload)),
  });
  return { payload: row.output as StoredValue, headers: row.input, secretsSealed: row.secretsSealed };
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
    secrets: input.secrets ?? [],
    facts: {
      executionId: row.id,
      lineageId: row.id,
      workflowId: row.workflowId,
      configId: row.configId,
      accountId: row.accountId,
      eventName: row.triggerEvent,
      source: row.source,
      createdAt: row.createdAt,
      payload: includedBody(startOf(plan).output, input.payload),
      headers: input.headers,
    },
  };
}

import type { PoolClient } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import { findRecoveryRecord, openRecordIds, type WholeRecoveryRecord } from '#db/recovery-list';
import { beginResolution, endAsArrived, endRecords } from '#db/recovery-status';
import { findSubFlowWorkflow } from '#db/sub-flow';
import { AppError } from '#domain/errors';
import { secretsIn, unmasked, type TruePart } from '#domain/masking/index';
import type { Tenant } from '#domain/tenant';
import { sealGiven, givenProblem, type GivenOutcome, type StartInput } from '#engine/index';
import { findQueue } from '#recovery/queues';
import { filterOf, getRecord, notOpen, type RecordDeps, type Selection } from '#recovery/records';
import { sealContext } from '#vault/index';

/** What became of one record; `problem` says why it was not sent again. */
export interface Resent {
  readonly id: string;
  /** Null: nothing was left to do, and the record is resolved. */
  readonly executionId?: string | null;
  readonly problem?: string;
}

/** What masking took out of a record, as it is sealed beside it. */
interface Secrets {
  readonly payload: readonly TruePart[];
  readonly columns: readonly TruePart[];
  readonly words: readonly string[];
}

const noSecrets: Secrets = { payload: [], columns: [], words: [] };

/**
 * Resolves an open record: by the workflow of its queue, or without one by retrying what failed. The execution, and
 * that it resolves the record, are written together; its end settles the record.
 *
 * @throws AppError `not_found`, `wrong_state`, `queue_full`
 */
export async function resend(
  deps: RecordDeps,
  tenant: Tenant,
  id: string,
): Promise<{ readonly executionId: string | null }> {
  const record = await openRecord(deps, tenant, id);
  const { resolutionWorkflowId } = await findQueue(deps, tenant, record.queueId);
  return resolutionWorkflowId === null
    ? retryFailed(deps, tenant, record)
    : runResolution(deps, tenant, id, resolutionWorkflowId);
}

/**
 * Resends the oldest open records of a selection, one after another; what cannot be sent is passed over and named.
 *
 * @throws AppError `not_found` for a queue that is not there
 */
export async function resendMany(
  deps: RecordDeps,
  tenant: Tenant,
  selection: Selection,
  limit: number,
): Promise<readonly Resent[]> {
  const filter = await filterOf(deps, tenant, selection);
  const resent: Resent[] = [];
  for (const id of await openRecordIds(deps.pool, tenant, filter, { limit })) {
    try {
      resent.push({ id, ...(await resend(deps, tenant, id)) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      resent.push({ id, problem: error.message });
    }
  }
  return resent;
}

/**
 * Sends a call of unknown outcome again, from where its execution failed.
 *
 * @throws AppError `not_found`, `wrong_state`, `queue_full`
 */
export async function sendAgain(
  deps: RecordDeps,
  tenant: Tenant,
  id: string,
): Promise<{ readonly executionId: string | null }> {
  return retryFailed(deps, tenant, await unknownOutcome(deps, tenant, id));
}

/**
 * Takes what somebody found out for the outcome of a call: its execution goes on with it, unless its workflow has
 * dealt with the failure and gone on already.
 *
 * @throws AppError `not_found`, `wrong_state`, `invalid_request` when the output is too large, `queue_full`
 */
export async function arrived(
  deps: RecordDeps,
  tenant: Tenant,
  id: string,
  given: GivenOutcome,
): Promise<{ readonly executionId: string | null }> {
  const problem = givenProblem(given);
  if (problem !== undefined) {
    throw new AppError('invalid_request', { problems: [{ path: 'output', message: problem }] });
  }
  const record = await unknownOutcome(deps, tenant, id);
  return deps.engine.takeUp(tenant, placeOf(record), {
    given,
    async note(client, { failedIn, retryId }) {
      const with_ =
        retryId === null
          ? null
          : { executionId: failedIn, retryId, sealed: sealGiven(deps.vault, id, given) };
      if (await endAsArrived(client, tenant, id, with_, deps.clock.now())) return;
      throw await changedMeanwhile(client, tenant, record);
    },
  });
}

/** A record for which something can be done. */
async function openRecord(deps: RecordDeps, tenant: Tenant, id: string): Promise<WholeRecoveryRecord> {
  const record = await getRecord(deps, tenant, id);
  if (record.status !== 'open') throw notOpen(record);
  if (record.hasAccount) return record;
  throw new AppError('wrong_state', {
    reason: `The linked account "${record.accountId}" of record "${id}" has been deleted: nothing is done for it any more. Discard the record.`,
  });
}

async function unknownOutcome(deps: RecordDeps, tenant: Tenant, id: string): Promise<WholeRecoveryRecord> {
  const record = await openRecord(deps, tenant, id);
  if (record.errorClass === 'unknown_outcome') return record;
  throw new AppError('wrong_state', {
    reason: `Record "${id}" is a failure of which the outcome is known ("${record.errorClass}"). Resend it instead.`,
  });
}

/** Two at once begin the same retry: what comes second writes nothing. */
function retryFailed(
  deps: RecordDeps,
  tenant: Tenant,
  record: WholeRecoveryRecord,
): Promise<{ readonly executionId: string | null }> {
  return deps.engine.takeUp(tenant, placeOf(record), {
    async note(client, { retryId }) {
      const end = { status: 'resolved', resolution: 'sent_again', at: deps.clock.now() } as const;
      const isOurs =
        retryId === null
          ? (await endRecords(client, tenant, [record.id], end)) === 1
          : await beginResolution(client, tenant, record.id, retryId);
      if (!isOurs) throw await changedMeanwhile(client, tenant, record);
    },
  });
}

async function runResolution(
  deps: RecordDeps,
  tenant: Tenant,
  id: string,
  workflowId: string,
): Promise<{ readonly executionId: string }> {
  const workflow = await findSubFlowWorkflow(deps.pool, tenant, workflowId, undefined);
  if (workflow === undefined || workflow.version === null) {
    throw new AppError('wrong_state', {
      reason: `The resolution workflow "${workflowId}" of the queue is ${workflow === undefined ? 'deleted' : 'not published'}. Publish it or link another one.`,
    });
  }
  const { id: ownId, version, slug } = workflow;
  const executionId = await clientTransaction(deps.pool, async (client) => {
    const record = await findRecoveryRecord(client, tenant, id, { isHeld: true });
    if (record === undefined) throw new AppError('not_found', { what: 'Recovery record', id });
    if (record.status !== 'open') throw notOpen(record);
    const input = startOf(deps, { id: ownId, version, slug }, record);
    const [started] = await deps.engine.startInTransaction(client, [{ tenant, input }]);
    if (!(await beginResolution(client, tenant, id, started!))) throw notOpen(record);
    return started!;
  });
  deps.engine.wake();
  return { executionId };
}

function startOf(
  { vault }: RecordDeps,
  workflow: { readonly id: string; readonly version: number; readonly slug: string | null },
  record: WholeRecoveryRecord,
): StartInput {
  const { secretsSealed, payload, columnValues: columns } = record;
  const sealed =
    secretsSealed === null
      ? noSecrets
      : (vault.openJson(secretsSealed, sealContext('recovery_record.secrets_sealed', record.id)) as Secrets);
  const { words } = sealed;
  const secrets = [
    ...secretsIn({ shown: payload, trueParts: sealed.payload, words }),
    ...secretsIn({ shown: columns, trueParts: sealed.columns, words: [] }),
  ];
  return {
    workflowId: workflow.id,
    version: workflow.version,
    linkedAccount: { id: record.linkedAccountId, accountId: record.accountId },
    configId: record.configId,
    slug: workflow.slug ?? record.appSlug ?? undefined,
    source: 'api_call',
    secrets,
    payload: {
      record_id: record.id,
      queue: record.queueName,
      payload: unmasked(payload, sealed.payload),
      columns: unmasked(columns, sealed.columns),
      context: record.context,
      error: {
        type: record.errorClass,
        message: record.errorMessage,
        node_id: record.failedNodeId,
        node_name: record.failedNodeName,
      },
      workflow_id: record.workflowId,
      workflow_version: record.workflowVersion,
      execution_id: record.executionId,
      root_execution_id: record.rootExecutionId,
      count: record.seen,
      attempt: record.attempts + 1,
    },
  };
}

function placeOf({ executionId, failedNodeId: nodeId, batch }: WholeRecoveryRecord) {
  return { executionId, nodeId, batch };
}

async function changedMeanwhile(
  client: PoolClient,
  tenant: Tenant,
  record: WholeRecoveryRecord,
): Promise<AppError> {
  return notOpen((await findRecoveryRecord(client, tenant, record.id)) ?? record);
}

import type { Pool } from 'pg';
import { findSubFlowWorkflow } from '#db/sub-flow';
import {
  deleteRecoveryQueue,
  findRecoveryQueue,
  insertRecoveryQueue,
  listRecoveryQueues,
  updateRecoveryQueue,
  type CountedRecoveryQueue,
  type RecoveryQueueValues,
  type StoredRecoveryQueue,
} from '#db/recovery-queue';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

interface QueueDeps {
  readonly pool: Pool;
}

/** All queues of an environment by name, with the number of their records that wait. */
export function listQueues({ pool }: QueueDeps, tenant: Tenant): Promise<readonly CountedRecoveryQueue[]> {
  return listRecoveryQueues(pool, tenant);
}

/** @throws AppError `not_found` */
export async function getQueue(
  { pool }: QueueDeps,
  tenant: Tenant,
  id: string,
): Promise<CountedRecoveryQueue> {
  const [queue] = await listRecoveryQueues(pool, tenant, id);
  if (queue === undefined) throw missing(id);
  return queue;
}

/**
 * A queue by its id or name.
 *
 * @throws AppError `not_found`
 */
export async function findQueue(
  { pool }: QueueDeps,
  tenant: Tenant,
  idOrName: string,
): Promise<StoredRecoveryQueue> {
  const queue = await findRecoveryQueue(pool, tenant, idOrName);
  if (queue === undefined) throw missing(idOrName);
  return queue;
}

/** @throws AppError `conflict` when the name is taken, `invalid_request` for the resolution workflow */
export async function createQueue(
  deps: QueueDeps,
  tenant: Tenant,
  values: RecoveryQueueValues,
): Promise<CountedRecoveryQueue> {
  const id = newId();
  const checked = { ...values, ...(await resolutionOf(deps, tenant, values.resolutionWorkflowId)) };
  if (!(await insertRecoveryQueue(deps.pool, tenant, id, checked))) throw taken(values.name);
  return getQueue(deps, tenant, id);
}

/** What is to change; what is absent stays. */
export type QueueChange = {
  readonly [Field in keyof RecoveryQueueValues]?: RecoveryQueueValues[Field] | undefined;
};

/**
 * Changes what is given. Records keep the values of columns that go.
 *
 * @throws AppError `not_found`, `conflict` when the name is taken, `invalid_request` for the resolution workflow
 */
export async function changeQueue(
  deps: QueueDeps,
  tenant: Tenant,
  id: string,
  change: QueueChange,
): Promise<CountedRecoveryQueue> {
  const checked = { ...change, ...(await resolutionOf(deps, tenant, change.resolutionWorkflowId)) };
  const outcome = await updateRecoveryQueue(deps.pool, tenant, id, (queue) => ({
    name: checked.name ?? queue.name,
    appSlug: checked.appSlug === undefined ? queue.appSlug : checked.appSlug,
    columns: checked.columns ?? queue.columns,
    resolutionWorkflowId:
      checked.resolutionWorkflowId === undefined ? queue.resolutionWorkflowId : checked.resolutionWorkflowId,
  }));
  if (outcome === undefined) throw missing(id);
  if (outcome === 'taken') throw taken(change.name ?? id);
  return getQueue(deps, tenant, id);
}

/**
 * Removes a queue with the records that somebody has dealt with.
 *
 * @throws AppError `not_found`, `wrong_state` while records wait in it, or when the engine itself keeps it
 */
export async function deleteQueue(deps: QueueDeps, tenant: Tenant, id: string): Promise<void> {
  const queue = await getQueue(deps, tenant, id);
  if (queue.isBuiltIn) {
    throw new AppError('wrong_state', {
      reason: `The engine keeps calls of unknown outcome in the queue "${queue.name}": it cannot be deleted.`,
    });
  }
  const outcome = await deleteRecoveryQueue(deps.pool, tenant, id);
  if (outcome === undefined) throw missing(id);
  if (outcome === 'waiting') {
    throw new AppError('wrong_state', {
      reason: `Records wait in the queue "${queue.name}". Resolve or discard them, then delete it.`,
    });
  }
}

/** A workflow that may resolve records: started by calls, of no account of its own. Its id, whatever it was called. */
async function resolutionOf(
  { pool }: QueueDeps,
  tenant: Tenant,
  id: string | null | undefined,
): Promise<Pick<RecoveryQueueValues, 'resolutionWorkflowId'> | undefined> {
  if (id === undefined || id === null) return undefined;
  const workflow = await findSubFlowWorkflow(pool, tenant, id, undefined);
  const problem =
    workflow === undefined
      ? `there is no workflow "${id}" in this environment`
      : workflow.linkedAccountId !== null
        ? `the workflow "${id}" belongs to one linked account; records come from all of them`
        : workflow.triggerKind !== null && workflow.triggerKind !== 'api_call'
          ? `the workflow "${id}" is started by ${workflow.triggerKind}; link one with the API call trigger`
          : undefined;
  if (problem === undefined) return { resolutionWorkflowId: workflow!.id };
  throw new AppError('invalid_request', { problems: [{ path: 'resolution_workflow_id', message: problem }] });
}

function missing(id: string): AppError<'not_found'> {
  return new AppError('not_found', { what: 'Recovery queue', id });
}

function taken(name: string): AppError<'conflict'> {
  return new AppError('conflict', { what: 'Recovery queue', id: name });
}

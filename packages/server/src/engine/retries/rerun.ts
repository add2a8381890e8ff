import type { Pool } from 'pg';
import { findExecutableWorkflow } from '#db/executable-workflow';
import { findExecution, readJournal, type ExecutionHeader } from '#db/execution-log';
import type { Db } from '#db/schema';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { rowOpener, type RowVault } from '#engine/recording/sealed-parts';
import { historyOf, triggerHeaders } from '#engine/run/run-history';
import type { StartInput } from '#engine/start/start-input';

const rerunnable: ReadonlySet<string> = new Set(['errored', 'stopped', 'timed_out', 'terminated']);

/** Starts new executions from the triggers of ended ones. */
export function createRerun(deps: {
  readonly db: Db;
  readonly pool: Pool;
  readonly vault: RowVault;
  readonly startExecution: (tenant: Tenant, input: StartInput) => Promise<{ executionId: string }>;
}) {
  const { db, pool, startExecution } = deps;

  async function rerun(
    tenant: Tenant,
    executionId: string,
    options?: { readonly isLatestVersion?: boolean },
  ): Promise<{ executionId: string }> {
    const header = await findExecution(db, tenant, executionId);
    if (header === undefined) throw new AppError('execution_not_found', { id: executionId });
    if (!rerunnable.has(header.state)) {
      throw new AppError('wrong_state', {
        reason: `Execution "${executionId}" is ${header.state}: only one that failed, was stopped or timed out can be run again.`,
      });
    }
    const version =
      options?.isLatestVersion === true ? await latestVersion(tenant, header) : header.workflowVersion;
    const [trigger] = historyOf(await readJournal(pool, executionId), rowOpener(deps.vault));
    // Its log is just being deleted: without the first row nobody knows what it began with.
    if (trigger?.seq !== 0) throw new AppError('execution_not_found', { id: executionId });
    return startExecution(tenant, {
      workflowId: header.workflowId,
      ...(version === null ? { document: header.document } : { version }),
      linkedAccount: { id: header.linkedAccountId, accountId: header.accountId },
      configId: header.configId,
      slug: header.appSlug ?? undefined,
      source: header.source,
      triggerEvent: header.triggerEvent ?? undefined,
      payload: trigger.output,
      headers: triggerHeaders(trigger),
      secrets: trigger.secrets,
      instanceTag: header.instanceTag ?? undefined,
      rerunOf: executionId,
    });
  }

  async function latestVersion(tenant: Tenant, { workflowId }: ExecutionHeader): Promise<number> {
    const workflow = await findExecutableWorkflow(pool, tenant, workflowId, undefined);
    if (workflow === undefined) throw new AppError('workflow_not_found', { id: workflowId });
    if (workflow.version !== null) return workflow.version;
    throw new AppError('wrong_state', {
      reason: `Workflow "${workflowId}" is not published, so it has no latest version. Publish it, or rerun the version that the execution had.`,
    });
  }

  return rerun;
}

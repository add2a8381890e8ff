import type { ApiDeps } from '#api/deps';
import { deleteLinkedAccount } from '#connections/index';
import { listUnfinishedExecutions } from '#db/execution-control';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';

/**
 * Deletes a linked account with everything it owns, tells its providers, and stops its executions: what runs on
 * would act for a customer who is gone.
 */
export async function deleteAccountAndStop(deps: ApiDeps, tenant: Tenant, accountId: string): Promise<void> {
  const account = await deleteLinkedAccount(deps, tenant, accountId);
  for (const id of await listUnfinishedExecutions(deps.db, tenant, account.id)) {
    await deps.engine.stop(tenant, id).catch((error: unknown) => {
      // It ended by itself meanwhile.
      if (!(error instanceof AppError && error.code === 'wrong_state')) throw error;
    });
  }
}

import type { Pool } from 'pg';
import { configValues, orgCredentials, udfValues } from '#db/run-values';
import { lastSyncTime } from '#db/sync-window';
import { planReads } from '#engine/plan-reads';
import type { RunInput } from '#engine/run-state';
import type { RunFacts } from '#engine/run-scope';
import type { Plan } from '#engine/workflow-plan';
import { runEnvironment } from '#variables/index';
import { sealContext, type Vault } from '#vault/index';

/** What templates of a run read besides its payload, and which of it nobody may see. */
export interface AccountValues {
  readonly facts: Partial<Pick<RunFacts, 'config' | 'udf' | 'authCredentials' | 'env' | 'lastSyncTime'>>;
  readonly secrets: readonly unknown[];
}

/** Loads what the workflow's templates mention; most mention nothing. */
export async function accountValues(
  deps: { readonly pool: Pool; readonly vault: Pick<Vault, 'open' | 'openJson'> },
  { plan, tenant, linkedAccountId, appSlug, facts }: RunInput,
): Promise<AccountValues> {
  if (!readsAnything(plan)) return { facts: {}, secrets: [] };
  const { configId, workflowId } = facts;
  const { variables: names } = plan.reads;
  const environment =
    names === 'all' || names.size > 0
      ? await runEnvironment(deps, tenant, { linkedAccountId, workflowId, names })
      : undefined;
  const inVariables = planReads(environment?.templates ?? [], new Set());
  const [config, udf, authCredentials, lastSync] = await Promise.all([
    plan.reads.config || inVariables.config
      ? configValues(deps.pool, tenant, { linkedAccountId, configId, appSlug, workflowId })
      : undefined,
    plan.reads.linkedAccount || inVariables.linkedAccount
      ? udfValues(deps.pool, tenant, linkedAccountId)
      : undefined,
    plan.reads.authCredentials || inVariables.authCredentials ? credentials() : undefined,
    plan.reads.lastSyncTime || inVariables.lastSyncTime
      ? lastSyncTime(deps.pool, tenant, { linkedAccountId, workflowId, configId })
      : undefined,
  ]);
  return {
    facts: { config, udf, authCredentials, env: environment?.env, lastSyncTime: lastSync },
    secrets: [...(environment?.secrets ?? []), ...Object.values(authCredentials ?? {})],
  };

  async function credentials(): Promise<Record<string, unknown>> {
    const sealed = await orgCredentials(deps.pool, tenant, linkedAccountId);
    if (sealed === null) return {};
    const context = sealContext('linked_account.org_credentials_sealed', linkedAccountId);
    return deps.vault.openJson(sealed, context) as Record<string, unknown>;
  }
}

function readsAnything({ reads }: Plan): boolean {
  return (
    reads.config ||
    reads.linkedAccount ||
    reads.authCredentials ||
    reads.lastSyncTime ||
    reads.variables === 'all' ||
    reads.variables.size > 0
  );
}

import type { Pool, PoolClient } from 'pg';
import { configValues, orgCredentials, udfValues } from '#db/run-values';
import { lastSyncTime } from '#db/sync-window';
import type { Tenant } from '#domain/tenant';
import { planReads } from '#engine/plan/plan-reads';
import type { RunInput } from '#engine/run/run-state';
import type { RunFacts } from '#engine/run/run-scope';
import type { Plan } from '#engine/plan/workflow-plan';
import { runEnvironment } from '#variables/index';
import { sealContext, type Vault } from '#vault/index';

/** What templates of a run read besides its payload, and which of it nobody may see. */
export interface AccountValues {
  readonly facts: Partial<Pick<RunFacts, 'config' | 'udf' | 'authCredentials' | 'env' | 'lastSyncTime'>>;
  readonly secrets: readonly unknown[];
}

type ValueVault = Pick<Vault, 'open' | 'openJson'>;

/** Loads what the workflow's templates mention; most mention nothing. */
export async function accountValues(
  deps: { readonly pool: Pool; readonly vault: ValueVault },
  { plan, tenant, linkedAccountId, appSlug, facts }: RunInput,
): Promise<AccountValues> {
  if (!readsAnything(plan)) return { facts: {}, secrets: [] };
  const { configId, workflowId } = facts;
  const { environment, inVariables, authCredentials, secrets } = await secretValues(deps.pool, deps.vault, {
    plan,
    tenant,
    linkedAccountId,
    workflowId,
  });
  const [config, udf, lastSync] = await Promise.all([
    plan.reads.config || inVariables.config
      ? configValues(deps.pool, tenant, { linkedAccountId, configId, appSlug, workflowId })
      : undefined,
    plan.reads.linkedAccount || inVariables.linkedAccount
      ? udfValues(deps.pool, tenant, linkedAccountId)
      : undefined,
    plan.reads.lastSyncTime || inVariables.lastSyncTime
      ? lastSyncTime(deps.pool, tenant, { linkedAccountId, workflowId, configId })
      : undefined,
  ]);
  return {
    facts: { config, udf, authCredentials, env: environment?.env, lastSyncTime: lastSync },
    secrets,
  };
}

/** Whose secrets are meant. */
interface SecretsOf {
  readonly plan: Plan;
  readonly tenant: Tenant;
  readonly linkedAccountId: string;
  readonly workflowId: string;
}

/**
 * The secrets that a run of the workflow may read, to be looked for in what starts it. Nothing is asked for a
 * workflow that names no variable and no credential.
 */
export async function readableSecrets(
  client: Pool | PoolClient,
  vault: ValueVault,
  of: SecretsOf,
): Promise<readonly unknown[]> {
  return readsSecrets(of.plan) ? (await secretValues(client, vault, of)).secrets : [];
}

async function secretValues(
  client: Pool | PoolClient,
  vault: ValueVault,
  { plan, tenant, linkedAccountId, workflowId }: SecretsOf,
) {
  const { variables: names } = plan.reads;
  const environment =
    names === 'all' || names.size > 0
      ? await runEnvironment({ client, vault }, tenant, { linkedAccountId, workflowId, names })
      : undefined;
  const inVariables = planReads(environment?.templates ?? [], new Set());
  const authCredentials =
    plan.reads.authCredentials || inVariables.authCredentials ? await credentials() : undefined;
  return {
    environment,
    /** What values that are templates themselves read. */
    inVariables,
    authCredentials,
    secrets: [...(environment?.secrets ?? []), ...Object.values(authCredentials ?? {})],
  };

  async function credentials(): Promise<Record<string, unknown>> {
    const sealed = await orgCredentials(client, tenant, linkedAccountId);
    if (sealed === null) return {};
    const context = sealContext('linked_account.org_credentials_sealed', linkedAccountId);
    return vault.openJson(sealed, context) as Record<string, unknown>;
  }
}

function readsAnything(plan: Plan): boolean {
  const { reads } = plan;
  return readsSecrets(plan) || reads.config || reads.linkedAccount || reads.lastSyncTime;
}

function readsSecrets({ reads }: Plan): boolean {
  return reads.authCredentials || reads.variables === 'all' || reads.variables.size > 0;
}

import type { Db } from '#db/schema';
import { insertTriggerSecret } from '#db/trigger-secret';
import type { StoredWorkflow } from '#db/workflow';
import type { TakenSecret } from '#domain/webhook-trigger';
import { sealContext, type Vault } from '#vault/index';

/** Seals the secrets that were written into a workflow's trigger; its document names them by id. */
export async function storeTriggerSecrets(
  { vault }: { readonly vault: Pick<Vault, 'seal'> },
  db: Db,
  { org_id: orgId, environment, id: workflowId }: Pick<StoredWorkflow, 'org_id' | 'environment' | 'id'>,
  secrets: readonly TakenSecret[],
): Promise<void> {
  for (const { id, plain } of secrets) {
    const sealed = vault.seal(plain, sealContext('trigger_secret.secret_sealed', id));
    await insertTriggerSecret(db, { orgId, environment }, { id, workflowId, sealed });
  }
}

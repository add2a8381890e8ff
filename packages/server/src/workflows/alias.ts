import type { Db } from '#db/schema';
import { findAliasHolder } from '#db/workflow';
import { workflowAlias } from '#domain/workflow-file';
import type { Tenant } from '#domain/tenant';

/** Whether an alias may be given to a workflow of an app. Saving asks again: somebody else may be faster. */
export async function aliasAvailability(
  { db }: { readonly db: Db },
  tenant: Tenant,
  of: {
    readonly alias: string;
    /** The app; without it, workflows that belong to none. */
    readonly slug?: string | undefined;
    /** A workflow that may have the alias already. */
    readonly workflowId?: string | undefined;
  },
): Promise<{ alias: string; available: boolean; reason?: string }> {
  const { alias, slug, workflowId: exceptId } = of;
  const read = workflowAlias.safeParse(alias);
  if (!read.success) {
    return { alias, available: false, reason: read.error.issues[0]?.message ?? 'is not accepted' };
  }
  const holder = await findAliasHolder(db, tenant, { alias, appSlug: slug ?? null, exceptId });
  if (holder === undefined) return { alias, available: true };
  return { alias, available: false, reason: `the workflow "${holder}" has it` };
}

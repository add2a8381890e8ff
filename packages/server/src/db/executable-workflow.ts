import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** A workflow as the execute door needs it. */
export interface ExecutableWorkflow {
  readonly id: string;
  readonly linkedAccountId: string | null;
  readonly slug: string | null;
  readonly version: number | null;
  readonly document: unknown;
}

/** Finds a workflow by its id, its draft's id or its alias; an alias may need the app to be unique. */
export async function findExecutableWorkflow(
  db: Db,
  tenant: Tenant,
  idOrAlias: string,
  slug: string | undefined,
): Promise<ExecutableWorkflow | undefined> {
  const rows = await db
    .selectFrom('workflow as w')
    .leftJoin('workflow_version as v', (join) =>
      join.onRef('v.workflow_id', '=', 'w.id').onRef('v.version', '=', 'w.published_version'),
    )
    .select(['w.id', 'w.linked_account_id', 'w.app_slug', 'w.published_version', 'v.document', 'w.alias'])
    .where('w.org_id', '=', tenant.orgId)
    .where('w.environment', '=', tenant.environment)
    .where((eb) =>
      eb.or([eb('w.id', '=', idOrAlias), eb('w.draft_id', '=', idOrAlias), eb('w.alias', '=', idOrAlias)]),
    )
    .limit(20)
    .execute();
  const matches = rows.filter((row) => slug === undefined || row.app_slug === null || row.app_slug === slug);
  const row = matches.find((match) => match.id === idOrAlias) ?? matches[0];
  return (
    row && {
      id: row.id,
      linkedAccountId: row.linked_account_id,
      slug: row.app_slug,
      version: row.published_version,
      document: row.document,
    }
  );
}

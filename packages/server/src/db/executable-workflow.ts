import type { Pool } from 'pg';
import type { Tenant } from '#domain/tenant';

/** A workflow as the execute door needs it. */
export interface ExecutableWorkflow {
  readonly id: string;
  /** It was asked for by its alias, which is unique inside an app only. */
  readonly isByAlias: boolean;
  readonly linkedAccountId: string | null;
  readonly slug: string | null;
  readonly version: number | null;
  /** What payloads must fit, when the published version says so. */
  readonly jsonSchema: Readonly<Record<string, unknown>> | undefined;
}

interface Row {
  readonly id: string;
  readonly linked_account_id: string | null;
  readonly app_slug: string | null;
  readonly published_version: number | null;
  readonly is_by_alias: boolean;
  readonly json_schema: Readonly<Record<string, unknown>> | null;
}

/** Finds a workflow by its id, its draft's id or its alias; without `slug`, any of those with the alias. */
export async function findExecutableWorkflow(
  pool: Pool,
  tenant: Tenant,
  idOrAlias: string,
  slug: string | undefined,
): Promise<ExecutableWorkflow | undefined> {
  const { rows } = await pool.query<Row>({
    name: 'executable_workflow',
    text: `select w.id, w.linked_account_id, w.app_slug, w.published_version,
             w.id <> $3 and w.draft_id <> $3 as is_by_alias,
             v.document -> 'json_schema' as json_schema
           from workflow w
           left join workflow_version v on v.workflow_id = w.id and v.version = w.published_version
           where w.org_id = $1 and w.environment = $2 and (w.id = $3 or w.draft_id = $3 or w.alias = $3)
           limit 20`,
    values: [tenant.orgId, tenant.environment, idOrAlias],
  });
  const matches = rows.filter((row) => slug === undefined || row.app_slug === null || row.app_slug === slug);
  const row = matches.find((match) => !match.is_by_alias) ?? matches[0];
  return (
    row && {
      id: row.id,
      isByAlias: row.is_by_alias,
      linkedAccountId: row.linked_account_id,
      slug: row.app_slug,
      version: row.published_version,
      jsonSchema: row.json_schema ?? undefined,
    }
  );
}

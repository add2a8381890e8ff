import { sql } from 'kysely';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** Failed executions whose errors differ in names and numbers only. */
export interface ErrorGroup {
  readonly errorHash: string;
  readonly count: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** The youngest of them. */
  readonly executionId: string;
  readonly errorText: string;
  readonly workflowId: string;
  readonly workflowName: string | null;
  readonly appSlug: string | null;
  readonly workflowCount: number;
}

/**
 * The errors of a tenant's executions, the most frequent first.
 *
 * @param of.idFrom - smallest time-ordered id that counts
 */
export async function listErrorGroups(
  db: Db,
  tenant: Tenant,
  of: { readonly idFrom: string; readonly workflowId?: string | undefined; readonly limit: number },
): Promise<ErrorGroup[]> {
  const { rows } = await sql<ErrorGroup>`
    with found as (
      select e.error_hash, count(*)::int as count, min(e.id) as first_id, max(e.id) as last_id,
        count(distinct e.workflow_id)::int as workflows
      from execution e
      where e.org_id = ${tenant.orgId} and e.environment = ${tenant.environment} and e.error_hash is not null
        and e.id >= ${of.idFrom}
        and (${of.workflowId ?? null}::text is null or e.workflow_id = ${of.workflowId ?? null})
      group by e.error_hash order by count(*) desc, max(e.id) desc limit ${of.limit}
    )
    select f.error_hash as "errorHash", f.count, a.created_at as "firstAt", z.created_at as "lastAt",
      z.id as "executionId", z.error_text as "errorText", z.workflow_id as "workflowId", w.name as "workflowName",
      z.app_slug as "appSlug", f.workflows as "workflowCount"
    from found f join execution a on a.id = f.first_id join execution z on z.id = f.last_id
    left join workflow w on w.org_id = z.org_id and w.environment = z.environment and w.id = z.workflow_id
    order by f.count desc, f.last_id desc`.execute(db);
  return rows;
}

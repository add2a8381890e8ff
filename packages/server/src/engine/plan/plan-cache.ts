import type { Pool, PoolClient } from 'pg';
import { findVersionDocument } from '#db/workflow-document';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { readWorkflowDocument } from '#domain/workflow-document';
import type { NodeRegistry } from '#engine/nodes/index';
import { planWorkflow, type Plan } from '#engine/plan/workflow-plan';

/** Plans of published versions. A version never changes, so a plan is good for ever. */
export interface PlanCache {
  /**
   * @param client - the connection of a transaction of the caller's: a plan that is not known is read on it, since
   *   a second connection of the same pool may never come while others hold theirs and wait as well
   * @throws AppError `workflow_not_found` when the version is gone.
   */
  get(tenant: Tenant, workflowId: string, version: number, client?: PoolClient): Promise<Plan>;
  /** The plan of a test run of a document that is not published; not kept. */
  of(document: unknown): Plan;
}

interface Entry {
  readonly plan: Promise<Plan>;
  isLoaded: boolean;
}

const mostPlans = 1_000;

export function createPlanCache(pool: Pool, registry: NodeRegistry): PlanCache {
  const entries = new Map<string, Entry>();
  const ofDraft = (document: unknown): Plan => planWorkflow(readWorkflowDocument(document), registry, 'test');

  async function load(from: Pool | PoolClient, tenant: Tenant, id: string, version: number): Promise<Plan> {
    const document = await findVersionDocument(from, tenant, id, version);
    if (document === undefined) throw new AppError('workflow_not_found', { id });
    return planWorkflow(readWorkflowDocument(document), registry);
  }

  return {
    of: ofDraft,
    get(tenant, workflowId, version, client) {
      const key = `${tenant.orgId}/${tenant.environment}/${workflowId}/${version}`;
      let entry = entries.get(key);
      // Taken out and put back: the map's order is the order of use.
      entries.delete(key);
      if (entry === undefined || (client !== undefined && !entry.isLoaded)) {
        const made: Entry = { plan: load(client ?? pool, tenant, workflowId, version), isLoaded: false };
        made.plan.then(
          () => (made.isLoaded = true),
          () => entries.get(key) === made && entries.delete(key),
        );
        entry = made;
      }
      entries.set(key, entry);
      if (entries.size > mostPlans) entries.delete(entries.keys().next().value!);
      return entry.plan;
    },
  };
}

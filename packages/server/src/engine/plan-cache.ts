import type { Db } from '#db/schema';
import { findVersionDocument } from '#db/workflow-document';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { readWorkflowDocument } from '#domain/workflow-document';
import type { NodeRegistry } from '#engine/nodes/index';
import { planWorkflow, type Plan } from '#engine/workflow-plan';

/** Plans of published versions. A version never changes, so a plan is good for ever. */
export interface PlanCache {
  /** @throws AppError `workflow_not_found` when the version is gone. */
  get(tenant: Tenant, workflowId: string, version: number): Promise<Plan>;
  /** The plan of a document that is not published; not kept. */
  of(document: unknown): Plan;
}

const mostPlans = 1_000;

export function createPlanCache(db: Db, registry: NodeRegistry): PlanCache {
  const plans = new Map<string, Promise<Plan>>();
  const of = (document: unknown): Plan => planWorkflow(readWorkflowDocument(document), registry);

  async function load(tenant: Tenant, workflowId: string, version: number): Promise<Plan> {
    const document = await findVersionDocument(db, tenant, workflowId, version);
    if (document === undefined) throw new AppError('workflow_not_found', { id: workflowId });
    return of(document);
  }

  return {
    of,
    get(tenant, workflowId, version) {
      const key = `${tenant.orgId}/${tenant.environment}/${workflowId}/${version}`;
      const known = plans.get(key);
      // Taken out and put back: the map's order is the order of use.
      plans.delete(key);
      const plan = known ?? load(tenant, workflowId, version);
      plans.set(key, plan);
      if (known === undefined) plan.catch(() => plans.delete(key));
      if (plans.size > mostPlans) plans.delete(plans.keys().next().value!);
      return plan;
    },
  };
}

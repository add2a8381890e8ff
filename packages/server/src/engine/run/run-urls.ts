import type { RunState } from '#engine/run/run-state';
import type { PlanGraph } from '#engine/plan/workflow-plan';

/**
 * The URLs of a node that will wait: they can be given away before it does.
 *
 * @param batch - the iteration that is meant; without it, whichever waits
 */
export function urlsOf({ deps, input }: RunState, nodeId: string, batch?: string): unknown {
  const { plan, tenant, facts } = input;
  if (plan.byId.get(nodeId)?.type !== 'wait_for_webhook') return undefined;
  return {
    resume_url: deps.links.url({ tenant, of: 'execution', id: facts.executionId, nodeId, batch }),
    webhook_url: deps.links.url({ tenant, of: 'workflow', id: facts.workflowId, nodeId }),
  };
}

/** The same for the nodes of a graph that is walked more than once: each walk has URLs of its own. */
export function urlsIn(run: RunState, graph: PlanGraph, batch: string): (nodeId: string) => unknown {
  return (nodeId) => (graph.nodes.some(({ id }) => id === nodeId) ? urlsOf(run, nodeId, batch) : undefined);
}

import type { TemplateScope } from '#domain/template';
import type { Plan } from '#engine/workflow-plan';

/** What a node's result is to templates: `{{node.7.body…}}`. */
export interface NodeResult {
  readonly status: string;
  readonly node_id: string;
  readonly node_name: string;
  readonly body: unknown;
  readonly status_code?: number;
}

/** What a run knows besides the results of its nodes. */
export interface RunFacts {
  readonly executionId: string;
  readonly workflowId: string;
  readonly configId: string;
  readonly accountId: string;
  readonly eventName: string | null;
  readonly createdAt: Date;
  readonly payload: unknown;
  readonly headers: unknown;
  /** Loaded only for a workflow that mentions them. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  readonly udf?: Readonly<Record<string, unknown>> | undefined;
}

/** The scope of templates in one run (spec/workflows §11). It grows as nodes finish. */
export function runScope(
  plan: Plan,
  facts: RunFacts,
  results: ReadonlyMap<string, NodeResult>,
): TemplateScope {
  const bySlug = new Map(plan.nodes.filter((node) => node.slug !== '').map((node) => [node.slug, node.id]));
  return {
    values: {
      event: eventOf(facts),
      config: facts.config ?? {},
      linked_account: { id: facts.accountId, udf: facts.udf ?? {} },
      execution_id: facts.executionId,
      start_time: facts.createdAt.toISOString(),
      input_data: facts.payload,
      instance_meta_data: {
        event_name: facts.eventName,
        config_id: facts.configId,
        instance_created_time: facts.createdAt.toISOString(),
        instance_id: facts.executionId,
        workflow_id: facts.workflowId,
      },
    },
    node: (id) => results.get(id),
    nodeIdOf: (slug) => bySlug.get(slug),
  };
}

/** The payload; with the caller's headers beside its fields when they were asked for. */
function eventOf({ payload, headers }: RunFacts): unknown {
  if (headers === null || headers === undefined) return payload;
  return typeof payload === 'object' && payload !== null && !Array.isArray(payload)
    ? { ...payload, headers }
    : { headers };
}

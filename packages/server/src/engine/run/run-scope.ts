import { createHash } from 'node:crypto';
import type { TemplateScope } from '#domain/template';
import type { Plan } from '#engine/plan/workflow-plan';

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
  /** The first execution of its line of retries: idempotency keys bear its id. */
  readonly lineageId: string;
  readonly workflowId: string;
  readonly configId: string;
  readonly accountId: string;
  readonly eventName: string | null;
  readonly source: string;
  readonly createdAt: Date;
  readonly payload: unknown;
  readonly headers: unknown;
  /** Loaded only for a workflow that mentions them. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  readonly udf?: Readonly<Record<string, unknown>> | undefined;
  readonly authCredentials?: Readonly<Record<string, unknown>> | undefined;
  /** Environment variables by scope, then by name. */
  readonly env?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** End of the last window of an incremental sync of this workflow and account. */
  readonly lastSyncTime?: Date | undefined;
}

/** The scope of templates in one run (spec/workflows §11). It grows as nodes finish. */
export function runScope(
  plan: Plan,
  facts: RunFacts,
  results: ReadonlyMap<string, NodeResult>,
  /** What is known of a node that has not run. */
  ahead: (nodeId: string) => unknown = () => undefined,
): TemplateScope {
  const bySlug = new Map(
    [...plan.byId.values()].filter((node) => node.slug !== '').map((node) => [node.slug, node.id]),
  );
  return {
    values: {
      event: eventOf(facts),
      config: facts.config ?? {},
      linked_account: {
        id: facts.accountId,
        udf: facts.udf ?? {},
        auth_credentials: facts.authCredentials ?? {},
      },
      env: facts.env ?? {},
      execution_id: facts.executionId,
      start_time: facts.createdAt.toISOString(),
      triggered_by: facts.eventName ?? facts.source,
      input_data: facts.payload,
      last_sync_time: facts.lastSyncTime?.toISOString() ?? null,
      instance_meta_data: {
        event_name: facts.eventName,
        config_id: facts.configId,
        instance_created_time: facts.createdAt.toISOString(),
        instance_id: facts.executionId,
        workflow_id: facts.workflowId,
      },
    },
    node: (id) => results.get(id) ?? ahead(id),
    nodeIdOf: (slug) => bySlug.get(slug),
  };
}

/** The scope inside a container: what is around it, under what is known inside. */
export function innerScope(
  outer: TemplateScope,
  results: ReadonlyMap<string, NodeResult>,
  values: Readonly<Record<string, unknown>>,
  /** What is known of a node inside that has not run. */
  ahead: (nodeId: string) => unknown,
): TemplateScope {
  return {
    ...outer,
    values: { ...outer.values, ...values },
    node: (id) => results.get(id) ?? ahead(id) ?? outer.node(id),
  };
}

/**
 * The scope as one node sees it: `instance_meta_data.idempotency_key` is a text of 32 hex digits that stays the same
 * over attempts, take-overs and retries from failure of this node in this iteration, and no other has.
 */
export function nodeScope(scope: TemplateScope, idempotencyKey: string): TemplateScope {
  const facts = scope.values['instance_meta_data'] as Record<string, unknown>;
  return {
    ...scope,
    values: {
      ...scope.values,
      // Hashed when a template asks for it: few do.
      get instance_meta_data() {
        const key = createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 32);
        return { ...facts, idempotency_key: key };
      },
    },
  };
}

/** The payload; with the caller's headers beside its fields when they were asked for. */
function eventOf({ payload, headers }: RunFacts): unknown {
  if (headers === null || headers === undefined) return payload;
  return typeof payload === 'object' && payload !== null && !Array.isArray(payload)
    ? { ...payload, headers }
    : { headers };
}

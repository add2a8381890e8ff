import { evaluateRule, readRule, type EvaluatedCondition } from '#domain/rules';
import { render, type TemplateScope } from '#domain/template';
import type { Tenant } from '#domain/tenant';
import { nodeScope } from '#engine/run/run-scope';
import { failureOf, problemText } from '#engine/run/node-failure';
import type { NodeServices } from '#engine/node-services';
import type { NodeRegistry } from '#engine/nodes/index';
import type { NodeEffect, NodeFailure, NodeType } from '#engine/nodes/node-type';
import type { PlanNode } from '#engine/plan/workflow-plan';

/** A node with its settings filled in and checked. */
export interface ReadyNode {
  readonly kind: 'ready';
  readonly type: NodeType;
  readonly settings: unknown;
  /** Mostly known at once; what a stored action does is looked up. */
  readonly effect: NodeEffect | Promise<NodeEffect>;
  /** What of the settings goes to the log. */
  readonly logged: unknown;
}

/** A node that may run, or why it does not. */
export type PreparedNode =
  | ReadyNode
  | { readonly kind: 'rejected'; readonly conditions: readonly EvaluatedCondition[] }
  | { readonly kind: 'failed'; readonly failure: NodeFailure; readonly logged?: unknown };

/** Decides a node's conditions, fills in its settings and checks them. Touches nothing outside. */
export function prepareNode(
  registry: NodeRegistry,
  node: PlanNode,
  runScope: TemplateScope,
  context: {
    services: NodeServices;
    tenant: Tenant;
    idempotencyKey: string;
    appSlug: string | undefined;
  },
): PreparedNode {
  const type = registry.get(node.type);
  if (type === undefined) {
    return { kind: 'failed', failure: { message: `There is no node type "${node.type}".`, retry: 'never' } };
  }
  const scope = nodeScope(runScope, context.idempotencyKey);
  try {
    if (node.conditions !== undefined) {
      const rule = evaluateRule(readRule(render(node.conditions, scope, { missing: 'omit' })));
      if (!rule.result) return { kind: 'rejected', conditions: rule.evaluated };
    }
    const rendered = render(node.settings, scope, { missing: type.omitsMissing === true ? 'omit' : 'empty' });
    const given = { ...(rendered as Record<string, unknown>), ...node.literals };
    const checked = type.settings.safeParse(given);
    if (!checked.success) {
      const failure = { message: problemText(checked.error.issues), retry: 'never' } as const;
      // A type that hides something of its settings hides all of those that it could not read.
      return { kind: 'failed', failure, ...(type.logged === undefined && { logged: given }) };
    }
    const settings = checked.data;
    return {
      kind: 'ready',
      type,
      settings,
      effect: typeof type.effect === 'function' ? type.effect(settings, context) : type.effect,
      logged: type.logged === undefined ? given : type.logged(settings),
    };
  } catch (error) {
    return { kind: 'failed', failure: failureOf(error) };
  }
}

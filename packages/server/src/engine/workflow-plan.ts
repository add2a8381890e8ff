import { readConcurrency, type Concurrency } from '#domain/concurrency';
import { compileSettings, compileTemplate, type CompiledTemplate } from '#domain/template';
import { outputSettings, readOutputRules, type OutputRules } from '#domain/node-output';
import { readTriggerGuard, type TriggerGuard } from '#domain/trigger-guard';
import type { WorkflowDocument } from '#domain/workflow-document';
import { defaultPort } from '#engine/nodes/node-type';
import type { NodeRegistry } from '#engine/nodes/index';
import { planReads, type PlanReads } from '#engine/plan-reads';
import { readRetryPolicy, type RetryPolicy } from '#engine/retry-policy';

export interface PlanNode {
  readonly index: number;
  readonly id: string;
  readonly type: string;
  readonly name: string;
  /** The node's name as templates may spell it: `Fetch orders` is `fetch_orders`. */
  readonly slug: string;
  /** Settings, templates found but not filled in. */
  readonly settings: CompiledTemplate;
  /** Settings that are taken as written: source code, queries. */
  readonly literals: Readonly<Record<string, unknown>>;
  readonly isSkippedOnError: boolean;
  /** The node runs only where these hold. */
  readonly conditions: CompiledTemplate | undefined;
  readonly retry: RetryPolicy;
  /** Its answer comes in pages, each of them a batch. */
  readonly hasPages: boolean;
  /** What of its work is shown and handed on. */
  readonly output: OutputRules;
  /** Waits for every in-edge to be taken or dead; others start on the first taken one. */
  readonly joins: boolean;
  readonly out: readonly { readonly target: number; readonly port: string }[];
  /** In-edges from nodes that Start can reach. */
  readonly inEdges: number;
}

/** A workflow version made ready to walk. Only nodes that Start can reach are in it. */
export interface Plan {
  readonly nodes: readonly PlanNode[];
  readonly start: number;
  readonly timeoutS: number;
  readonly reads: PlanReads;
  /** How often it may run at the same time. */
  readonly concurrency: Concurrency | undefined;
  /** What is decided before an execution exists. */
  readonly guard: TriggerGuard;
}

const defaultTimeoutS = 2 * 3600;

/** Compiles a document that was validated when it was saved. */
export function planWorkflow(document: WorkflowDocument, registry: NodeRegistry): Plan {
  const reachable = reachableFromStart(document);
  const ids = document.nodes.map((node) => node.id).filter((id) => reachable.has(id));
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const edges = document.edges.filter((edge) => reachable.has(edge.source) && reachable.has(edge.target));
  const byId = new Map(document.nodes.map((node) => [node.id, node]));
  const nodes = ids.map((id, index): PlanNode => {
    const node = byId.get(id)!;
    const type = registry.get(node.node_type);
    const { literals, templated } = splitSettings(node.data, type?.literal ?? []);
    const conditions = node['conditions'] ?? node.data['node_conditions'];
    return {
      index,
      id,
      type: node.node_type,
      name: node.name,
      slug: slugOf(node.name),
      settings: compileSettings(templated, type?.markup),
      literals,
      isSkippedOnError: (node['skip_on_error'] ?? node.data['skip_on_error']) === true,
      conditions: conditions === undefined || conditions === null ? undefined : compileTemplate(conditions),
      retry: readRetryPolicy(node['retry_policy'] ?? node.data['retry_policy']),
      hasPages: type?.hasPages === true,
      output: readOutputRules(node, node.data),
      joins: type?.joins === true,
      out: edges
        .filter((edge) => edge.source === id)
        .map((edge) => ({ target: indexOf.get(edge.target)!, port: portOf(edge.source_handle) })),
      inEdges: edges.filter((edge) => edge.target === id).length,
    };
  });
  return {
    nodes,
    start: indexOf.get(startOf(document).id)!,
    timeoutS: positiveNumber(document.settings['timeout']) ?? defaultTimeoutS,
    reads: planReads(
      nodes.flatMap(({ settings, conditions }) =>
        conditions === undefined ? [settings] : [settings, conditions],
      ),
      new Set(nodes.map(({ slug }) => slug)),
    ),
    concurrency: readConcurrency(document.settings),
    guard: readTriggerGuard(document),
  };
}

/** Settings of the engine itself stay out of what the node sees. */
const engineSettings = new Set<string>([
  'skip_on_error',
  'node_conditions',
  'retry_policy',
  ...outputSettings,
]);

function splitSettings(
  data: Readonly<Record<string, unknown>>,
  literal: readonly string[],
): { literals: Record<string, unknown>; templated: Record<string, unknown> } {
  const literals: Record<string, unknown> = {};
  const templated: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(data)) {
    if (engineSettings.has(key)) continue;
    (literal.includes(key) ? literals : templated)[key] = value;
  }
  return { literals, templated };
}

/** Absent, empty and the builder's own names all mean the one way out of an ordinary node. */
function portOf(handle: string | undefined): string {
  return handle === undefined || handle === '' || handle === 'default' ? defaultPort : handle;
}

function startOf(document: WorkflowDocument): WorkflowDocument['nodes'][number] {
  const start =
    document.nodes.find((node) => node.node_type === 'start') ?? document.nodes.find((n) => n.id === '1');
  if (start === undefined) throw new Error('The workflow has no Start node; validation let it through.');
  return start;
}

function reachableFromStart(document: WorkflowDocument): Set<string> {
  const targets = new Map<string, string[]>();
  const known = new Set(document.nodes.map((node) => node.id));
  for (const { source, target } of document.edges) {
    if (known.has(target)) targets.set(source, [...(targets.get(source) ?? []), target]);
  }
  const reached = new Set<string>([startOf(document).id]);
  for (const id of reached) for (const target of targets.get(id) ?? []) reached.add(target);
  return reached;
}

function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');
}

function positiveNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number > 0 ? Math.ceil(number) : undefined;
}

import { readConcurrency, type Concurrency } from '#domain/concurrency';
import { readCustomFields } from '#domain/custom-fields';
import { outputSettings, readOutputRules, type OutputRules } from '#domain/node-output';
import { compileSettings, compileTemplate, type CompiledTemplate } from '#domain/template';
import { readTriggerGuard, type TriggerGuard } from '#domain/trigger-guard';
import type { PinnedOutput, WorkflowDocument, WorkflowNode } from '#domain/workflow-document';
import { defaultPort, type NodeType } from '#engine/nodes/node-type';
import type { NodeRegistry } from '#engine/nodes/index';
import { loopsRead } from '#engine/plan/loops-read';
import { planReads, type PlanReads } from '#engine/plan/plan-reads';
import { readRetryPolicy, type RetryPolicy } from '#engine/run/retry-policy';

/** Nodes that are walked together: those of the workflow itself, or those inside a loop, a try block or its catch. */
export interface PlanGraph {
  /** Only nodes that an entry can reach. */
  readonly nodes: readonly PlanNode[];
  /** Where a walk of it begins. */
  readonly entries: readonly number[];
  /** Nothing in it touches the outside, waits or answers: walking it twice is harmless. */
  readonly isPure: boolean;
}

export interface PlanNode {
  /** Position in its graph. */
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
  /** Settings of a container that are filled in inside of it, at the end of each iteration. */
  readonly inside: Readonly<Record<string, CompiledTemplate>>;
  readonly isSkippedOnError: boolean;
  /** The node runs only where these hold. */
  readonly conditions: CompiledTemplate | undefined;
  readonly retry: RetryPolicy;
  /** False: the retry policy is the default one. */
  readonly hasOwnRetry: boolean;
  /** In a test run: its result, without running it. */
  readonly pinned: PinnedOutput | undefined;
  /** Its answer comes in pages, each of them a batch. */
  readonly hasPages: boolean;
  /** What of its work is shown and handed on. */
  readonly output: OutputRules;
  /** Waits for every in-edge to be taken or dead; others start on the first taken one. */
  readonly joins: boolean;
  readonly out: readonly { readonly target: number; readonly port: string }[];
  /** In-edges from nodes of its graph. */
  readonly inEdges: number;
  /** Graphs inside a container, by the port that leads to them. */
  readonly regions: Readonly<Record<string, PlanGraph>>;
}

/** A workflow version made ready to walk; it is its own outermost graph. */
export interface Plan extends PlanGraph {
  readonly start: number;
  /** Nodes of all graphs by their ids. */
  readonly byId: ReadonlyMap<string, PlanNode>;
  readonly loopIds: readonly string[];
  /** Loops of which some template reads more than the counts: their results are kept until they are read. */
  readonly readLoops: ReadonlySet<string>;
  /** Somebody wants sync calls to wait for loops. */
  readonly allowsSyncLoops: boolean;
  readonly timeoutS: number;
  readonly reads: PlanReads;
  /** How often it may run at the same time. */
  readonly concurrency: Concurrency | undefined;
  /** What lists show and search of its executions, filled in when a run ends. */
  readonly customFields: Readonly<Record<string, CompiledTemplate>>;
  /** What is decided before an execution exists. */
  readonly guard: TriggerGuard;
}

const defaultTimeoutS = 2 * 3600;

/**
 * Compiles a document that was validated when it was saved.
 *
 * @param purpose - a `test` makes one attempt per node, takes pinned outputs, and keeps out of the limits of
 *   published executions
 */
export function planWorkflow(
  document: WorkflowDocument,
  registry: NodeRegistry,
  purpose: 'run' | 'test' = 'run',
): Plan {
  const start = startOf(document);
  const root = planGraph({ document, registry, isTest: purpose === 'test' }, undefined, [start.id]);
  const all = [...nodesOf(root)];
  const customFields = compileFields(readCustomFields(document.settings));
  return {
    ...root,
    start: root.nodes.findIndex((node) => node.id === start.id),
    byId: new Map(all.map((node) => [node.id, node])),
    loopIds: all.filter((node) => node.type === 'loop').map((node) => node.id),
    readLoops: loopsRead(all),
    allowsSyncLoops: [true, 'true'].includes(document.settings['allow_sync_loops'] as boolean | string),
    timeoutS: positiveNumber(document.settings['timeout']) ?? defaultTimeoutS,
    reads: planReads(
      all
        .flatMap((node) => [
          node.settings,
          ...(node.conditions === undefined ? [] : [node.conditions]),
          ...Object.values(node.inside),
        ])
        .concat(Object.values(customFields)),
      new Set(all.map(({ slug }) => slug)),
    ),
    concurrency: purpose === 'test' ? undefined : readConcurrency(document.settings),
    customFields,
    guard: readTriggerGuard(document),
  };
}

function compileFields(fields: Readonly<Record<string, unknown>>): Record<string, CompiledTemplate> {
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, compileTemplate(value)]));
}

/** Every node of a graph and of the graphs inside it. */
export function* nodesOf(graph: PlanGraph): Generator<PlanNode> {
  for (const node of graph.nodes) {
    yield node;
    for (const region of Object.values(node.regions)) yield* nodesOf(region);
  }
}

interface Source {
  readonly document: WorkflowDocument;
  readonly registry: NodeRegistry;
  readonly isTest: boolean;
}

function planGraph(source: Source, parent: string | undefined, entryIds: readonly string[]): PlanGraph {
  const { document, registry } = source;
  const pinOf = (id: string): PinnedOutput | undefined =>
    source.isTest && document.pinned_outputs !== undefined && Object.hasOwn(document.pinned_outputs, id)
      ? document.pinned_outputs[id]
      : undefined;
  const members = new Map(
    document.nodes.filter((node) => node.parent_id === parent).map((node) => [node.id, node]),
  );
  const edges = document.edges.filter((edge) => members.has(edge.source) && members.has(edge.target));
  const reached = reachable(entryIds, edges);
  const ids = [...members.keys()].filter((id) => reached.has(id));
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const live = edges
    .filter((edge) => reached.has(edge.source))
    .flatMap(({ source: from, target, source_handle }) =>
      (isPinnedOpen(pinOf(from))
        ? [defaultPort]
        : portsOf(members.get(from)!, registry.get(members.get(from)!.node_type), target, source_handle)
      ).map((port) => ({ from, target, port })),
    );
  const nodes = ids.map((id, index): PlanNode => ({
    index,
    ...planSettings(members.get(id)!, registry.get(members.get(id)!.node_type), source.isTest),
    pinned: pinOf(id),
    out: live
      .filter((edge) => edge.from === id)
      .map(({ target, port }) => ({ target: indexOf.get(target)!, port })),
    inEdges: live.filter((edge) => edge.target === id).length,
    regions: planRegions(source, members.get(id)!),
  }));
  return {
    nodes,
    entries: entryIds.map((id) => indexOf.get(id)!),
    isPure: nodes.every((node) => isPure(registry.get(node.type))),
  };
}

function isPinnedOpen(pin: PinnedOutput | undefined): boolean {
  return pin !== undefined && pin.port === undefined;
}

function isPure(type: NodeType | undefined): boolean {
  if (type === undefined || type.type === 'response') return false;
  return type.effect === 'none' && type.resume === undefined && type.container === undefined;
}

/** A node inside a container is reached by an edge of the container, or stands at the beginning by having no in-edge. */
function planRegions(source: Source, container: WorkflowNode): Record<string, PlanGraph> {
  const ports = source.registry.get(container.node_type)?.container ?? [];
  const { nodes, edges } = source.document;
  const children = nodes.filter((node) => node.parent_id === container.id).map((node) => node.id);
  const isChild = new Set(children);
  const inner = edges.filter((edge) => isChild.has(edge.source) && isChild.has(edge.target));
  const led = (port: string): string[] => [
    ...new Set(
      edges
        .filter((e) => e.source === container.id && e.source_handle === port && isChild.has(e.target))
        .map((e) => e.target),
    ),
  ];
  const others = reachable(ports.slice(1).flatMap(led), inner);
  const hasInEdge = new Set(inner.map((edge) => edge.target));
  const unled = children.filter((id) => !hasInEdge.has(id) && !others.has(id));
  return Object.fromEntries(
    ports.flatMap((port, position) => {
      const entries = led(port).length > 0 || position > 0 ? led(port) : unled;
      return entries.length === 0 ? [] : [[port, planGraph(source, container.id, entries)]];
    }),
  );
}

function planSettings(
  node: WorkflowNode,
  type: NodeType | undefined,
  isTest: boolean,
): Omit<PlanNode, 'index' | 'out' | 'inEdges' | 'regions' | 'pinned'> {
  const { literals, templated, inside } = splitSettings(node.data, type);
  const conditions = conditionsOf(node);
  const retry = node['retry_policy'] ?? node.data['retry_policy'];
  return {
    id: node.id,
    type: node.node_type,
    name: node.name,
    slug: slugOf(node.name),
    settings: compileSettings(templated, type?.markup),
    literals,
    inside: compileFields(inside),
    isSkippedOnError: (node['skip_on_error'] ?? node.data['skip_on_error']) === true,
    conditions: conditions === undefined ? undefined : compileTemplate(conditions),
    retry: { ...readRetryPolicy(retry), ...(isTest && { maxAttempts: 1 }) },
    hasPages: type?.hasPages === true,
    output: readOutputRules(node, node.data),
    hasOwnRetry: typeof retry === 'object' && retry !== null,
    joins: type?.joins === true,
  };
}

/** A bare list, all of which must hold, or an object that says `all` or `any`; beside it, how the list combines. */
function conditionsOf(node: WorkflowNode): unknown {
  const conditions = node['conditions'] ?? node.data['node_conditions'];
  if (conditions === undefined || conditions === null) return undefined;
  const match = node['conditions_match'] ?? node.data['node_conditions_match'];
  return Array.isArray(conditions) && match !== undefined ? { match, conditions } : conditions;
}

/** Settings of the engine itself stay out of what the node sees. */
const engineSettings = new Set<string>([
  'skip_on_error',
  'node_conditions',
  'node_conditions_match',
  'retry_policy',
  ...outputSettings,
]);

function splitSettings(
  data: Readonly<Record<string, unknown>>,
  type: NodeType | undefined,
): Record<'literals' | 'templated' | 'inside', Record<string, unknown>> {
  const split = { literals: {}, templated: {}, inside: {} } as Record<
    'literals' | 'templated' | 'inside',
    Record<string, unknown>
  >;
  for (const [key, value] of Object.entries(data)) {
    if (engineSettings.has(key)) continue;
    if (type?.literal?.includes(key) === true) split.literals[key] = value;
    else if (type?.inside?.includes(key) === true) split.inside[key] = value;
    else split.templated[key] = value;
  }
  return split;
}

/** Most edges are taken by the one port that they name; a switch may name the target in its cases instead. */
function portsOf(
  node: WorkflowNode,
  type: NodeType | undefined,
  target: string,
  handle: string | undefined,
): readonly string[] {
  const named = type?.portsTo?.(node.data, target) ?? [];
  if (named.length > 0) return named;
  return handle !== undefined && type?.ports(node.data).includes(handle) === true
    ? [handle]
    : [portOf(handle)];
}

/** Absent, empty and the builder's own names all mean the one way out of an ordinary node. */
function portOf(handle: string | undefined): string {
  return handle === undefined || handle === '' || handle === 'default' ? defaultPort : handle;
}

function startOf(document: WorkflowDocument): WorkflowNode {
  const start =
    document.nodes.find((node) => node.node_type === 'start') ?? document.nodes.find((n) => n.id === '1');
  if (start === undefined) throw new Error('The workflow has no Start node; validation let it through.');
  return start;
}

function reachable(
  from: readonly string[],
  edges: readonly { readonly source: string; readonly target: string }[],
): Set<string> {
  const targets = Map.groupBy(edges, (edge) => edge.source);
  const reached = new Set(from);
  for (const id of reached) for (const { target } of targets.get(id) ?? []) reached.add(target);
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

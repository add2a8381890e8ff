import type { FieldProblem } from '#domain/errors';
import type { NodeTypeFacts, NodeTypes } from '#domain/workflow-checks';
import type { Edge, WorkflowDocument, WorkflowNode } from '#domain/workflow-document';

/** Containers inside containers, so deep at most. */
const deepest = 10;

/** How a node is called in a message. */
export function called(node: WorkflowNode): string {
  return `node "${node.name}" (${node.id})`;
}

/** The containers around a node, innermost first. A circle of parents ends at `deepest`. */
export function containersAround(
  node: WorkflowNode,
  nodes: ReadonlyMap<string, WorkflowNode>,
): readonly WorkflowNode[] {
  const around: WorkflowNode[] = [];
  let parent = node.parent_id === undefined ? undefined : nodes.get(node.parent_id);
  while (parent !== undefined && around.length <= deepest) {
    around.push(parent);
    parent = parent.parent_id === undefined ? undefined : nodes.get(parent.parent_id);
  }
  return around;
}

/** Nodes that stand where they cannot: in nothing, in a node that holds no others, in themselves, in the wrong place. */
export function containerProblems(document: WorkflowDocument, nodeTypes: NodeTypes): FieldProblem[] {
  const nodes = new Map(document.nodes.map((node) => [node.id, node]));
  return document.nodes.flatMap((node, index) => {
    const message = parentProblem(node, nodes, nodeTypes) ?? placeProblem(node, nodes, nodeTypes);
    return message === undefined ? [] : [{ path: `nodes[${index}].parent_id`, message }];
  });
}

function parentProblem(
  node: WorkflowNode,
  nodes: ReadonlyMap<string, WorkflowNode>,
  nodeTypes: NodeTypes,
): string | undefined {
  if (node.parent_id === undefined) return undefined;
  if (node.node_type === 'start') return `${called(node)} stands in a container; a workflow starts outside`;
  const parent = nodes.get(node.parent_id);
  if (parent === undefined) return `${called(node)} stands in node "${node.parent_id}", which does not exist`;
  const facts = nodeTypes.get(parent.node_type);
  if (facts !== undefined && facts.container === undefined) {
    return `${called(node)} stands in ${called(parent)}, a ${parent.node_type}, which holds no other nodes`;
  }
  const around = containersAround(node, nodes);
  if (around.includes(node)) return `${called(node)} stands inside itself`;
  if (around.length > deepest) return `${called(node)} stands more than ${deepest} containers deep`;
  return undefined;
}

function placeProblem(
  node: WorkflowNode,
  nodes: ReadonlyMap<string, WorkflowNode>,
  nodeTypes: NodeTypes,
): string | undefined {
  const around = containersAround(node, nodes).map((container) => container.node_type);
  const problem = nodeTypes.get(node.node_type)?.placeProblem?.(node.data, around);
  return problem === undefined ? undefined : `${called(node)} ${problem}`;
}

/** Why an edge may not join these two nodes: edges stay inside one container, or lead from it to a node in it. */
export function borderProblem(
  { source, target, port }: { source: WorkflowNode; target: WorkflowNode; port: string },
  facts: NodeTypeFacts | undefined,
): string | undefined {
  const inner = facts?.container ?? [];
  if (inner.includes(port)) {
    if (target.parent_id === source.id) return undefined;
    return `leaves ${called(source)} by "${port}" to ${called(target)}, which does not stand in it`;
  }
  if (source.parent_id === target.parent_id) return undefined;
  if (target.parent_id === source.id && inner.length > 0) {
    return `leads from ${called(source)} to ${called(target)} in it by "${port}"; edges to its inside leave by ${inner.map((name) => `"${name}"`).join(' or ')}`;
  }
  return `leads from ${called(source)} to ${called(target)} across the border of a container; connect nodes that stand in the same one`;
}

/** The edges, and those that go without saying: a container leads to the nodes in it that nothing else leads to. */
export function allEdges(document: WorkflowDocument, nodeTypes: NodeTypes): readonly Edge[] {
  const implied = document.nodes.flatMap((container) => {
    const [first] = nodeTypes.get(container.node_type)?.container ?? [];
    if (first === undefined) return [];
    const isLed = document.edges.some((edge) => edge.source === container.id && edge.source_handle === first);
    if (isLed) return [];
    return document.nodes
      .filter((node) => node.parent_id === container.id)
      .filter((node) => !document.edges.some((edge) => edge.target === node.id))
      .map((node): Edge => ({ source: container.id, target: node.id, source_handle: first }));
  });
  return [...document.edges, ...implied];
}

/** Nodes that both the try block and its catch lead to: nobody could say when they run. */
export function regionProblems(document: WorkflowDocument, nodeTypes: NodeTypes): FieldProblem[] {
  const edges = allEdges(document, nodeTypes);
  return document.nodes.flatMap((container) => {
    const ports = nodeTypes.get(container.node_type)?.container ?? [];
    const regions = ports.map((port) => reachedFrom(container.id, port, edges));
    return document.nodes.flatMap((node, index) =>
      regions.filter((region) => region.has(node.id)).length < 2
        ? []
        : [
            {
              path: `nodes[${index}]`,
              message: `${called(node)} is led to by more than one of ${ports.map((port) => `"${port}"`).join(' and ')} of ${called(container)}; make one node for each`,
            },
          ],
    );
  });
}

function reachedFrom(containerId: string, port: string, edges: readonly Edge[]): Set<string> {
  const first = edges.filter((edge) => edge.source === containerId && edge.source_handle === port);
  const reached = new Set(first.map((edge) => edge.target));
  for (const id of reached) for (const { source, target } of edges) if (source === id) reached.add(target);
  return reached;
}

/**
 * Whether a setting of one node may read another node: what stands beside it or beside something around it. What is
 * inside a container is over when the container ends, and there may have been many of it.
 */
export function mayRead(
  reader: WorkflowNode,
  read: WorkflowNode,
  nodes: ReadonlyMap<string, WorkflowNode>,
  isInsideSetting: boolean,
): boolean {
  if (read.parent_id === undefined || read.parent_id === reader.parent_id) return true;
  if (isInsideSetting && read.parent_id === reader.id) return true;
  return containersAround(reader, nodes).some((container) => container.id === read.parent_id);
}

import { startOf, type Edge, type PinnedOutput, type WorkflowDocument } from '#domain/workflow-document';

/** Outputs by node. */
export type Outputs = Readonly<Record<string, PinnedOutput>>;

/** What of a draft is to run. */
export type Aim =
  | { readonly kind: 'whole' }
  /** This node alone. */
  | { readonly kind: 'node'; readonly nodeId: string }
  /** This node and all that follows from it. */
  | { readonly kind: 'from'; readonly nodeId: string };

export interface Trial {
  readonly document: WorkflowDocument;
  /** Nodes before the one asked for whose output nobody has given: what reads them finds nothing. */
  readonly missing: readonly string[];
}

/**
 * The document of a test run. A part of a draft becomes a workflow of its own: every node outside of it that has an
 * output stands, pinned, in a chain before it, so that templates find their results under the same ids and names.
 *
 * @param outputs - only of nodes that the document has
 */
export function trialDocument(draft: WorkflowDocument, outputs: Outputs, aim: Aim): Trial {
  if (aim.kind === 'whole') return { document: { ...draft, pinned_outputs: outputs }, missing: [] };
  const start = startOf(draft)!;
  const running = aim.kind === 'node' ? new Set([aim.nodeId]) : withInside(draft, after(draft, aim.nodeId));
  const given = draft.nodes.filter(
    ({ id, parent_id }) =>
      id !== start.id && !running.has(id) && parent_id === undefined && Object.hasOwn(outputs, id),
  );
  const isGiven = new Set([start.id, ...given.map(({ id }) => id)]);
  const kept = draft.edges.filter(
    (edge) =>
      running.has(edge.target) &&
      (running.has(edge.source) || (isGiven.has(edge.source) && isTaken(edge, outputs))),
  );
  const chain = [start.id, ...given.map(({ id }) => id)];
  const isReached = kept.some(({ source, target }) => target === aim.nodeId && isGiven.has(source));
  const links = [...chain, ...(isReached ? [] : [aim.nodeId])];
  const before = ancestors(draft, aim.nodeId);
  return {
    document: {
      ...draft,
      nodes: draft.nodes.filter(({ id }) => isGiven.has(id) || running.has(id)),
      edges: [...links.slice(1).map((target, index) => ({ source: links[index]!, target })), ...kept],
      pinned_outputs: Object.fromEntries(given.map(({ id }) => [id, { output: outputs[id]?.output }])),
    },
    missing: [...before].filter((id) => id !== start.id && !isGiven.has(id)),
  };
}

/** An edge that the output's own port does not lead to was not taken. */
function isTaken({ source, source_handle }: Edge, outputs: Outputs): boolean {
  const port = outputs[source]?.port;
  return port === undefined || source_handle === undefined || source_handle === port;
}

function after({ edges }: WorkflowDocument, from: string): Set<string> {
  const reached = new Set([from]);
  for (const id of reached) {
    for (const { source, target } of edges) if (source === id) reached.add(target);
  }
  return reached;
}

function withInside({ nodes }: WorkflowDocument, ids: Set<string>): ReadonlySet<string> {
  for (const id of ids) for (const node of nodes) if (node.parent_id === id) ids.add(node.id);
  return ids;
}

function ancestors({ edges }: WorkflowDocument, of: string): ReadonlySet<string> {
  const found = new Set<string>();
  const look = (id: string): void => {
    for (const { source, target } of edges) {
      if (target !== id || found.has(source)) continue;
      found.add(source);
      look(source);
    }
  };
  look(of);
  return found;
}

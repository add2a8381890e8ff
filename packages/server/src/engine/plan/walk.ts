import type { PlanGraph } from '#engine/plan/workflow-plan';

/**
 * Where a run stands in one graph: the workflow's own, or that of one iteration of a container. An edge is open,
 * taken or dead; a node whose in-edges are all dead is dead and kills its own out-edges, so no join can wait for
 * something that will never come (the dead-path rule).
 *
 * The walk knows nothing of time, storage or nodes: it is told which node left by which port, and says which
 * nodes may start. The same outcomes in any order that respects the edges give the same walk, which is what
 * lets another worker rebuild it from the journal.
 */
export interface Walk {
  readonly graph: PlanGraph;
  readonly state: Uint8Array;
  /** In-edges that are neither taken nor dead. */
  readonly open: Uint16Array;
  readonly taken: Uint16Array;
  /** The ports that the finished nodes left by. */
  readonly ports: (string | undefined)[];
  /** Nodes that are finished or dead. */
  settled: number;
}

const waiting = 0;
const ready = 1;
const finished = 2;
const dead = 3;

export function beginWalk(graph: PlanGraph): Walk {
  const walk: Walk = {
    graph,
    state: new Uint8Array(graph.nodes.length),
    open: Uint16Array.from(graph.nodes, (node) => node.inEdges),
    taken: new Uint16Array(graph.nodes.length),
    ports: [],
    settled: 0,
  };
  for (const entry of graph.entries) walk.state[entry] = ready;
  return walk;
}

/** The nodes that were let go and have not finished, in the order of the graph. */
export function readyNodes(walk: Walk): number[] {
  return walk.graph.nodes.filter(({ index }) => walk.state[index] === ready).map(({ index }) => index);
}

/** The nodes whose edge into this one was taken, in the order of the graph. */
export function takenInto(walk: Walk, node: number): number[] {
  return walk.graph.nodes
    .filter(({ index, out }) => {
      const port = walk.state[index] === finished ? walk.ports[index] : undefined;
      return port !== undefined && out.some((edge) => edge.target === node && edge.port === port);
    })
    .map(({ index }) => index);
}

/**
 * Records that a node finished and left by `port` (`undefined`: by none, its out-edges are dead).
 *
 * @returns the nodes that may start now, in the order of the edges
 */
export function leave(walk: Walk, node: number, port: string | undefined): number[] {
  if (walk.state[node] !== ready) return [];
  walk.state[node] = finished;
  walk.ports[node] = port;
  walk.settled += 1;
  const started: number[] = [];
  const dying: number[] = [];
  for (const edge of walk.graph.nodes[node]!.out)
    settleEdge(walk, edge.target, edge.port === port, started, dying);
  for (const victim of dying) {
    for (const edge of walk.graph.nodes[victim]!.out) settleEdge(walk, edge.target, false, started, dying);
  }
  return started;
}

function settleEdge(walk: Walk, target: number, isTaken: boolean, started: number[], dying: number[]): void {
  walk.open[target]! -= 1;
  if (isTaken) walk.taken[target]! += 1;
  if (walk.state[target] !== waiting) return;
  const isResolved = walk.open[target] === 0;
  if (walk.taken[target]! > 0 && (isResolved || !walk.graph.nodes[target]!.joins)) {
    walk.state[target] = ready;
    started.push(target);
  } else if (isResolved) {
    walk.state[target] = dead;
    walk.settled += 1;
    dying.push(target);
  }
}
